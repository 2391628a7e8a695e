//! One segment of a [`Table`](super::table::Table): a flat array of 128-bit keys, each with an offset in the log,
//! that one writer fills while any number of readers look things up. Owns the probing and its memory ordering; knows
//! neither growth nor time.
//!
//! Slots stand in groups of seven. A group has one word: a byte of hash (the *tag*) for each of its slots, and in the
//! top byte its *reach*, how many groups beyond this one its keys were pushed. So a miss reads one word in most
//! cases, from an array that is a twentieth of the whole and stays in the processor's cache; the keys, and the
//! offsets behind them, are touched only where a tag fits.
//!
//! A slot is written once: offset and key first, then its tag with Release, and a reader that sees the tag (Acquire)
//! sees the whole slot. Only the offset changes later, and 0 there means "no cut-off".

use std::num::NonZeroU32;

use crate::sync::{Arc, AtomicU32, AtomicU64, Ordering};

/// A name as the tables know it: the bits of a UUID, or a keyed 128-bit digest of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u64; 2]);

impl Key {
    /// The key of 16 bytes as they are.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let word = u128::from_be_bytes(bytes);
        Self([low(word), low(word >> 64)])
    }
}

/// A key with its hash: made once for a look-up, used in every layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    key: Key,
    hash: u64,
}

impl Probe {
    /// Hashes a key. The seed is random for each process, so that nobody outside can aim at one group.
    pub(super) fn new(seed: [u64; 2], key: Key) -> Self {
        let [first, second] = key.0;
        let [first_seed, second_seed] = seed;
        let product = u128::from(first ^ first_seed) * u128::from(second ^ second_seed);
        Self { key, hash: low(product) ^ low(product >> 64) }
    }

    /// Chooses one of `count` segments, by bits that choose neither group nor tag.
    pub(super) fn segment(&self, count: usize) -> usize {
        usize::try_from(self.hash & 0xff).unwrap_or(0) % count.max(1)
    }

    /// Never 0, which marks a free slot.
    const fn tag(&self) -> u64 {
        let byte = (self.hash >> 8) & 0xff;
        if byte == 0 { 1 } else { byte }
    }
}

/// Slots in a group: a byte of its word for each, and one byte for the reach.
pub(super) const LANES: usize = 7;
/// Groups in a page. Equal pages of a middle size keep the allocator from leaving holes as segments grow.
pub(super) const PAGE: usize = 128;
const REACH: u32 = 56;
const EACH_LANE: u64 = 0x0001_0101_0101_0101;
const TAGS: u64 = (1 << REACH) - 1;

struct Page {
    keys: Box<[[AtomicU64; 2]]>,
    offsets: Box<[AtomicU32]>,
}

/// The array. Clones share it.
#[derive(Clone)]
pub(super) struct Segment {
    words: Arc<[AtomicU64]>,
    pages: Arc<[Page]>,
}

/// No free slot within reach: the segment has to grow first.
#[derive(Debug)]
pub(super) struct Full;

impl Segment {
    /// An empty segment of that many groups.
    pub(super) fn with_groups(groups: usize) -> Self {
        let slots = |first: usize| (groups - first).min(PAGE) * LANES;
        let page = |first: usize| Page {
            keys: (0..slots(first)).map(|_| Default::default()).collect(),
            offsets: (0..slots(first)).map(|_| AtomicU32::new(0)).collect(),
        };
        Self {
            words: (0..groups).map(|_| AtomicU64::new(0)).collect(),
            pages: (0..groups).step_by(PAGE).map(page).collect(),
        }
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.words.len()
    }

