//! A map from 128-bit keys to offsets in the log, for one writer and any number of readers who never wait. Owns
//! growth: many segments, each of which grows alone and by little, so that the memory stays near 23 bytes per entry
//! at every size, and no insert copies more than one segment. Knows neither layers nor time.
//!
//! A segment that grows is copied, and the readers get the copy with a new [`Directory`]; who still holds the old
//! one reads what was true when they took it.

use std::num::NonZeroU32;

use super::segment::{LANES, PAGE, Probe, Segment};
use crate::sync::{Arc, AtomicU64, Ordering};

/// Segments of a table that holds anything.
const SEGMENTS: usize = 128;
/// Groups from which a segment grows by little; smaller ones take larger steps, to grow less often.
const SMALL: usize = 64;

/// What readers hold of a table: which segments it has now, and its highest position.
#[derive(Clone)]
pub(super) struct Directory {
    segments: Arc<[Segment]>,
    highest: Arc<AtomicU64>,
}

impl Directory {
    /// The offset of a key's cut-off; `None` where there is none.
    pub(super) fn find(&self, probe: &Probe) -> Option<NonZeroU32> {
        let offset = self.segments.get(probe.segment(SEGMENTS))?.find(probe)?;
        NonZeroU32::new(offset.load(Ordering::Relaxed))
    }

    /// The highest position ever put in; 0 in an empty table.
    pub(super) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Acquire)
    }

    /// Bytes held by the segments, without the allocator's own.
    pub(super) fn bytes(&self) -> usize {
        let groups: usize = self.segments.iter().map(Segment::groups).sum();
        groups * (8 + LANES * 20) + self.segments.len() * size_of::<Segment>()
    }
}

/// Whether the readers need the new directory to see a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Seen {
    /// They see it already.
    InPlace,
    /// Publish [`Table::directory`] first.
    AfterPublishing,
}

/// The writer's side of the map.
pub(super) struct Table {
    seed: [u64; 2],
    directory: Directory,
    used: Box<[usize]>,
}

impl Table {
    /// An empty table. It takes no memory before its first entry.
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self { seed, directory: Directory { segments: Arc::default(), highest: Arc::default() }, used: Box::default() }
    }

    /// What readers need.
    pub(super) const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Entries held, lifted ones among them until their segment grows.
    pub(super) fn len(&self) -> usize {
        self.used.iter().sum()
    }

    /// Sets a key's cut-off; of two the higher stays. `position` is the same point of the log as `offset`.
    ///
    /// **Cost:** some 100 ns; where a segment grows, a copy of a 128th of the table.
    pub(super) fn insert(&mut self, probe: &Probe, offset: NonZeroU32, position: u64) -> Seen {
        let seen = self.put(probe, offset);
        self.directory.highest.fetch_max(position, Ordering::Release);
        seen
    }

    fn put(&mut self, probe: &Probe, offset: NonZeroU32) -> Seen {
        if self.used.is_empty() {
            self.used = (0..SEGMENTS).map(|_| 0).collect();
            self.directory.segments = (0..SEGMENTS).map(|_| Segment::with_groups(0)).collect();
        }
        let index = probe.segment(SEGMENTS);
        let (Some(used), Some(segment)) = (self.used.get_mut(index), self.directory.segments.get(index)) else {
            return Seen::InPlace;
        };
        if let Some(held) = segment.find(probe) {
            held.fetch_max(offset.get(), Ordering::Relaxed);
            return Seen::InPlace;
        }
        if has_room(*used, segment.groups()) && segment.place(probe, offset).is_ok() {
            *used += 1;
            return Seen::InPlace;
        }
        let mut groups = segment.groups();
        let (larger, count) = loop {
            groups = larger(groups, index);
            if let Some(copied) = copied(segment, groups, self.seed)
                && copied.0.place(probe, offset).is_ok()
            {
                break copied;
            }
        };
        *used = count + 1;
        let others = self.directory.segments.iter().enumerate();
        let segments = others.map(|(at, other)| if at == index { larger.clone() } else { other.clone() }).collect();
        self.directory.segments = segments;
        Seen::AfterPublishing
    }

    /// Ends a key's cut-off if it stands below `offset`; `None` ends it wherever it stands.
    pub(super) fn lift(&self, probe: &Probe, below: Option<NonZeroU32>) {
        let segment = self.directory.segments.get(probe.segment(SEGMENTS));
        if let Some(held) = segment.and_then(|segment| segment.find(probe))
            && below.is_none_or(|below| held.load(Ordering::Relaxed) < below.get())
        {
            held.store(0, Ordering::Relaxed);
        }
    }
}

/// 19 of 20 slots may be taken. With steps of 4 % that is 93 % on average.
const fn has_room(used: usize, groups: usize) -> bool {
    (used + 1) * 20 <= groups * LANES * 19
}

/// The next size. Segments differ in their step, else all would grow at once and the table's memory in leaps.
const fn larger(groups: usize, index: usize) -> usize {
    let step = if groups < SMALL { 1 + groups / 8 } else { groups * (32 + index % 16) / 1024 + 1 };
    let groups = groups + step;
    if groups > 16 * PAGE { groups.next_multiple_of(PAGE) } else { groups }
}

