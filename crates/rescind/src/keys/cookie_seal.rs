//! Sealed cookies: what a browser keeps for us and can neither read nor change. Owns the shape of the text; knows not
//! what it holds. Cookies are sealed as often as strangers ask, so the cipher has no bound of random nonces to keep.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{DerivedKey, KeyError};
use crate::random::Random;

/// The first byte of every sealed cookie.
const VERSION: u8 = 1;

/// Seals and opens the cookies of one purpose.
///
/// **Shape** of the text: base64url of 1, 12 bytes of random nonce, ciphertext, 16 bytes of tag (AES-256-GCM-SIV, RFC
/// 8452: a repeated nonce shows no more than that two texts were equal).
#[derive(Clone)]
pub struct CookieSeal(DerivedKey);

impl CookieSeal {
    pub(super) const fn new(key: DerivedKey) -> Self {
        Self(key)
    }

    /// Seals `plain` under `name`, which has to be the same when it is opened; the cookie's own name is meant.
    ///
    /// # Errors
    /// [`KeyError::Random`], [`KeyError::Crypto`].
    pub fn seal(&self, name: &str, plain: &[u8], random: &dyn Random) -> Result<String, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut text = plain.to_vec();
        let tag = self
            .cipher()
            .and_then(|key| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                key.seal_in_place_separate_tag(nonce, Aad::from(name.as_bytes()), &mut text).ok()
            })
            .ok_or(KeyError::Crypto)?;
        Ok(URL_SAFE_NO_PAD.encode([&[VERSION][..], &nonce, &text, tag.as_ref()].concat()))
    }

    /// Opens a text; `None` where secret, purpose, name or text are not those of [`seal`](Self::seal).
    pub fn open(&self, name: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = sealed.strip_prefix(&[VERSION])?.split_at_checked(NONCE_LEN)?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self.cipher()?.open_in_place(nonce, Aad::from(name.as_bytes()), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM_SIV, self.0.as_bytes()).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for CookieSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSeal(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use crate::keys::RootSecret;
    use crate::random::SystemRandom;

    #[test]
    fn only_the_same_secret_purpose_name_and_text_open() {
        let root = RootSecret::from_bytes([1; 32]);
        let seal = root.cookie_seal("sign-in");
        let sealed = seal.seal("a", b"plain", &SystemRandom).unwrap();
        assert_eq!(seal.open("a", &sealed).unwrap().as_slice(), b"plain");
        assert!(seal.open("b", &sealed).is_none());
        assert!(root.cookie_seal("session").open("a", &sealed).is_none());
        assert!(RootSecret::from_bytes([2; 32]).cookie_seal("sign-in").open("a", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            assert!(seal.open("a", std::str::from_utf8(&bent).unwrap()).is_none(), "character {at}");
            assert!(seal.open("a", &sealed[..at]).is_none(), "cut at {at}");
        }
    }
}
