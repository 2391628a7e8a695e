//! Sealing: a secret encrypted under a key derived from the root secret, bound to a context, so that it can lie in
//! the store. Owns the shape of sealed bytes; knows not what they hold.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{DerivedKey, KeyError};
use crate::random::Random;

/// The first byte of every sealed text.
const VERSION: u8 = 1;

/// Encrypts `plain` so that it opens under the same key and context only.
///
/// **Shape:** 1, 12 bytes of random nonce, ciphertext, 16 bytes of tag (AES-256-GCM). With random nonces one key may
/// seal 2^32 times; a ring seals some dozen times a year.
pub(super) fn seal(key: &DerivedKey, context: &[u8], plain: &[u8], random: &dyn Random) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce)?;
    let mut text = plain.to_vec();
    let tag = cipher(key)
        .and_then(|key| {
            key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut text).ok()
        })
        .ok_or(KeyError::Crypto)?;
    Ok([&[VERSION][..], &nonce, &text, tag.as_ref()].concat())
}

/// Decrypts; `None` where key, context or bytes are not those of [`seal`].
pub(super) fn open(key: &DerivedKey, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = sealed.strip_prefix(&[VERSION])?.split_at_checked(NONCE_LEN)?;
    let mut text = Zeroizing::new(text.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = cipher(key)?.open_in_place(nonce, Aad::from(context), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn cipher(key: &DerivedKey) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_bytes()).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RootSecret;
    use crate::random::SystemRandom;

    #[test]
    fn only_the_same_key_context_and_bytes_open() {
        let key = RootSecret::from_bytes([1; 32]).sealing_key();
        let other = RootSecret::from_bytes([2; 32]).sealing_key();
        let sealed = seal(&key, b"here", b"secret", &SystemRandom).unwrap();
        assert_eq!(open(&key, b"here", &sealed).unwrap().as_slice(), b"secret");
        assert!(open(&key, b"there", &sealed).is_none());
        assert!(open(&other, b"here", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(open(&key, b"here", &bent).is_none(), "byte {at}");
            assert!(open(&key, b"here", &sealed[..at]).is_none(), "cut at {at}");
        }
    }
}
