//! A value that tasks wait on until it changes. They are woken in the order in which they began to wait, so that what a
//! process does follows from what it was given: tokio's `watch` wakes them in an order that it draws by itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The side that changes the value.
pub(crate) struct Signal<T>(Arc<Shared<T>>);

/// The side that waits. It has seen the value as it was when it was made.
pub(crate) struct Waiter<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    value: T,
    /// How often it was changed.
    version: u64,
}

impl<T> Shared<T> {
    /// Nothing that is done under the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Signal<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Shared { state: Mutex::new(State { value, version: 0 }), changed: Notify::new() }))
    }

    /// The value as it is.
    pub(crate) fn read(&self) -> T {
        self.0.lock().value.clone()
    }

    /// Puts another value in its place, and wakes whoever waits.
    pub(crate) fn set(&self, value: T) {
        self.change(|held| *held = value);
    }

    /// Changes the value, and wakes whoever waits.
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        self.change_if(|value| {
            change(value);
            true
        });
    }

    /// Changes the value, and wakes whoever waits where `change` says that this is news.
    pub(crate) fn change_if(&self, change: impl FnOnce(&mut T) -> bool) {
        let mut state = self.0.lock();
        if change(&mut state.value) {
            state.version = state.version.wrapping_add(1);
            drop(state);
            self.0.changed.notify_waiters();
        }
    }

    /// Somebody who waits for changes from now on.
    pub(crate) fn waiter(&self) -> Waiter<T> {
        let seen = self.0.lock().version;
        Waiter { shared: Arc::clone(&self.0), seen }
    }
}

impl<T: Clone> Waiter<T> {
    /// The value as it is; a change before this call is seen.
    pub(crate) fn read(&mut self) -> T {
        let state = self.shared.lock();
        self.seen = state.version;
        state.value.clone()
    }

    /// Waits for a change that was not seen yet.
    pub(crate) async fn changed(&mut self) {
        loop {
            // Made before the version is read, so that no change in between is missed.
            let notified = self.shared.changed.notified();
            let version = self.shared.lock().version;
            if version != self.seen {
                self.seen = version;
                return;
            }
            notified.await;
        }
    }

    /// Waits until the value is as wanted, and returns it.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&T) -> bool) -> T {
        loop {
            let value = self.read();
            if wanted(&value) {
                return value;
            }
            self.changed().await;
        }
    }
}

impl<T: Clone + Default> Default for Signal<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signal").field(&self.0.lock().value).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_change_between_two_waits_is_not_missed_and_none_is_told_of_twice() {
        let signal = Signal::new(0);
        let mut waiter = signal.waiter();
        signal.set(1);
        waiter.changed().await;
        signal.change_if(|_| false);
        assert!(tokio::time::timeout(std::time::Duration::ZERO, waiter.changed()).await.is_err());
        signal.change(|value| *value += 1);
        assert_eq!(waiter.until(|value| *value == 2).await, 2);
        assert_eq!(signal.read(), 2);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_in_the_order_in_which_they_began() {
        let (signal, order) = (Arc::new(Signal::new(false)), Arc::new(Mutex::new(Vec::new())));
        let begun = Arc::new(AtomicUsize::new(0));
        let waiting: Vec<_> = (0..100)
            .map(|n| {
                let (mut waiter, order, begun) = (signal.waiter(), Arc::clone(&order), Arc::clone(&begun));
                tokio::spawn(async move {
                    begun.fetch_add(1, Ordering::Relaxed);
                    waiter.until(|is_done| *is_done).await;
                    order.lock().unwrap().push(n);
                })
            })
            .collect();
        while begun.load(Ordering::Relaxed) < 100 {
            tokio::task::yield_now().await;
        }
        signal.set(true);
        for waiting in waiting {
            waiting.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    }
}
