//! From the store that is configured to a store that is open. Owns the choice, nothing else.

use std::sync::Arc;

use rescind::store::{MemoryStore, Store};
use rescind_stores::redis::{Durability, RedisStore};
use rescind_stores::sqlite::SqliteStore;
use tracing::warn;

use crate::config::StoreUrl;

/// Opens the store; a database that is missing is made.
///
/// # Errors
/// What the store says: which file, what is wrong, and the remedy.
pub(crate) async fn open(url: &StoreUrl, durability: Durability) -> Result<Arc<dyn Store>, rescind::BoxError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path).await?)),
        StoreUrl::Redis(url) => Ok(Arc::new(RedisStore::open(url.expose(), durability).await?)),
        StoreUrl::Memory => {
            warn!("the store is memory: every session and every revocation is gone when the process ends");
            Ok(Arc::new(MemoryStore::new()?))
        }
    }
}