/// A copy of the active entries, with their number; `None` in the rare case that they do not fit.
fn copied(segment: &Segment, groups: usize, seed: [u64; 2]) -> Option<(Segment, usize)> {
    let copy = Segment::with_groups(groups);
    let mut count = 0;
    for (key, offset) in segment.active() {
        copy.place(&Probe::new(seed, key), offset).ok()?;
        count += 1;
    }
    Some((copy, count))
}

#[cfg(test)]
mod tests {
    use super::super::segment::Key;
    use super::*;

    const SEED: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

    fn probe(key: u64) -> Probe {
        Probe::new(SEED, Key([key, key]))
    }

    fn put(table: &mut Table, key: u64, offset: u32) {
        let _: Seen = table.insert(&probe(key), NonZeroU32::new(offset).unwrap(), u64::from(offset));
    }

    fn offset(table: &Table, key: u64) -> Option<u32> {
        table.directory().find(&probe(key)).map(NonZeroU32::get)
    }

    #[test]
    fn its_memory_is_that_of_its_segments_and_of_their_groups() {
        let mut table = Table::new(SEED);
        assert_eq!(table.directory().bytes(), 0);
        put(&mut table, 1, 1);
        // A word, and for each of seven slots a key of 16 bytes and an offset of four.
        assert_eq!(table.directory().bytes(), 148 + SEGMENTS * size_of::<Segment>());
        (2..5000).for_each(|key| put(&mut table, key, 1));
        let groups: usize = table.directory().segments.iter().map(Segment::groups).sum();
        assert_eq!(table.directory().bytes(), groups * 148 + SEGMENTS * size_of::<Segment>());
    }

    #[test]
    fn of_two_cut_offs_on_a_key_the_higher_stays_and_is_counted_once() {
        let mut table = Table::new(SEED);
        assert_eq!((table.len(), table.directory().highest()), (0, 0));
        for (next, highest) in [(5, 5), (9, 9), (7, 9)] {
            put(&mut table, 1, next);
            assert_eq!((table.len(), table.directory().highest()), (1, u64::from(highest)));
            assert_eq!(offset(&table, 1), Some(highest));
        }
        assert_eq!(offset(&table, 2), None);
    }

    #[test]
    fn a_lift_ends_what_stands_below_it_and_not_what_stands_at_it() {
        let mut table = Table::new(SEED);
        table.lift(&probe(1), None);
        put(&mut table, 1, 5);
        put(&mut table, 2, 5);
        for (below, left) in [(4, Some(5)), (5, Some(5)), (6, None)] {
            table.lift(&probe(1), NonZeroU32::new(below));
            assert_eq!(offset(&table, 1), left, "below {below}");
        }
        table.lift(&probe(2), None);
        assert_eq!(offset(&table, 2), None);
    }

    #[test]
    fn what_was_lifted_is_left_behind_when_its_segment_grows_and_nothing_else_is() {
        let mut table = Table::new(SEED);
        let first = probe(0).segment(SEGMENTS);
        let neighbours: Vec<u64> = (0..).filter(|key| probe(*key).segment(SEGMENTS) == first).take(200).collect();
        let (lifted, kept) = neighbours.split_at(6);
        for key in lifted {
            put(&mut table, *key, 1);
            table.lift(&probe(*key), None);
        }
        assert_eq!(table.len(), 6, "their segment has not grown");
        for (count, key) in (1..).zip(kept) {
            put(&mut table, *key, 2);
            assert_eq!(table.len(), count);
        }
        assert!(kept.iter().all(|key| offset(&table, *key) == Some(2)));
        assert!(lifted.iter().all(|key| offset(&table, *key).is_none()));
    }

    #[test]
    fn readers_need_the_new_directory_only_where_a_segment_has_grown() {
        let mut table = Table::new(SEED);
        let before = table.directory().clone();
        let one = NonZeroU32::MIN;
        assert_eq!(table.insert(&probe(1), one, 1), Seen::AfterPublishing);
        assert_eq!((before.find(&probe(1)), before.highest()), (None, 1));
        let after = table.directory().clone();
        assert_eq!(table.insert(&probe(1), one.saturating_add(1), 2), Seen::InPlace);
        assert_eq!(after.find(&probe(1)), NonZeroU32::new(2));
    }

    #[test]
    fn of_twenty_slots_nineteen_may_be_taken() {
        let room = [(0, 0), (5, 1), (6, 1), (132, 20), (133, 20)].map(|(used, groups)| has_room(used, groups));
        assert_eq!(room, [false, true, false, true, false]);
    }

    #[test]
    fn a_small_segment_grows_by_an_eighth_and_a_large_one_by_a_step_of_its_own() {
        assert_eq!([0, 7, 8, 63, 64].map(|groups| larger(groups, 0)), [1, 8, 10, 71, 67]);
        assert_eq!([0, 1, 15, 16].map(|index| larger(1024, index)), [1057, 1058, 1072, 1057]);
        // Above sixteen pages it ends with a whole one.
        assert_eq!([1985, 1986, 2048, 2176].map(|groups| larger(groups, 0)), [2048, 2176, 2176, 2304]);
    }
}
