//! Making a connection where the URL names several servers. Owns that one which says nothing keeps nobody from the others:
//! after a failover that may be the first for ever, and the driver alone would ask one after the other.

use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::Connect;
use futures_util::future::select_ok;
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use super::primary::{Primary, who};

/// Connects to all servers at once; the first that takes us, and that can write where the URL asks for it, is used.
pub(super) async fn first<T>(servers: &[Config], tls: &T) -> Result<(Client, Connection<Socket, T::Stream>), Error>
where
    T: MakeTlsConnect<Socket> + Clone,
{
    let tries = servers.iter().map(|server| Box::pin(server.connect(tls.clone())));
    select_ok(tries).await.map(|(made, _)| made)
}

/// How the pool makes its connections.
pub(super) struct Dial<T> {
    /// One configuration for each server; at least one.
    pub(super) servers: Vec<Config>,
    pub(super) tls: T,
    /// Of several servers, one that it left behind is taken only where no other takes us: the pool then says what is wrong.
    pub(super) primary: Primary,
}

/// A connection, and what serves it.
type Made = (Client, JoinHandle<()>);

impl<T> Dial<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    async fn to(&self, server: &Config) -> Result<Made, Error> {
        let (client, connection) = server.connect(self.tls.clone()).await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database was lost");
            }
        });
        Ok((client, task))
    }

    /// The first server that takes us and was not left behind; or else one that was.
    async fn to_the_primary(&self) -> Result<Made, Error> {
        let tries = self.servers.iter().map(|server| async {
            let made = self.to(server).await?;
            let is_old = who(&made.0).await?.is_some_and(|server| self.primary.has_left_behind(server));
            Ok((made, is_old))
        });
        let mut tries: Vec<_> = tries.map(Box::pin).collect();
        let mut old = None;
        loop {
            match (select_ok(tries).await, old) {
                (Ok(((made, is_old), others)), _) if !is_old || others.is_empty() => return Ok(made),
                (Ok(((made, _), others)), _) => (old, tries) = (Some(made), others),
                (Err(_), Some(made)) => return Ok(made),
                (Err(error), None) => return Err(error),
            }
        }
    }
}

impl<T> Connect for Dial<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async move {
            match &self.servers[..] {
                // Whatever it is, there is no other.
                [only] => self.to(only).await,
                _ => self.to_the_primary().await,
            }
        })
    }
}
