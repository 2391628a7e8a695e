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
