//! The JOSE header (RFC 7515 §4): read strictly, written once per key. Owns which members are refused and which `typ`
//! passes; trusts no key that a header brings along.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::MapAccess;

use super::strict_json::{Fault, Members, Name, Skip, read_object};
use crate::id::KeyId;
use crate::keys::Algorithm;
use crate::rejection::Rejection;

/// Which `typ` a token may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypPolicy {
    /// `at+jwt` only (RFC 9068 §4): another kind of JWT by the same issuer cannot pass as access token.
    AccessToken,
    /// Also `JWT` or none, for issuers before RFC 9068. Their ID tokens pass as well: set an audience of its own.
    AnyJwt,
}

/// What verification needs of a header.
pub(super) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Cow<'a, str>,
}

/// Reads a header.
pub(super) fn read_header(json: &str, policy: TypPolicy) -> Result<Header<'_>, Rejection> {
    let mut read = Read::default();
    read_object(json, &mut read)?;
    if read.forbidden {
        return Err(Rejection::ForbiddenHeader);
    }
    let typ_passes = match read.typ {
        None => policy == TypPolicy::AnyJwt,
        Some(typ) => passes(&typ, policy),
    };
    if !typ_passes {
        return Err(Rejection::NotAccessToken);
    }
    let algorithm = read.alg.and_then(|alg| Algorithm::from_name(&alg)).ok_or(Rejection::WrongAlgorithm)?;
    Ok(Header { algorithm, kid: read.kid.ok_or(Rejection::UnknownKey)? })
}

/// RFC 7515 §4.1.9: a `typ` without "/" stands for `application/…`; media types compare case-insensitively.
fn passes(typ: &str, policy: TypPolicy) -> bool {
    let subtype = match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    };
    subtype.eq_ignore_ascii_case("at+jwt") || (policy == TypPolicy::AnyJwt && subtype.eq_ignore_ascii_case("jwt"))
}

#[derive(Default)]
struct Read<'de> {
    alg: Option<Cow<'de, str>>,
    kid: Option<Cow<'de, str>>,
    typ: Option<Cow<'de, str>>,
    forbidden: bool,
}

impl<'de> Members<'de> for Read<'de> {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, fault: &Fault) -> Result<Option<u32>, A::Error> {
        let (place, bit, unless_text) = match name {
            "alg" => (&mut self.alg, 1, Rejection::WrongAlgorithm),
            "kid" => (&mut self.kid, 2, Rejection::UnknownKey),
            "typ" => (&mut self.typ, 4, Rejection::NotAccessToken),
            // RFC 7515 §4.1.11: an extension that is not understood must be refused, and we understand none. Keys and
            // links to keys are the attacker's. `x5t` and `x5t#S256` are digests only and are passed over like any
            // other unknown member (RFC 7515 §4).
            "crit" | "jwk" | "jku" | "x5u" | "x5c" => {
                self.forbidden = true;
                map.next_value_seed(Skip(fault))?;
                let bit = match name {
                    "crit" => 8,
                    "jwk" => 16,
                    "jku" => 32,
                    "x5u" => 64,
                    _ => 128,
                };
                return Ok(Some(bit));
            }
            _ => return Ok(None),
        };
        fault.means(unless_text);
        *place = Some(map.next_value_seed(Name)?);
        fault.clear();
        Ok(Some(bit))
    }
}

/// The header that we issue under a key, in base64url. One key has one header.
pub(crate) fn header_segment(algorithm: Algorithm, kid: &KeyId) -> String {
    let kid = serde_json::Value::from(kid.as_str());
    URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":{kid}}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(json: &str) -> Option<Rejection> {
        read_header(json, TypPolicy::AccessToken).err()
    }

    #[test]
    fn typ_compares_as_a_media_type() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            assert_eq!(rejection(&format!(r#"{{"alg":"EdDSA","kid":"k","typ":"{typ}"}}"#)), None, "{typ}");
        }
        for typ in ["\"JWT\"", "\"\"", "\"logout+jwt\"", "\"at+jwt \"", "\"text/at+jwt\"", "1", "null", "[\"at+jwt\"]"]
        {
            let header = format!(r#"{{"alg":"EdDSA","kid":"k","typ":{typ}}}"#);
            assert_eq!(rejection(&header), Some(Rejection::NotAccessToken), "{typ}");
        }
        assert_eq!(rejection(r#"{"alg":"EdDSA","kid":"k"}"#), Some(Rejection::NotAccessToken));
        assert!(read_header(r#"{"alg":"EdDSA","kid":"k","typ":"JWT"}"#, TypPolicy::AnyJwt).is_ok());
        assert!(read_header(r#"{"alg":"EdDSA","kid":"k"}"#, TypPolicy::AnyJwt).is_ok());
        assert!(read_header(r#"{"alg":"EdDSA","kid":"k","typ":"logout+jwt"}"#, TypPolicy::AnyJwt).is_err());
    }

    #[test]
    fn keys_links_and_extensions_in_the_header_are_refused() {
        for member in ["crit", "jwk", "jku", "x5u", "x5c"] {
            let header = format!(r#"{{"alg":"EdDSA","kid":"k","typ":"at+jwt","{member}":["x"]}}"#);
            assert_eq!(rejection(&header), Some(Rejection::ForbiddenHeader), "{member}");
        }
        assert_eq!(rejection(r#"{"alg":"EdDSA","kid":"k","typ":"at+jwt","x5t":"x","new":{}}"#), None);
    }
}
