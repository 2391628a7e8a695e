//! Chance that follows from a seed: the one source of everything that is left to chance in a life.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sequence of numbers (`SplitMix64`). Shared by reference; whoever draws in the same order draws the same.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(mixed(seed ^ 0x5851_f42d_4c95_7f2d)))
    }

    /// Another sequence, which follows from this one's next number and a tag.
    pub(crate) fn fork(&self, tag: u64) -> Self {
        Self::new(self.next() ^ mixed(tag))
    }

    pub(crate) fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mixed(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A number below `n`; 0 where there is none.
    pub(crate) fn below(&self, n: u64) -> u64 {
        self.next().checked_rem(n).unwrap_or(0)
    }

    /// A number from `from` up to and with `to`.
    pub(crate) fn between(&self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// An index into something of this length.
    pub(crate) fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True so many times out of a thousand.
    pub(crate) fn happens(&self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    pub(crate) fn one_of<T: Copy>(&self, of: &[T]) -> T {
        of[self.index(of.len())]
    }
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
