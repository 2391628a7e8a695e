//! Bodies of requests, read strictly: at most 64 KiB in a bounded time, the right content type, an object where there is
//! JSON, no member or parameter twice. RFC 6749 §3.2 for forms. Knows no route.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::Unreadable;
use crate::unique::Unique;

/// No body is longer. **Units:** bytes.
pub const BODY_LIMIT: usize = 64 * 1024;

/// What a body is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

/// A form's parameters, none of them twice; a parameter without a value counts as left out (RFC 6749 §3.1).
#[derive(Default)]
pub struct Form(BTreeMap<String, String>);

/// Reads a whole body. One that is said to be too long is refused from the request's head, so that no client that asks
/// first (RFC 9110 §10.1.1: `Expect: 100-continue`) is told to send it.
///
/// # Errors
/// [`Unreadable::TooLong`] above 64 KiB, [`Unreadable::TooSlow`] where it is not complete in time,
/// [`Unreadable::Invalid`] where it breaks off.
pub async fn read<B>(body: B, patience: Duration) -> Result<Bytes, Unreadable>
where
    B: Body,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(Unreadable::TooLong);
    }
    let collected = tokio::time::timeout(patience, Limited::new(body, BODY_LIMIT).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unreadable::TooLong),
        Ok(Err(_)) => Err(Unreadable::invalid("the body broke off or is not framed as HTTP asks")),
        Err(_) => Err(Unreadable::TooSlow),
    }
}

/// What the body is said to be; `None` where nothing is said.
///
/// # Errors
/// [`Unreadable::Invalid`] for any other type, and for a header that comes twice.
pub fn kind(headers: &HeaderMap) -> Result<Option<Kind>, Unreadable> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(CONTENT_TYPE) {
            Err(Unreadable::invalid("Content-Type came twice"))
        } else {
            Ok(None)
        };
    };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(Some(Kind::Json))
    } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(Some(Kind::Form))
    } else {
        Err(Unreadable::invalid("Content-Type must be application/json or application/x-www-form-urlencoded"))
    }
}

/// Reads a JSON object as `T` says it. An array is refused first: it would pass for a struct with its members' values.
///
/// # Errors
/// [`Unreadable::Invalid`] that names the member and the place.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    // RFC 8259 §2: blanks may stand in front.
    if bytes.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) != Some(&b'{') {
        return Err(Unreadable::invalid("the body is no JSON object"));
    }
    let read = serde_json::from_slice(bytes).map_err(|error| Unreadable::invalid(describe(&error)))?;
    // `T` tells of its own members; of those inside of them a map would keep the last.
    match serde_json::from_slice(bytes) {
        Ok(Unique) => Ok(read),
        Err(error) => Err(Unreadable::invalid(describe(&error))),
    }
}

/// A wrong value is not repeated: it may be a token or a password.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let wrong_type = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
    match wrong_type.and_then(|rest| rest.rsplit_once("expected ")) {
        Some((_, expected)) => format!("the JSON has a wrong type or value; expected {expected}"),
        None if error.is_data() => text,
        None => format!("not JSON: {text}"),
    }
}

impl fmt::Debug for Form {
    /// Without the values: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// [`Unreadable::Invalid`] for a repeated parameter (RFC 6749 §3.2) or a text that is no UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let wrong = || Unreadable::invalid("the form is not application/x-www-form-urlencoded in UTF-8");
        if !is_text_when_decoded(bytes) {
            return Err(wrong());
        }
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).map_err(|_| wrong())?;
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if parameters.contains_key(&name) {
                // The name alone; a value may be a secret.
                let name: String = name.chars().take(64).collect();
                return Err(Unreadable::invalid(format!("parameter {name} came twice")));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    /// A form from the members of a JSON object, all of which must be texts.
    ///
    /// # Errors
    /// [`Unreadable::Invalid`] for whatever is no object of texts, or has a member twice.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Unreadable> {
        json::<UniqueTexts>(bytes).map(|texts| Self(texts.0))
    }

    /// The parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The parameter's value.
    ///
    /// # Errors
    /// [`Unreadable::Invalid`] where it is missing.
    pub fn require(&self, name: &'static str) -> Result<&str, Unreadable> {
        self.get(name).ok_or_else(|| Unreadable::invalid(format!("parameter {name} is missing")))
    }
}

/// Whether a form or a query is UTF-8 behind its `%`. The reader of forms would put a replacement where it is not.
pub fn is_text_when_decoded(bytes: &[u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, after @ ..] => digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low, after)),
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((u32::from(*first), after));
        decoded.push(u8::try_from(byte).unwrap_or_default());
        rest = after;
    }
    std::str::from_utf8(&decoded).is_ok()
}

/// A JSON object of texts without a repeated member.
struct UniqueTexts(BTreeMap<String, String>);

impl<'de> serde::Deserialize<'de> for UniqueTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = UniqueTexts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueTexts, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member came twice"));
                    }
                }
                Ok(UniqueTexts(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::*;

    /// A body that is said to be this long, and of which nothing ever comes.
    struct Announced(u64);

    impl Body for Announced {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.0)
        }
    }

    #[tokio::test]
    async fn a_body_that_is_said_to_be_too_long_is_not_waited_for() {
        let patience = Duration::from_millis(1);
        assert_eq!(read(Announced(BODY_LIMIT as u64 + 1), patience).await, Err(Unreadable::TooLong));
        assert_eq!(read(Announced(BODY_LIMIT as u64), patience).await, Err(Unreadable::TooSlow));
    }

    #[test]
    fn what_is_no_object_is_refused_and_blanks_before_one_are_not() {
        type Members = BTreeMap<String, String>;
        assert!(json::<Members>(b" \r\n\t{\"a\":\"1\"}").is_ok());
        for other in [&b"[]"[..], b"null", b"\"{}\"", b"", b" ", b"1", b"\x0c{}"] {
            assert!(json::<Members>(other).is_err(), "{other:?}");
        }
    }

    // holds: 4
    #[test]
    fn a_repeated_parameter_is_refused() {
        assert!(Form::parse(b"a=1&b=2&a=1").is_err());
        assert!(Form::from_json(br#"{"a":"1","a":"1"}"#).is_err());
        assert_eq!(Form::parse(b"a=1&b=").unwrap().get("b"), None);
    }

    #[test]
    fn a_form_that_is_no_text_is_refused() {
        for bytes in [&b"a=%ff%fe"[..], b"%c3=1", b"a=%c3&b=%a4", b"a=\xff"] {
            assert!(Form::parse(bytes).is_err(), "{bytes:?}");
        }
        for (bytes, value) in
            [(&b"a=%C3%a4"[..], "\u{e4}"), (b"a=100%", "100%"), (b"a=%zz", "%zz"), (b"a=%EF%BF%BD", "\u{fffd}")]
        {
            assert_eq!(Form::parse(bytes).unwrap().get("a"), Some(value));
        }
    }

    #[test]
    fn a_wrong_value_is_not_repeated() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body {
            #[expect(dead_code, reason = "only read")]
            count: u32,
        }
        let error = serde_json::from_str::<Body>(r#"{"count":"hunter2"}"#).unwrap_err();
        assert!(!describe(&error).contains("hunter2"));
        let error = serde_json::from_str::<Body>(r#"{"cuont":1}"#).unwrap_err();
        assert!(describe(&error).contains("cuont"));
    }
}
