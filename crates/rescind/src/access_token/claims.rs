//! The registered claims (RFC 7519 §4.1, RFC 9068 §2.2) and ours, `sid` and `seq`: read strictly, by type and range.
//! Owns their names; judges none of their values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::strict_json::{Fault, Integer, Members, Name, read_object};
use crate::position::Seq;
use crate::rejection::{Claim, Rejection};
use crate::time::Timestamp;

/// The claims that an application may not set itself.
pub const RESERVED: [Claim; 12] = [
    Claim::Iss,
    Claim::Sub,
    Claim::Aud,
    Claim::ClientId,
    Claim::Iat,
    Claim::Exp,
    Claim::Nbf,
    Claim::Jti,
    Claim::Sid,
    Claim::Seq,
    Claim::AuthTime,
    Claim::Scope,
];

/// The reserved claim of this name.
pub(super) fn reserved(name: &str) -> Option<Claim> {
    Some(match name {
        "iss" => Claim::Iss,
        "sub" => Claim::Sub,
        "aud" => Claim::Aud,
        "client_id" => Claim::ClientId,
        "iat" => Claim::Iat,
        "exp" => Claim::Exp,
        "nbf" => Claim::Nbf,
        "jti" => Claim::Jti,
        "sid" => Claim::Sid,
        "seq" => Claim::Seq,
        "auth_time" => Claim::AuthTime,
        "scope" => Claim::Scope,
        _ => return None,
    })
}

/// A bit of its own for each claim.
const fn bit(claim: Claim) -> u32 {
    1 << claim as u32
}

/// Which claims have a meaning in a token.
#[derive(Clone, Copy)]
pub(super) struct Vocabulary(u32);

impl Vocabulary {
    /// Ours: all of them.
    pub(super) const OWN: Self = Self(u32::MAX);
    /// A foreign issuer's: `seq` is private to us, and may mean anything there.
    pub(super) const FOREIGN: Self = Self(!(bit(Claim::Seq) | bit(Claim::AuthTime) | bit(Claim::Scope)));
}

/// The reserved claims of one payload, as they stand there. A claim of the wrong type never gets here.
pub(super) struct Claims<'a> {
    vocabulary: Vocabulary,
    texts: [Option<Cow<'a, str>>; 12],
    integers: [Option<u64>; 12],
    audience: Option<Audience<'a>>,
}

/// Whom a token is for (RFC 7519 §4.1.3: a string or an array of strings).
pub(super) enum Audience<'a> {
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Claims<'a> {
    /// Reads a payload. The signature must have been checked before.
    pub(super) fn read(payload: &'a str, vocabulary: Vocabulary) -> Result<Self, Rejection> {
        let mut claims = Self { vocabulary, texts: [const { None }; 12], integers: [None; 12], audience: None };
        read_object(payload, &mut claims)?;
        Ok(claims)
    }

    /// A text claim, `None` where it is absent.
    pub(super) fn text(&self, claim: Claim) -> Option<&str> {
        self.texts.get(claim as usize)?.as_deref()
    }

    /// A text claim that must be there.
    pub(super) fn required_text(&self, claim: Claim) -> Result<&str, Rejection> {
        self.text(claim).ok_or(Rejection::MissingClaim(claim))
    }

    /// An integer claim, `None` where it is absent. At most 2^53 - 1, so that every JSON reader sees the same number.
    pub(super) fn integer(&self, claim: Claim) -> Result<Option<u64>, Rejection> {
        match self.integers.get(claim as usize) {
            Some(Some(number)) if *number > Seq::MAX.get() => Err(Rejection::BadClaim(claim)),
            Some(number) => Ok(*number),
            None => Ok(None),
        }
    }

    /// An integer claim that must be there.
    pub(super) fn required_integer(&self, claim: Claim) -> Result<u64, Rejection> {
        self.integer(claim)?.ok_or(Rejection::MissingClaim(claim))
    }

    /// A time claim that must be there. RFC 7519 §2: seconds; fractions are refused.
    pub(super) fn required_time(&self, claim: Claim) -> Result<Timestamp, Rejection> {
        self.required_integer(claim).map(Timestamp::from_secs)
    }

    /// The audience, which must be there.
    pub(super) fn audience(&self) -> Result<&Audience<'a>, Rejection> {
        self.audience.as_ref().ok_or(Rejection::MissingClaim(Claim::Aud))
    }
}

impl Audience<'_> {
    /// Whether the token is for `name`. RFC 7519 §4.1.3, §2: compared as they stand.
    pub(super) fn names(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|one| one == name),
        }
    }
}

impl<'de> Members<'de> for Claims<'de> {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, fault: &Fault) -> Result<Option<u32>, A::Error> {
        let Some(claim) = reserved(name).filter(|claim| self.vocabulary.0 & bit(*claim) != 0) else {
            return Ok(None);
        };
        // Whatever goes wrong with the value, 1e400 included, which no reader can hold: the claim is bad.
        fault.means(Rejection::BadClaim(claim));
        match claim {
            Claim::Aud => self.audience = Some(map.next_value_seed(ReadAudience)?),
            Claim::Iat | Claim::Exp | Claim::Nbf | Claim::Seq | Claim::AuthTime => {
                put(&mut self.integers, claim, map.next_value_seed(Integer)?);
            }
            Claim::Iss | Claim::Sub | Claim::ClientId | Claim::Jti | Claim::Sid | Claim::Scope => {
                put(&mut self.texts, claim, map.next_value_seed(Name)?);
            }
        }
        fault.clear();
        Ok(Some(bit(claim)))
    }
}

fn put<T>(places: &mut [Option<T>], claim: Claim, value: T) {
    if let Some(place) = places.get_mut(claim as usize) {
        *place = Some(value);
    }
}

struct ReadAudience;

impl<'de> DeserializeSeed<'de> for ReadAudience {
    type Value = Audience<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadAudience {
    type Value = Audience<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Audience::One(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Audience::One(Cow::Owned(text.to_owned())))
    }

    // Any other type is the visitor's own error, and so is an empty array.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = seq.next_element_seed(Name)? {
            many.push(one);
        }
        if many.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(Audience::Many(many)) }
    }
}
