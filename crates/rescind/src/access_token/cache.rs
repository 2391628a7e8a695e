//! The verified-token cache: a token that was verified once is found again by its whole text, so that its signature is
//! not checked twice. Owns the bound in bytes. What may change since (time, key, log) is checked on every hit, elsewhere.

use std::sync::Arc;

use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

/// What is kept of a token.
pub(crate) trait Weighed {
    /// How much memory it holds. **Units:** bytes.
    fn weight(&self) -> usize;
}

/// Verified tokens by their whole text. The text itself is compared, not a digest of it.
pub(crate) struct TokenCache<V: Weighed>(Option<Cache<Box<str>, Arc<V>, Weigh, RandomState>>);

#[derive(Clone)]
pub(crate) struct Weigh;

/// Slot, pointers and counters of one entry.
const OVERHEAD: usize = 96;
/// About what one token takes; only the tables' first size hangs on it.
const TYPICAL: usize = 2048;

impl<V: Weighed> Weighter<Box<str>, Arc<V>> for Weigh {
    fn weight(&self, token: &Box<str>, value: &Arc<V>) -> u64 {
        (token.len() + value.weight() + OVERHEAD) as u64
    }
}

impl<V: Weighed> TokenCache<V> {
    /// Makes a cache of at most this many bytes; of none where it is 0.
    pub(crate) fn new(bytes: usize) -> Self {
        let lifecycle = DefaultLifecycle::default();
        let cache = || Cache::with(bytes / TYPICAL, bytes as u64, Weigh, RandomState::default(), lifecycle);
        Self((bytes > 0).then(cache))
    }

    /// What is kept of exactly this text.
    pub(crate) fn get(&self, token: &str) -> Option<Arc<V>> {
        self.0.as_ref()?.get(token)
    }

    /// Keeps what a text was verified to.
    pub(crate) fn keep(&self, token: &str, value: &Arc<V>) {
        if let Some(cache) = &self.0 {
            cache.insert(Box::from(token), Arc::clone(value));
        }
    }

    /// How many tokens are kept.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(usize);

    impl Weighed for Fixed {
        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn the_bound_in_bytes_holds() {
        let cache = TokenCache::new(100_000);
        for n in 0..10_000 {
            cache.keep(&format!("token {n}"), &Arc::new(Fixed(1000)));
        }
        assert!((1..=100).contains(&cache.len()), "{}", cache.len());
    }

    // holds: R12
    #[test]
    fn only_the_whole_text_finds_it() {
        let cache = TokenCache::new(100_000);
        cache.keep("abc", &Arc::new(Fixed(1)));
        assert!(cache.get("abc").is_some());
        assert!(cache.get("abcd").is_none() && cache.get("ab").is_none() && cache.get("ABC").is_none());
    }

    #[test]
    fn a_cache_of_no_bytes_keeps_nothing() {
        let cache = TokenCache::new(0);
        cache.keep("abc", &Arc::new(Fixed(1)));
        assert!(cache.get("abc").is_none());
    }
}
