//! Reading a JSON object strictly: UTF-8, no member named twice at any depth (RFC 7515 §4, RFC 7519 §4), one value and
//! nothing after it. Built on `serde_json`; builds no value that nobody asked for. Knows no claim.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};

use crate::rejection::Rejection;

/// What a reader of an object does with its members.
pub(super) trait Members<'de> {
    /// Takes the value of a member that it knows and returns its bit, so that a second one is found; otherwise leaves
    /// the value alone and returns `None`.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, fault: &Fault) -> Result<Option<u32>, A::Error>;
}

/// Why reading stopped, where it is more than bad JSON.
pub(super) struct Fault(Cell<Option<Rejection>>);

impl Fault {
    /// What a failure from here on means.
    pub(super) fn means(&self, rejection: Rejection) {
        self.0.set(Some(rejection));
    }

    /// From here on a failure is bad JSON again.
    pub(super) fn clear(&self) {
        self.0.set(None);
    }

    /// Stops reading.
    pub(super) fn stop<T, E: de::Error>(&self, rejection: Rejection) -> Result<T, E> {
        self.means(rejection);
        Err(E::custom("refused"))
    }
}

/// Reads an object, member by member.
pub(super) fn read_object<'de, M: Members<'de>>(text: &'de str, members: &mut M) -> Result<(), Rejection> {
    let fault = Fault(Cell::new(None));
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_map(Object { members, fault: &fault }).and_then(|()| reader.end());
    read.map_err(|_| fault.0.get().unwrap_or(Rejection::BadJson))
}

/// Says whether a text is JSON without a member named twice.
pub(crate) fn without_duplicates(text: &str) -> Result<(), Rejection> {
    let fault = Fault(Cell::new(None));
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Skip(&fault).deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|_| fault.0.get().unwrap_or(Rejection::BadJson))
}

struct Object<'r, M> {
    members: &'r mut M,
    fault: &'r Fault,
}

impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut known = 0_u32;
        let mut others = Names::default();
        while let Some(name) = map.next_key_seed(Name)? {
            if let Some(bit) = self.members.take(&name, &mut map, self.fault)? {
                if known & bit != 0 {
                    return self.fault.stop(Rejection::DuplicateMember);
                }
                known |= bit;
            } else {
                if !others.insert(name) {
                    return self.fault.stop(Rejection::DuplicateMember);
                }
                map.next_value_seed(Skip(self.fault))?;
            }
        }
        Ok(())
    }
}

/// The names seen in one object: few as a rule, then a list is faster; many only from somebody who wants us to be slow.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    many: BTreeSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    /// Notes a name; false where it was there already.
    fn insert(&mut self, name: Cow<'de, str>) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < 16 {
            self.few.push(name);
            return true;
        }
        self.many.insert(name)
    }
}

/// Reads a text, borrowed where it has no escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads a value, keeps nothing, and finds members named twice in it.
pub(super) struct Skip<'r>(pub(super) &'r Fault);

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Skip(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(name) = map.next_key_seed(Name)? {
            if !names.insert(name) {
                return self.0.stop(Rejection::DuplicateMember);
            }
            map.next_value_seed(Skip(self.0))?;
        }
        Ok(())
    }
}

/// Reads a non-negative integer that is written as one: no float, no text, no sign.
///
/// Asked for by its type, so that the reading stays the same where a user's build turns on `serde_json`'s
/// `arbitrary_precision`.
pub(super) struct Integer;

impl<'de> DeserializeSeed<'de> for Integer {
    type Value = u64;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl Visitor<'_> for Integer {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a non-negative integer")
    }

    fn visit_u64<E>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds: 66
    #[test]
    fn a_member_named_twice_is_found_at_every_depth_and_in_every_spelling() {
        let many = (0..100).fold(String::new(), |text, n| format!("{text}\"m{n}\":0,"));
        for text in [
            r#"{"a":1,"a":1}"#.to_owned(),
            r#"{"a":1,"\u0061":1}"#.to_owned(),
            r#"{"a":[[{"b":1,"c":{},"b":2}]]}"#.to_owned(),
            format!("{{{many}\"m3\":1}}"),
            format!("{{{many}\"m77\":1}}"),
        ] {
            assert_eq!(without_duplicates(&text), Err(Rejection::DuplicateMember), "{text}");
        }
        assert_eq!(without_duplicates(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#), Ok(()));
    }

    #[test]
    fn what_is_no_single_json_text_is_refused() {
        let deep = "[".repeat(10_000);
        for text in ["", "{", "{}{}", "{} x", "{'a':1}", "{a:1}", "{\"a\":1,}", "\u{feff}{}", "{\"a\":01}", &deep] {
            assert_eq!(without_duplicates(text), Err(Rejection::BadJson), "{}", &text[..text.len().min(9)]);
        }
    }
}
