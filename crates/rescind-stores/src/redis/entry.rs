//! An entry of the log as the stream has it, and the state of a scope: the short text that stands for its newest entry.
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
    pub(super) until: Timestamp,
    pub(super) act: Act,
}

impl State {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { seq: entry.seq, at: entry.at, until: entry.remember_until, act: entry.act }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut numbers = bytes.split(|byte| *byte == b' ').map(number);
        let mut next = || numbers.next().flatten();
        let read = || Some((next()?, next()?, next()?, next()));
        let mut read = read;
        let Some((seq, at, until, of)) = read() else {
            return Err(Fault::corrupt(format!(
                "the state {:?} of a scope cannot be read",
                String::from_utf8_lossy(bytes)
            )));
        };
        let act = of.map_or(Act::CutOff, |of| Act::Lift { of: Seq::new(of) });
        Ok(Self { seq: Seq::new(seq), at: Timestamp::from_millis(at), until: Timestamp::from_millis(until), act })
    }

    /// As scripts keep it, to be compared.
    pub(super) fn text(&self) -> String {
        let Self { seq, at, until, act } = self;
        let (at, until) = (at.as_millis(), until.as_millis());
        match act {
            Act::CutOff => format!("{seq} {at} {until}"),
            Act::Lift { of } => format!("{seq} {at} {until} {of}"),
        }
    }

    /// The scope's cut-off, where its newest entry is one.
    pub(super) fn cut_off(&self, scope: Scope) -> Option<CutOff> {
        (self.act == Act::CutOff).then_some(CutOff { scope, seq: self.seq, at: self.at })
    }
}

/// Reads an entry of the stream, and the tag after it.
pub(super) fn parse(mut entry: Reply) -> Result<(Entry, ChainTag), Fault> {
    let id = entry.bytes()?;
    let mut fields = entry.list()?;
    let mut values: [Vec<u8>; 7] = Default::default();
    for value in &mut values {
        let _name = fields.bytes()?;
        *value = fields.bytes()?;
    }
    let read = || {
        let [at, scope, lifts, until, reason, actor, tag] = values;
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
        Some((entry, ChainTag::from_bytes(tag.try_into().ok()?)))
    };
    let unreadable = || Fault::corrupt(format!("entry {} of the log cannot be read", String::from_utf8_lossy(&id)));
    read().ok_or_else(unreadable)
}
