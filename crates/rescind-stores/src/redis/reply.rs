//! Reads the answers of scripts. Owns the message where one has another shape than its script gives.

use redis::Value;
use rescind::log::ChainTag;
use rescind::position::{Incarnation, Seq};
use rescind::store::Head;
use rescind::time::Timestamp;

use super::fault::Fault;

/// Where the log stands, as the head in Redis has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    /// The settled head: what lies above it is shown to nobody.
    pub(super) head: Head,
    /// The last position that is taken.
    pub(super) last: Seq,
    /// Names the time since nothing was lost: rows of another are of sessions whose cut-offs are not known.
    pub(super) era: [u8; 6],
}

impl Tip {
    /// Whether nothing waits to be settled.
    pub(super) fn is_settled(&self) -> bool {
        self.head.seq == self.last
    }
}

/// The parts of an answer, taken one by one.
pub(super) struct Reply {
    parts: std::vec::IntoIter<Value>,
}

impl Reply {
    pub(super) fn new(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Array(parts) | Value::Set(parts) => Ok(Self { parts: parts.into_iter() }),
            Value::Map(pairs) => {
                let parts: Vec<_> = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
                Ok(Self { parts: parts.into_iter() })
            }
            Value::Nil => Ok(Self { parts: Vec::new().into_iter() }),
            _ => Err(odd("a list")),
        }
    }

    /// An answer that is one value, as a list of one.
    pub(super) fn of(value: Value) -> Self {
        Self { parts: vec![value].into_iter() }
    }

    /// The answer of a script of the log's slot: the tip, then what else there is.
    pub(super) fn headed(value: Value) -> Result<(Tip, Self), Fault> {
        let mut reply = Self::new(value)?;
        let tip = reply.list()?.tip()?;
        Ok((tip, reply))
    }

    pub(super) fn next(&mut self) -> Option<Value> {
        self.parts.next()
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn list(&mut self) -> Result<Self, Fault> {
        Self::new(self.parts.next().ok_or_else(|| odd("a list"))?)
    }

    /// Bytes, or nothing.
    pub(super) fn bytes_or_none(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match self.parts.next() {
            Some(Value::BulkString(bytes)) => Ok(Some(bytes)),
            Some(Value::SimpleString(text)) => Ok(Some(text.into_bytes())),
            Some(Value::Nil) | None => Ok(None),
            Some(_) => Err(odd("a text")),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Fault> {
        self.bytes_or_none()?.ok_or_else(|| odd("a text"))
    }

    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        match self.parts.next() {
            Some(Value::Int(number)) => u64::try_from(number).map_err(|_| odd("a number")),
            Some(Value::BulkString(digits)) => number(&digits).ok_or_else(|| odd("a number")),
            _ => Err(odd("a number")),
        }
    }

    pub(super) fn count(&mut self) -> Result<usize, Fault> {
        self.number().and_then(|number| usize::try_from(number).map_err(|_| odd("a count")))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.bytes()?.try_into().map_err(|_| odd("a name of fixed length"))
    }

    fn tip(&mut self) -> Result<Tip, Fault> {
        let incarnation = Incarnation::from_bytes(self.fixed()?);
        let seq = Seq::new(self.number()?);
        let tag = ChainTag::from_bytes(self.fixed()?);
        let now = Timestamp::from_millis(self.number()?);
        let last = Seq::new(self.number()?);
        Ok(Tip { head: Head { incarnation, seq, tag, now }, last, era: self.fixed()? })
    }
}

/// Reads decimal digits, and nothing else: no sign.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

pub(super) fn odd(expected: &str) -> Fault {
    Fault::corrupt(format!(
        "a script's answer has no {expected} where one belongs; is another program using these keys?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_alone() {
        assert_eq!((number(b"0"), number(b"18446744073709551615")), (Some(0), Some(u64::MAX)));
        for other in [&b"+1"[..], b"-1", b"", b" 1", b"18446744073709551616", b"1\0", b"\xff"] {
            assert_eq!(number(other), None, "{other:?}");
        }
    }
}
