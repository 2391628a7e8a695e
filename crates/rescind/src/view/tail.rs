//! The newest part of the log as this node has read it: what it can append again where the store loses it. Owns which
//! entries are kept; asks no store.

use std::collections::VecDeque;

use crate::log::{ChainTag, Entry};
use crate::position::Seq;

/// At most this many entries are kept.
const ENTRIES: usize = 65_536;
/// At most this many bytes of them are kept.
const BYTES: usize = 16 << 20;

/// Entries without a gap, each with the tag after it, above a floor.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The position below the first entry, and its tag.
    floor: (Seq, ChainTag),
    entries: VecDeque<(Entry, ChainTag)>,
    bytes: usize,
}

impl Tail {
    /// Without an entry, and without a history.
    pub(super) const fn empty() -> Self {
        Self { floor: (Seq::ZERO, ChainTag::from_bytes([0; 16])), entries: VecDeque::new(), bytes: 0 }
    }

    /// Forgets the entries: what is known now is a position and its tag.
    pub(super) fn reset(&mut self, floor: Seq, tag: ChainTag) {
        *self = Self { floor: (floor, tag), ..Self::empty() };
    }

    /// Takes an entry in behind the newest, with the tag after it.
    pub(super) fn push(&mut self, entry: Entry, tag: ChainTag) {
        self.bytes += size(&entry);
        self.entries.push_back((entry, tag));
        while self.entries.len() > ENTRIES || self.bytes > BYTES {
            let Some((entry, tag)) = self.entries.pop_front() else { return };
            self.bytes -= size(&entry);
            self.floor = (entry.seq, tag);
        }
    }

    /// The lowest position whose tag is known.
    pub(super) const fn floor(&self) -> Seq {
        self.floor.0
    }

    /// The tag at a position from the floor on.
    pub(super) fn tag_at(&self, seq: Seq) -> Option<ChainTag> {
        if seq == self.floor.0 { Some(self.floor.1) } else { self.at(seq).map(|(_, tag)| *tag) }
    }

    /// The entry at a position; `None` where it is not kept, or not there yet.
    pub(super) fn entry(&self, seq: Seq) -> Option<&Entry> {
        self.at(seq).map(|(entry, _)| entry)
    }

    /// The entries above a position; `None` where some of them are not kept any more.
    pub(super) fn above(&self, seq: Seq) -> Option<Vec<Entry>> {
        let kept = || self.entries.iter().map(|(entry, _)| entry).filter(|entry| entry.seq > seq).cloned().collect();
        (seq >= self.floor.0).then(kept)
    }

    fn at(&self, seq: Seq) -> Option<&(Entry, ChainTag)> {
        let before = seq.get().checked_sub(self.floor.0.get())?.checked_sub(1)?;
        self.entries.get(usize::try_from(before).ok()?)
    }
}

fn size(entry: &Entry) -> usize {
    let texts = entry.scope.id().len() + entry.reason.as_str().len() + entry.actor.as_str().len();
    size_of::<(Entry, ChainTag)>() + texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Act, Scope, Text};
    use crate::time::Timestamp;

    fn entry(seq: u64, reason: usize) -> Entry {
        Entry {
            seq: Seq::new(seq),
            at: Timestamp::from_millis(seq),
            scope: Scope::All,
            act: Act::CutOff,
            reason: Text::new("ß".repeat(reason)).unwrap(),
            actor: Text::new("tester").unwrap(),
            remember_until: Timestamp::from_millis(seq),
        }
    }

    fn tag(n: u64) -> ChainTag {
        ChainTag::from_bytes(u128::from(n).to_be_bytes())
    }

    #[test]
    fn every_position_from_the_floor_on_has_its_tag_and_entry() {
        let mut tail = Tail::empty();
        tail.reset(Seq::new(10), tag(10));
        for seq in 11..=13 {
            tail.push(entry(seq, 1), tag(seq));
        }
        let tags: Vec<_> = (9..=14).map(|seq| tail.tag_at(Seq::new(seq))).collect();
        assert_eq!(tags, [None, Some(tag(10)), Some(tag(11)), Some(tag(12)), Some(tag(13)), None]);
        assert_eq!(tail.entry(Seq::new(10)), None);
        assert_eq!(tail.entry(Seq::new(13)), Some(&entry(13, 1)));
        assert_eq!(tail.above(Seq::new(12)), Some(vec![entry(13, 1)]));
        assert_eq!(tail.above(Seq::new(13)), Some(vec![]));
        assert_eq!(tail.above(Seq::new(9)), None, "what is not kept is not \"nothing\"");
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many_or_they_are_too_long() {
        let mut tail = Tail::empty();
        for seq in 1..=ENTRIES as u64 + 5 {
            tail.push(entry(seq, 1), tag(seq));
        }
        assert_eq!((tail.floor(), tail.entries.len()), (Seq::new(5), ENTRIES));
        assert_eq!(tail.tag_at(Seq::new(5)), Some(tag(5)));
        for seq in ENTRIES as u64 + 6..=2 * ENTRIES as u64 {
            tail.push(entry(seq, 200), tag(seq));
        }
        assert!(tail.bytes <= BYTES && tail.entries.len() < ENTRIES);
        assert_eq!(tail.bytes, tail.entries.iter().map(|(entry, _)| size(entry)).sum::<usize>());
        assert!(tail.above(tail.floor()).is_some());
    }
    #[test]
    fn an_entry_takes_its_own_room_and_that_of_its_texts() {
        let subject = Scope::Subject(crate::testing::subject("alice"));
        let entry = Entry { scope: subject, ..entry(1, 100) };
        // Five bytes of a name, 200 of a reason, six of an actor.
        assert_eq!(size(&entry), size_of::<(Entry, ChainTag)>() + 5 + 200 + 6);
    }

    #[test]
    fn as_many_bytes_are_kept_as_may_be_and_not_one_more() {
        let mut tail = Tail::empty();
        let spare = 512 + 2 - size(&entry(1, 1));
        let reason = Text::new(format!("{}{}", "ß".repeat(spare / 2), "s".repeat(spare % 2))).unwrap();
        let of_512_bytes = |seq| Entry { reason: reason.clone(), ..entry(seq, 1) };
        let most = 16 * 1024 * 1024 / 512;
        (1..=most).for_each(|seq| tail.push(of_512_bytes(seq), tag(seq)));
        assert_eq!((tail.bytes, tail.floor()), (16 * 1024 * 1024, Seq::ZERO));
        tail.push(of_512_bytes(most + 1), tag(most + 1));
        assert_eq!((tail.bytes, tail.floor()), (16 * 1024 * 1024, Seq::new(1)));
    }
}