    /// Finds a key's offset in the log. **Cost:** one cache line for most misses, three for a hit.
    pub(super) fn find(&self, probe: &Probe) -> Option<&AtomicU32> {
        let mut at = self.home(probe);
        let pattern = probe.tag() * EACH_LANE;
        let word = self.words.get(at)?.load(Ordering::Acquire);
        let fits = matching(word, pattern);
        if fits != 0
            && let Some(offset) = self.compare(at, fits, probe)
        {
            return Some(offset);
        }
        for step in 1..=word >> REACH {
            at = self.onward(at, step);
            let fits = matching(self.words.get(at)?.load(Ordering::Acquire), pattern);
            if fits != 0
                && let Some(offset) = self.compare(at, fits, probe)
            {
                return Some(offset);
            }
        }
        None
    }

    /// Puts in a key that is not there. For the one writer only.
    pub(super) fn place(&self, probe: &Probe, offset: NonZeroU32) -> Result<(), Full> {
        let home = self.home(probe);
        let home_word = self.words.get(home).ok_or(Full)?;
        let mut at = home;
        for step in 0..=0xff {
            at = self.onward(at, step);
            let word = self.words.get(at).ok_or(Full)?;
            let tags = word.load(Ordering::Relaxed);
            let used = (u64::BITS - (tags & TAGS).leading_zeros()).div_ceil(8);
            let (key, place) = match self.slot(at, used) {
                Some(slot) if (used as usize) < LANES => slot,
                _ => continue,
            };
            let ([first, second], [key_first, key_second]) = (key, probe.key.0);
            place.store(offset.get(), Ordering::Relaxed);
            first.store(key_first, Ordering::Relaxed);
            second.store(key_second, Ordering::Relaxed);
            word.store(tags | probe.tag() << (8 * used), Ordering::Release);
            let tags = home_word.load(Ordering::Relaxed);
            if tags >> REACH < step {
                home_word.store(tags & TAGS | step << REACH, Ordering::Release);
            }
            return Ok(());
        }
        Err(Full)
    }

    /// Every key with an active cut-off, in an order in which a segment of another size fills from front to back.
    pub(super) fn active(&self) -> impl Iterator<Item = (Key, NonZeroU32)> {
        let slots = self.pages.iter().flat_map(|page| page.keys.iter().zip(&page.offsets));
        slots.filter_map(|([first, second], offset)| {
            let offset = NonZeroU32::new(offset.load(Ordering::Relaxed))?;
            Some((Key([first.load(Ordering::Relaxed), second.load(Ordering::Relaxed)]), offset))
        })
    }

    /// The group where a key stands unless it was pushed on: the hash as a fraction of the whole, so that any number
    /// of groups will do.
    fn home(&self, probe: &Probe) -> usize {
        usize::try_from((u128::from(probe.hash) * self.words.len() as u128) >> 64).unwrap_or(0)
    }

    /// The steps widen (1, 2, 3 …), so that full groups do not grow together into long runs.
    fn onward(&self, at: usize, step: u64) -> usize {
        let next = at + usize::try_from(step).unwrap_or(0);
        if next < self.words.len() { next } else { next % self.words.len().max(1) }
    }

    #[inline(never)]
    fn compare(&self, at: usize, mut fits: u64, probe: &Probe) -> Option<&AtomicU32> {
        while fits != 0 {
            let ([first, second], offset) = self.slot(at, fits.trailing_zeros() / 8)?;
            let key = Key([first.load(Ordering::Relaxed), second.load(Ordering::Relaxed)]);
            if key == probe.key {
                return Some(offset);
            }
            fits &= fits - 1;
        }
        None
    }

    fn slot(&self, at: usize, lane: u32) -> Option<(&[AtomicU64; 2], &AtomicU32)> {
        let page = self.pages.get(at / PAGE)?;
        let slot = at % PAGE * LANES + lane as usize;
        Some((page.keys.get(slot)?, page.offsets.get(slot)?))
    }
}

/// The top bit of each lane whose tag is the pattern's, exactly: no carry crosses a lane.
const fn matching(word: u64, pattern: u64) -> u64 {
    const LOW: u64 = 0x7f * EACH_LANE;
    let different = (word & TAGS) ^ pattern;
    !(((different & LOW) + LOW) | different | LOW) & TAGS
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
const fn low(word: u128) -> u64 {
    word as u64
}
