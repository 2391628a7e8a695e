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

#[cfg(test)]
mod tests {
    use super::*;

    /// A key with a hash of the test's own.
    fn hashed(number: u64, hash: u64) -> Probe {
        Probe { key: Key([number, !number]), hash }
    }

    fn offset(number: u64) -> NonZeroU32 {
        u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap()
    }

    fn found(segment: &Segment, probe: &Probe) -> Option<u32> {
        segment.find(probe).map(|offset| offset.load(Ordering::Relaxed))
    }

    #[test]
    fn a_keys_words_are_its_bytes_and_its_hash_folds_their_product_with_the_seed() {
        let bytes = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(Key::from_bytes(bytes), Key([0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607]));
        let seed = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];
        let probe = Probe::new(seed, Key([0x1111_2222_3333_4444, 0x5555_6666_7777_8888]));
        assert_eq!(probe.hash, 0xcab9_c1f8_2131_63b2);
    }

    #[test]
    fn the_lowest_byte_of_a_hash_chooses_the_segment_and_the_next_one_is_the_tag() {
        let probe = hashed(1, 0x1234_5678_9abc_def0);
        assert_eq!([128, 100, 1, 0].map(|count| probe.segment(count)), [0x70, 40, 0, 0]);
        assert_eq!(probe.tag(), 0xde);
        assert_eq!(hashed(1, 0xff00_00ff).tag(), 1, "0 marks a free slot");
    }

    #[test]
    fn a_tag_matches_in_the_lanes_where_it_stands_and_in_no_other() {
        let tags = [0, 1, 2, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff];
        for (pattern, other) in tags.into_iter().flat_map(|tag| tags.map(|other| (tag, other))) {
            for lanes in 0_u64..1 << LANES {
                let has = |lane: usize| lanes >> lane & 1 == 1;
                let byte = |lane| if has(lane) { pattern } else { other } << (8 * lane);
                // Whatever the reach in the top byte is, it is no tag.
                let word = (0..LANES).map(byte).sum::<u64>() + (pattern << REACH);
                let expected: u64 =
                    (0..LANES).filter(|lane| has(*lane) || pattern == other).map(|lane| 0x80 << (8 * lane)).sum();
                assert_eq!(matching(word, pattern * EACH_LANE), expected, "{pattern:x} in {word:x}");
            }
        }
    }

    #[test]
    fn groups_stand_in_pages_and_each_has_seven_slots() {
        let segment = Segment::with_groups(PAGE + 2);
        assert_eq!(segment.groups(), PAGE + 2);
        let slots: Vec<_> = segment.pages.iter().map(|page| (page.keys.len(), page.offsets.len())).collect();
        assert_eq!(slots, [(PAGE * 7, PAGE * 7), (14, 14)]);
        let stands_at = |at, lane, page: usize, slot: usize| {
            let (key, offset) = segment.slot(at, lane).unwrap();
            let page = &segment.pages[page];
            std::ptr::eq(key, &raw const page.keys[slot]) && std::ptr::eq(offset, &raw const page.offsets[slot])
        };
        assert!(stands_at(0, 6, 0, 6) && stands_at(5, 2, 0, 37));
        assert!(stands_at(PAGE, 0, 1, 0) && stands_at(PAGE + 1, 3, 1, 10));
        assert!(segment.slot(PAGE + 1, 7).is_none() && segment.slot(2 * PAGE, 0).is_none());
    }

    #[test]
    fn a_hash_is_a_fraction_of_the_groups_and_the_way_onward_goes_round() {
        let segment = Segment::with_groups(10);
        let home = |hash| segment.home(&hashed(1, hash));
        assert_eq!([0, u64::MAX / 10, u64::MAX / 10 + 1, 1 << 63, u64::MAX].map(home), [0, 0, 1, 5, 9]);
        let onward = [(3, 4), (8, 1), (8, 2), (9, 3), (9, 255)].map(|(at, step)| segment.onward(at, step));
        assert_eq!(onward, [7, 9, 0, 2, 4]);
        assert_eq!(Segment::with_groups(0).onward(0, 0), 0);
    }

    #[test]
    fn a_full_group_pushes_its_keys_on_and_each_is_found_where_it_went() {
        // From group 0 of five the steps lead to 1, to 3 and round to those three again.
        let segment = Segment::with_groups(5);
        let probe = |number: u64| hashed(number, (number % 3) << 8);
        for number in 1..=21 {
            assert_eq!(found(&segment, &probe(number)), None);
            segment.place(&probe(number), offset(number)).unwrap();
            let all = (1..=number).all(|number| found(&segment, &probe(number)) == u32::try_from(number).ok());
            assert!(all, "after {number}");
        }
        assert!(segment.place(&probe(22), offset(22)).is_err(), "no free slot within reach");
        assert_eq!(found(&segment, &probe(22)), None);
        let reach: Vec<_> = segment.words.iter().map(|word| word.load(Ordering::Relaxed) >> REACH).collect();
        assert_eq!(reach, [2, 0, 0, 0, 0]);
        // The other two are as empty as before, and a neighbour finds its way among those that were pushed.
        let beside = hashed(50, u64::MAX / 5 + 1);
        segment.place(&beside, offset(50)).unwrap();
        assert_eq!(found(&segment, &beside), Some(50));
        assert_eq!(segment.words[2].load(Ordering::Relaxed) & TAGS, beside.tag());
        let mut active: Vec<_> = segment.active().map(|(key, offset)| (key, offset.get())).collect();
        active.sort_by_key(|(_, offset)| *offset);
        let expected = (1..=21).chain([50]).map(|number| (hashed(number, 0).key, offset(number).get()));
        assert_eq!(active, expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_lifted_key_is_not_active_and_keeps_its_slot() {
        let segment = Segment::with_groups(1);
        (1..=3).for_each(|number| segment.place(&hashed(number, 0), offset(number)).unwrap());
        segment.find(&hashed(2, 0)).unwrap().store(0, Ordering::Relaxed);
        let active: Vec<_> = segment.active().map(|(_, offset)| offset.get()).collect();
        assert_eq!(active, [1, 3]);
        assert_eq!(found(&segment, &hashed(2, 0)), Some(0));
        assert!(Segment::with_groups(0).place(&hashed(1, 0), offset(1)).is_err());
    }
}
