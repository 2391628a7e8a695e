//! The public keys of an OpenID provider. Owns what differs from a foreign issuer of access tokens: keys without `kid`
//! are taken, and what cannot be used is passed over (RFC 7517 §5), so that one odd key does not end every sign-in.

use std::collections::BTreeSet;

use super::jwk::RawSet;
use super::{Algorithm, JwkSetError, VerifyingKey};
use crate::id::KeyId;

/// The name of a key that has none; never looked up.
const UNNAMED: &str = "unnamed";

/// A provider's public keys, each bound to one algorithm.
#[derive(Debug)]
pub struct ProviderKeys(Vec<ProviderKey>);

#[derive(Debug)]
struct ProviderKey {
    /// `None` where the set names none: it verifies only tokens that name none either.
    kid: Option<KeyId>,
    key: VerifyingKey,
}

impl ProviderKeys {
    /// Reads a JWK Set, keeping the keys that one of `allowed` can use. HS256 is never allowed. An RSA key without
    /// `alg` is bound to RS256 where that is allowed (OpenID Connect Core §15.1: the default), else to PS256.
    ///
    /// # Errors
    /// [`JwkSetError::Shape`], [`JwkSetError::Secret`], [`JwkSetError::DuplicateKid`], [`JwkSetError::Empty`].
    pub fn parse(text: &str, allowed: &[Algorithm]) -> Result<Self, JwkSetError> {
        const PREFERENCE: [Algorithm; 4] = [Algorithm::EdDSA, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];
        let set = RawSet::read(text)?;
        let (mut keys, mut kids) = (Vec::new(), BTreeSet::new());
        for (index, jwk) in set.keys.iter().enumerate() {
            if jwk.has_secret_part() {
                return Err(JwkSetError::Secret(index));
            }
            let usable = |algorithm: &Algorithm| allowed.contains(algorithm) && jwk.serves(*algorithm);
            let Some(algorithm) = PREFERENCE.into_iter().find(usable) else { continue };
            let Ok(id) = KeyId::new(jwk.kid.as_deref().unwrap_or(UNNAMED)) else { continue };
            let Ok(key) = jwk.key(id.clone(), algorithm) else { continue };
            if jwk.kid.is_some() && !kids.insert(id.clone()) {
                return Err(JwkSetError::DuplicateKid(index));
            }
            keys.push(ProviderKey { kid: jwk.kid.is_some().then_some(id), key });
        }
        if keys.is_empty() { Err(JwkSetError::Empty) } else { Ok(Self(keys)) }
    }

    /// The key of this `kid`.
    pub(crate) fn named(&self, kid: &str) -> Option<&VerifyingKey> {
        let named = |key: &&ProviderKey| key.kid.as_ref().is_some_and(|id| id.as_str() == kid);
        self.0.iter().find(named).map(|key| &key.key)
    }

    /// The one key of this algorithm, for a token that names none; `None` where there are several, or no such key.
    pub(crate) fn only(&self, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let mut fitting = self.0.iter().map(|key| &key.key).filter(|key| key.algorithm() == algorithm);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"";

    fn parse(keys: &str) -> Result<ProviderKeys, JwkSetError> {
        ProviderKeys::parse(&format!("{{\"keys\":[{keys}]}}"), &Algorithm::EVERY)
    }

    #[test]
    fn a_key_without_name_is_found_only_where_it_is_the_only_one() {
        let one = parse(&format!("{{{X}}}")).unwrap();
        assert!(one.only(Algorithm::EdDSA).is_some() && one.only(Algorithm::Es256).is_none());
        assert!(one.named(UNNAMED).is_none(), "a token cannot name what has no name");
        let two = parse(&format!("{{{X}}},{{{X},\"kid\":\"a\"}}")).unwrap();
        assert!(two.only(Algorithm::EdDSA).is_none() && two.named("a").is_some());
    }

    #[test]
    fn what_cannot_be_used_is_passed_over_and_what_cannot_be_trusted_refuses_the_set() {
        let odd =
            "{\"kty\":\"EC\",\"crv\":\"P-521\"},{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},{\"kty\":\"new\"}";
        assert!(parse(&format!("{odd},{{{X},\"kid\":\"a\"}}")).unwrap().named("a").is_some());
        assert_eq!(parse(odd).err(), Some(JwkSetError::Empty));
        let enc = format!("{{{X},\"kid\":\"a\",\"use\":\"enc\"}},{{{X},\"kid\":\"a\",\"use\":\"sig\"}}");
        assert!(parse(&enc).is_ok(), "a name may be used once for each purpose");
        assert_eq!(
            parse(&format!("{{{X},\"kid\":\"a\"}},{{{X},\"kid\":\"a\"}}")).err(),
            Some(JwkSetError::DuplicateKid(1))
        );
        assert_eq!(parse(&format!("{{{X},\"d\":\"AA\"}}")).err(), Some(JwkSetError::Secret(0)));
        assert_eq!(parse("{\"kty\":\"oct\",\"k\":\"AA\"}").err(), Some(JwkSetError::Secret(0)));
    }
}
