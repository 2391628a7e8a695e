//! Making the pool's connections. Owns that none is lent before it is known where it leads; and, where the URL names several
//! servers, that one which says nothing keeps nobody from the others: after a failover that may be the first for ever, and
//! the driver alone would ask one after the other.

use std::ops::Deref;
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, RecycleError, RecycleResult};
use futures_util::future::select_ok;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::Fault;
use super::link::ANSWER;
use super::primary::{Primary, Reign, Server, who};

/// Connects to all servers at once; the first that takes us, and that can write where the URL asks for it, is used.
pub(super) async fn first<T>(servers: &[Config], tls: &T) -> Result<(Client, Connection<Socket, T::Stream>), Error>
where
    T: MakeTlsConnect<Socket> + Clone,
{
    let tries = servers.iter().map(|server| Box::pin(server.connect(tls.clone())));
    select_ok(tries).await.map(|(made, _)| made)
}

/// How the pool makes its connections.
pub(super) struct Dial {
    /// One configuration for each server; at least one.
    pub(super) servers: Vec<Config>,
    /// `None` to connect in the clear.
    pub(super) tls: Option<MakeRustlsConnect>,
    /// How long a connection may take to be made.
    pub(super) limit: Duration,
    pub(super) primary: Primary,
}

/// A connection that the pool lends.
pub(super) type Lease = Object<Dial>;

/// A connection, and to which of the servers that came after one another it leads.
pub(super) struct Led {
    wire: Wire,
    pub(super) reign: Reign,
}

impl Deref for Led {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.wire.client
    }
}

/// A connection, and what serves it; it is cut where this is dropped, whether or not the server still owes an answer.
struct Wire {
    client: Client,
    task: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Dial {
    /// A connection to this server, and what it says of itself.
    async fn to(&self, server: &Config) -> Result<(Wire, Option<Server>), Fault> {
        let made = async {
            match &self.tls {
                None => connect(server, NoTls).await,
                Some(tls) => connect(server, tls.clone()).await,
            }
        };
        let wire = timeout(self.limit, made).await.map_err(|_| self.unmade())?.map_err(Fault::unconnected)?;
        let silent = |_| Fault::unavailable("the server took the connection and says nothing");
        let server = timeout(ANSWER, who(&wire.client)).await.map_err(silent)??;
        Ok((wire, server))
    }

    /// The first server that takes us and was not left behind; or else one that was, and [`Primary::meet`] says so.
    async fn to_the_primary(&self) -> Result<(Wire, Option<Server>), Fault> {
        let mut tries: Vec<_> = self.servers.iter().map(|server| Box::pin(self.to(server))).collect();
        let mut old = None;
        loop {
            match (select_ok(tries).await, old) {
                (Ok((made, others)), _) if others.is_empty() || !self.primary.has_left_behind(made.1) => {
                    return Ok(made);
                }
                (Ok((made, others)), _) => (old, tries) = (Some(made), others),
                (Err(_), Some(made)) => return Ok(made),
                (Err(fault), None) => return Err(fault),
            }
        }
    }

    fn unmade(&self) -> Fault {
        Fault::unavailable(format!(
            "no connection within {:?}. Is the server there and reachable, and is it Postgres? connect_timeout in the store's \
             URL gives it longer",
            self.limit
        ))
    }
}

impl Manager for Dial {
    type Type = Led;
    type Error = Fault;

    async fn create(&self) -> Result<Led, Fault> {
        let (wire, server) = self.to_the_primary().await?;
        let reign = self.primary.meet(server)?;
        Ok(Led { wire, reign })
    }

    async fn recycle(&self, led: &mut Led, _: &Metrics) -> RecycleResult<Fault> {
        if led.is_closed() {
            return Err(RecycleError::message("it was lost"));
        }
        if self.primary.has_changed_since(led.reign) {
            return Err(RecycleError::message("it leads to the server of before"));
        }
        Ok(())
    }
}

async fn connect<T>(server: &Config, tls: T) -> Result<Wire, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = server.connect(tls).await?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the database was lost");
        }
    });
    Ok(Wire { client, task })
}
