//! The memory that the view's readers and its writer share goes through this door: a model checker (`tests/loom`) compiles
//! the same files of the view with another one behind it. Owns nothing.

pub(crate) use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use arc_swap::ArcSwap;
