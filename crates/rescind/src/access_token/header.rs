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

/// The `typ` rule of every kind of token that is verified here. Which kinds exclude each other is read off from
/// [`passes`] (RFC 8725 §3.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypRule {
    /// `at+jwt` only.
    Access,
    /// `at+jwt`, `JWT` or none.
    AnyAccess,
    /// `JWT` or none.
    Id,
    /// `logout+jwt`, `JWT` or none.
    Logout,
}

impl From<TypPolicy> for TypRule {
    fn from(policy: TypPolicy) -> Self {
        match policy {
            TypPolicy::AccessToken => Self::Access,
            TypPolicy::AnyJwt => Self::AnyAccess,
        }
    }
}

/// What verification needs of a header.
pub(crate) struct Header<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<Cow<'a, str>>,
}

/// Reads a header. A wrong `typ` is [`Rejection::NotAccessToken`], whatever kind was expected.
pub(crate) fn read_header(json: &str, rule: TypRule) -> Result<Header<'_>, Rejection> {
    let mut read = Read::default();
    read_object(json, &mut read)?;
    if read.forbidden {
        return Err(Rejection::ForbiddenHeader);
    }
    let typ_passes = match read.typ {
        None => rule != TypRule::Access,
        Some(typ) => passes(&typ, rule),
    };
    if !typ_passes {
        return Err(Rejection::NotAccessToken);
    }
    let algorithm = read.alg.and_then(|alg| Algorithm::from_name(&alg)).ok_or(Rejection::WrongAlgorithm)?;
    Ok(Header { algorithm, kid: read.kid })
}

/// RFC 7515 §4.1.9: a `typ` without "/" stands for `application/…`; media types compare case-insensitively.
fn passes(typ: &str, rule: TypRule) -> bool {
    let subtype = match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    };
    let named: &[&str] = match rule {
        TypRule::Access => &["at+jwt"],
        TypRule::AnyAccess => &["at+jwt", "jwt"],
        TypRule::Id => &["jwt"],
        TypRule::Logout => &["logout+jwt", "jwt"],
    };
    named.iter().any(|name| subtype.eq_ignore_ascii_case(name))
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
        read_header(json, TypRule::Access).err()
    }

    // holds: 54
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
        assert!(read_header(r#"{"alg":"EdDSA","kid":"k","typ":"JWT"}"#, TypRule::AnyAccess).is_ok());
        assert!(read_header(r#"{"alg":"EdDSA","kid":"k"}"#, TypRule::AnyAccess).is_ok());
        assert!(read_header(r#"{"alg":"EdDSA","kid":"k","typ":"logout+jwt"}"#, TypRule::AnyAccess).is_err());
    }

    // holds: 100
    #[test]
    fn each_kind_has_its_own_typ_and_no_access_token_passes_as_another_kind() {
        let passes = |typ: &str, rule| read_header(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#), rule).is_ok();
        let rules = [TypRule::Access, TypRule::Id, TypRule::Logout];
        for (typ, expected) in [
            ("at+jwt", [true, false, false]),
            ("JWT", [false, true, true]),
            ("logout+jwt", [false, false, true]),
            ("secevent+jwt", [false, false, false]),
            ("statuslist+jwt", [false, false, false]),
            ("token-introspection+jwt", [false, false, false]),
        ] {
            assert_eq!(rules.map(|rule| passes(typ, rule)), expected, "{typ}");
        }
    }

    // holds: 48, 66
    #[test]
    fn keys_links_and_extensions_in_the_header_are_refused() {
        for member in ["crit", "jwk", "jku", "x5u", "x5c"] {
            let header = format!(r#"{{"alg":"EdDSA","kid":"k","typ":"at+jwt","{member}":["x"]}}"#);
            assert_eq!(rejection(&header), Some(Rejection::ForbiddenHeader), "{member}");
        }
        assert_eq!(rejection(r#"{"alg":"EdDSA","kid":"k","typ":"at+jwt","x5t":"x","new":{}}"#), None);
    }
}
