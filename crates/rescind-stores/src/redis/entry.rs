//! An entry as the streams have it, and the state of a scope: the short text that stands for its newest entry.
//! Owns both shapes.
//!
//! **Shape of a state:** `seq at until`, and the lifted position behind it where the newest entry is a lift.

use rescind::log::{Act, ChainTag, CutOff, Entry, Scope, Text};
use rescind::position::Seq;
use rescind::time::Timestamp;

use super::fault::Fault;
use super::reply::{Reply, number};

/// The newest entry of a scope, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) act: Act,
}

impl State {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { seq: entry.seq, at: entry.at, act: entry.act }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut numbers = bytes.split(|byte| *byte == b' ').map(number);
        let mut next = || numbers.next().flatten();
        let read = || Some((next()?, next()?, next()?, next()));
        let mut read = read;
        let Some((seq, at, _until, of)) = read() else {
            return Err(Fault::corrupt(format!(
                "the state {:?} of a scope cannot be read",
                String::from_utf8_lossy(bytes)
            )));
        };
        let act = of.map_or(Act::CutOff, |of| Act::Lift { of: Seq::new(of) });
        Ok(Self { seq: Seq::new(seq), at: Timestamp::from_millis(at), act })
    }

    /// The scope's cut-off, where its newest entry is one.
    pub(super) fn cut_off(&self, scope: Scope) -> Option<CutOff> {
        (self.act == Act::CutOff).then_some(CutOff { scope, seq: self.seq, at: self.at })
    }
}

/// Reads an entry of the log, and the tag after it.
pub(super) fn parse(entry: Reply) -> Result<(Entry, ChainTag), Fault> {
    let (entry, tag) = read(entry)?;
    let tag = tag.try_into().map_err(|_| unreadable(&entry.seq.to_string()))?;
    Ok((entry, ChainTag::from_bytes(tag)))
}

/// Reads an entry that is not settled, and the mark of the batch that it came with.
pub(super) fn parse_unsettled(entry: Reply) -> Result<(Entry, Vec<u8>), Fault> {
    read(entry)
}

/// Reads an entry of either stream, and its last field.
fn read(mut entry: Reply) -> Result<(Entry, Vec<u8>), Fault> {
    let id = entry.bytes()?;
    let mut fields = entry.list()?;
    let mut values: [Vec<u8>; 7] = Default::default();
    for value in &mut values {
        let _name = fields.bytes()?;
        *value = fields.bytes()?;
    }
    let read = || {
        let [at, scope, lifts, until, reason, actor, last] = values;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let seq = number(id.strip_suffix(b"-0")?)?;
        let act = if lifts.is_empty() { Act::CutOff } else { Act::Lift { of: Seq::new(number(&lifts)?) } };
        let entry = Entry {
            seq: Seq::new(seq),
            at: Timestamp::from_millis(number(&at)?),
            scope: text(scope)?.try_into().ok()?,
            act,
            reason: Text::new(text(reason)?).ok()?,
            actor: Text::new(text(actor)?).ok()?,
            remember_until: Timestamp::from_millis(number(&until)?),
        };
        Some((entry, last))
    };
    read().ok_or_else(|| unreadable(&String::from_utf8_lossy(&id)))
}

fn unreadable(id: &str) -> Fault {
    Fault::corrupt(format!("entry {id} of the log cannot be read"))
}
