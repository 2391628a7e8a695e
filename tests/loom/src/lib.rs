//! How the view is published, in every interleaving of its readers and its writer that loom can tell apart, memory orders
//! included. The files of the view are compiled here as they are, with loom's memory behind the door `sync`: there is no
//! feature, and nothing of this in any other build.
//!
//! loom and not shuttle, for the orders are what is in question here, and shuttle takes all of them for the strongest.

mod scenes;
mod sync;
mod view;

pub use self::scenes::{Order, fresh_is_complete, replaced_at_once};
pub(crate) use rescind::{id, log, position, time};
