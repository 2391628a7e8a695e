//! The door's other side: loom's memory. `ArcSwap` is a stand-in with the contract of the real one: whoever loads a pointer
//! sees what was written before it was swapped in, and nothing more.

pub(crate) use std::sync::{Arc, PoisonError};

use loom::sync::atomic::AtomicUsize;
pub(crate) use loom::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// A pointer that is swapped while others load it.
pub(crate) struct ArcSwap<T> {
    /// Everything that was ever swapped in. Of std, which loom does not watch: it orders nothing.
    held: std::sync::Mutex<Vec<Arc<T>>>,
    at: AtomicUsize,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(first: T) -> Self {
        Self { held: std::sync::Mutex::new(vec![Arc::new(first)]), at: AtomicUsize::new(0) }
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.get(self.at.load(Ordering::Acquire))
    }

    pub(crate) fn swap(&self, by: Arc<T>) -> Arc<T> {
        let at = {
            let mut held = self.held();
            held.push(by);
            held.len() - 1
        };
        self.get(self.at.swap(at, Ordering::AcqRel))
    }

    #[expect(clippy::indexing_slicing, reason = "only indices of what is held are ever stored")]
    fn get(&self, at: usize) -> Arc<T> {
        Arc::clone(&self.held()[at])
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<Arc<T>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
