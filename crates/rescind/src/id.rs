//! The names that a revocation can name: `jti`, `sid`, `sub`, `client_id` and `kid`, each a type of its own
//! so that they cannot be swapped. Owns their bounds; knows nothing of tokens or stores.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::random::{Random, RandomFailed};
use crate::time::Timestamp;

/// A text that is not the name it was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is no UUID in its canonical, hyphenated, lower-case form.
    #[error("is not a UUID in its canonical lower-case form, such as 0198c0de-0000-7000-8000-000000000000")]
    NotUuid,
    /// The text is empty.
    #[error("is empty; a name has at least one character")]
    Empty,
    /// The text is longer than a name may be.
    #[error("is longer than 255 bytes")]
    TooLong,
    /// The text contains a control character.
    #[error("contains a control character")]
    Control,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// **Shape:** UUIDv7 (RFC 9562 §5.7): 48 bits of unix milliseconds, 74 random bits; hyphenated lower case as text.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new one from the time and 80 random bits, of which 74 are kept.
            ///
            /// # Errors
            /// Fails where the source of randomness fails.
            pub fn generate(at: Timestamp, random: &dyn Random) -> Result<Self, RandomFailed> {
                let mut bytes = [0; 10];
                random.fill(&mut bytes)?;
                Ok(Self(uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &bytes).into_uuid()))
            }

            /// Reads the 16 bytes, most significant first.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes, most significant first.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the canonical text only: one id has one spelling.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let uuid = Uuid::try_parse(text).map_err(|_| InvalidId::NotUuid)?;
                let mut canonical = Uuid::encode_buffer();
                if uuid.hyphenated().encode_lower(&mut canonical) == text {
                    Ok(Self(uuid))
                } else {
                    Err(InvalidId::NotUuid)
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

uuid_id! {
    /// Names one access token (`jti`, RFC 7519 §4.1.7).
    Jti
}
uuid_id! {
    /// Names one session (`sid`): a sign-in on one device, from which all its tokens come.
    SessionId
}

impl SessionId {
    /// When it was made, as it says itself; the epoch where it is no UUIDv7.
    pub(crate) fn made_at(self) -> Timestamp {
        let id = u128::from_be_bytes(*self.as_bytes());
        // RFC 9562 §5.7: 48 bits of milliseconds, then 4 bits of version.
        if (id >> 76) & 0xf != 7 {
            return Timestamp::EPOCH;
        }
        Timestamp::from_millis(u64::try_from(id >> 80).unwrap_or_default())
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// **Shape:** 1 to 255 bytes of UTF-8 without control characters. Clones share the text.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a name.
            ///
            /// # Errors
            /// [`InvalidId`] where the text is empty, too long or contains a control character.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                checked_text(text.as_ref()).map(|text| Self(Arc::from(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// Names the user that a token speaks for (`sub`, RFC 7519 §4.1.2).
    Subject
}
text_id! {
    /// Names the application that a token was issued to (`client_id`, RFC 8693 §4.3).
    ClientId
}
text_id! {
    /// Names a signing key (`kid`, RFC 7515 §4.1.4). Hostile until found in a fixed map: never part of a path or a query.
    KeyId
}

fn checked_text(text: &str) -> Result<&str, InvalidId> {
    if text.is_empty() {
        Err(InvalidId::Empty)
    } else if text.len() > 255 {
        Err(InvalidId::TooLong)
    } else if text.chars().any(char::is_control) {
        Err(InvalidId::Control)
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uuid_has_one_spelling() {
        let sid = "0198c0de-0000-7000-8000-00000000abcd";
        assert_eq!(sid.parse::<SessionId>().unwrap().to_string(), sid);
        for other in [sid.to_uppercase(), sid.replace('-', ""), format!("{{{sid}}}"), format!("urn:uuid:{sid}")] {
            assert_eq!(other.parse::<SessionId>(), Err(InvalidId::NotUuid), "{other}");
        }
    }

    #[test]
    fn a_name_is_bounded_and_printable() {
        assert_eq!(Subject::new(""), Err(InvalidId::Empty));
        assert_eq!(Subject::new("a\nb"), Err(InvalidId::Control));
        assert_eq!(Subject::new("x".repeat(256)), Err(InvalidId::TooLong));
        assert!(Subject::new("x".repeat(255)).is_ok());
    }
}
