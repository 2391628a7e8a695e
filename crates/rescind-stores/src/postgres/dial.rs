//! Making a connection where the URL names several servers. Owns that one which says nothing keeps nobody from the others:
//! after a failover that may be the first for ever, and the driver alone would ask one after the other.

use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::Connect;
use futures_util::future::select_ok;
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Connection, Error, Socket};

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
            let (client, connection) = first(&self.servers, &self.tls).await?;
            let served = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to the database was lost");
                }
            });
            Ok((client, served))
        })
    }
}
