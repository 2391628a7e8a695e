//! From the store that is configured to a store that is open. Owns the choice, nothing else.

use std::sync::Arc;

use rescind::store::{MemoryStore, Store};
use rescind_stores::postgres::PostgresStore;
use rescind_stores::redis::{Durability, RedisStore};
use rescind_stores::sqlite::SqliteStore;
use tracing::warn;

use crate::config::StoreUrl;

/// A store that is open.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// Where applications ask for revocations in their own transactions, if the store has that.
    pub(crate) inbox: Option<Arc<PostgresStore>>,
}

/// Opens the store; a database that is missing is made.
///
/// # Errors
/// What the store says: which file, what is wrong, and the remedy.
pub(crate) async fn open(url: &StoreUrl, durability: Durability) -> Result<Opened, rescind::BoxError> {
    let store: Arc<dyn Store> = match url {
        StoreUrl::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
        StoreUrl::Postgres(url) => {
            let store = Arc::new(PostgresStore::open(url.expose()).await?);
            return Ok(Opened { inbox: Some(Arc::clone(&store)), store });
        }
        StoreUrl::Redis(url) => Arc::new(RedisStore::open(url.expose(), durability).await?),
        StoreUrl::Memory => {
            warn!("the store is memory: every session and every revocation is gone when the process ends");
            Arc::new(MemoryStore::new()?)
        }
    };
    Ok(Opened { store, inbox: None })
}
