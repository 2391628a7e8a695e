//! The registered claims (RFC 7519 §4.1, RFC 9068 §2.2) and ours, `sid` and `seq`: read strictly, by type and range.
//! Owns their names; judges none of their values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::strict_json::{Fault, Members, Name, ReadScalar, Scalar, read_object};
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
pub(super) const fn bit(claim: Claim) -> u32 {
    1 << claim as u32
}

/// The reserved claims of one payload, as they stand there.
#[derive(Default)]
pub(super) struct Claims<'a> {
    values: [Option<Scalar<'a>>; 12],
    audience: Option<Audience<'a>>,
}

/// Whom a token is for (RFC 7519 §4.1.3: a string or an array of strings).
pub(super) enum Audience<'a> {
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
    /// Neither, or an empty array.
    Bad,
}

impl<'a> Claims<'a> {
    /// Reads a payload. The signature must have been checked before.
    pub(super) fn read(payload: &'a str) -> Result<Self, Rejection> {
        let mut claims = Self::default();
        read_object(payload, &mut claims)?;
        Ok(claims)
    }

    /// A text claim, `None` where it is absent.
    pub(super) fn text(&self, claim: Claim) -> Result<Option<&str>, Rejection> {
        match self.values.get(claim as usize) {
            Some(Some(Scalar::Text(text))) => Ok(Some(text)),
            Some(Some(_)) => Err(Rejection::BadClaim(claim)),
            _ => Ok(None),
        }
    }

    /// A text claim that must be there.
    pub(super) fn required_text(&self, claim: Claim) -> Result<&str, Rejection> {
        self.text(claim)?.ok_or(Rejection::MissingClaim(claim))
    }

    /// An integer claim, `None` where it is absent. At most 2^53 - 1, so that every JSON reader sees the same number.
    pub(super) fn integer(&self, claim: Claim) -> Result<Option<u64>, Rejection> {
        match self.values.get(claim as usize) {
            Some(Some(Scalar::Integer(number))) if *number <= Seq::MAX.get() => Ok(Some(*number)),
            Some(Some(_)) => Err(Rejection::BadClaim(claim)),
            _ => Ok(None),
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
        match &self.audience {
            None => Err(Rejection::MissingClaim(Claim::Aud)),
            Some(Audience::Bad) => Err(Rejection::BadClaim(Claim::Aud)),
            Some(audience) => Ok(audience),
        }
    }
}

impl Audience<'_> {
    /// Whether the token is for `name`. RFC 7519 §4.1.3, §2: compared as they stand.
    pub(super) fn names(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|one| one == name),
            Self::Bad => false,
        }
    }
}

impl<'de> Members<'de> for Claims<'de> {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, fault: &Fault) -> Result<Option<u32>, A::Error> {
        let Some(claim) = reserved(name) else { return Ok(None) };
        // A number such as 1e400 is JSON, but no reader can hold it: the claim is bad, not the text.
        fault.means(Rejection::BadClaim(claim));
        if claim == Claim::Aud {
            self.audience = Some(map.next_value_seed(ReadAudience)?);
        } else if let Some(place) = self.values.get_mut(claim as usize) {
            *place = Some(map.next_value_seed(ReadScalar(fault))?);
        }
        fault.clear();
        Ok(Some(bit(claim)))
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

    // Any other type is the visitor's own error, which stands for `BadClaim(aud)` here.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = seq.next_element_seed(Name)? {
            many.push(one);
        }
        Ok(if many.is_empty() { Audience::Bad } else { Audience::Many(many) })
    }
}
