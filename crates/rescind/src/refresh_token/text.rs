//! A refresh token's text. Owns its bytes and its MAC, which is checked in constant time before any store is asked;
//! knows nothing of what the token is worth.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::SessionId;
use crate::position::Generation;
use crate::rejection::Rejection;

const PREFIX: &str = "rrt_";
const VERSION: u8 = 1;
const SIGNED: usize = 1 + 4 + 16 + 8;
const MAC: usize = 16;
/// 45 bytes are exactly 60 characters: no text has stray bits at its end.
const ENCODED: usize = (SIGNED + MAC) / 3 * 4;
/// So that the MAC of a refresh token is no MAC of anything else made with a key from the same root.
const CONTEXT: &[u8] = b"rescind refresh token v1";

/// Mints and reads refresh tokens of one issuer.
///
/// **Shape:** `rrt_` and base64url of 45 bytes: version (1), key id (4), sid (16), generation (8), all most
/// significant byte first, and the first 16 bytes of HMAC-SHA256(key, context ‖ issuer ‖ those 29 bytes). Each
/// part of the context has its length before it.
pub struct RefreshTokens {
    key_id: u32,
    key: hmac::Key,
    issuer: Box<str>,
}

/// What an authentic refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshClaims {
    /// The session.
    pub session: SessionId,
    /// Which of its tokens this is.
    pub generation: Generation,
}

/// Whether a presented text claims to be a refresh token. Cheap; proves nothing.
pub fn looks_like_refresh_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl RefreshTokens {
    /// Takes the MAC key with its id, and the issuer that the tokens are bound to.
    pub fn new(key_id: u32, key: hmac::Key, issuer: &str) -> Self {
        Self { key_id, key, issuer: Box::from(issuer) }
    }

    /// The token of a session's generation: always the same text for the same two.
    pub fn mint(&self, session: SessionId, generation: Generation) -> String {
        let mut bytes = [0; SIGNED + MAC];
        let signed = std::iter::once(VERSION)
            .chain(self.key_id.to_be_bytes())
            .chain(*session.as_bytes())
            .chain(generation.get().to_be_bytes());
        bytes.iter_mut().zip(signed).for_each(|(to, from)| *to = from);
        let (signed, mac) = bytes.split_at_mut(SIGNED);
        mac.copy_from_slice(self.mac(signed).as_ref().get(..MAC).unwrap_or(&[0; MAC]));
        let mut text = String::with_capacity(PREFIX.len() + ENCODED);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// Reads a token and checks its MAC in constant time.
    ///
    /// # Errors
    /// [`Rejection::NotRefreshToken`] where the text has not the shape, [`Rejection::BadMac`] where nobody with our key made it.
    pub fn read(&self, text: &str) -> Result<RefreshClaims, Rejection> {
        let encoded = text.strip_prefix(PREFIX).ok_or(Rejection::NotRefreshToken)?;
        let mut bytes = [0; SIGNED + MAC];
        if encoded.len() != ENCODED || URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes) != Ok(SIGNED + MAC) {
            return Err(Rejection::NotRefreshToken);
        }
        let (signed, mac) = bytes.split_at(SIGNED);
        let (version, rest) = take::<1>(signed);
        let (key_id, rest) = take::<4>(rest);
        let (session, rest) = take::<16>(rest);
        let (generation, _) = take::<8>(rest);
        if version != [VERSION] {
            return Err(Rejection::NotRefreshToken);
        }
        if u32::from_be_bytes(key_id) != self.key_id {
            return Err(Rejection::BadMac);
        }
        let expected = self.mac(signed);
        let expected = expected.as_ref().get(..MAC).ok_or(Rejection::BadMac)?;
        verify_slices_are_equal(expected, mac).map_err(|_| Rejection::BadMac)?;
        Ok(RefreshClaims {
            session: SessionId::from_bytes(session),
            generation: Generation::new(u64::from_be_bytes(generation)),
        })
    }

    fn mac(&self, signed: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [CONTEXT, self.issuer.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.update(signed);
        context.sign()
    }
}

/// The first `N` bytes and the rest; zeros stand for what is missing, which the caller's fixed sizes rule out.
fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes.split_first_chunk::<N>().map_or(([0; N], bytes), |(first, rest)| (*first, rest))
}

impl std::fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshTokens").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &[u8], issuer: &str) -> RefreshTokens {
        RefreshTokens::new(7, hmac::Key::new(hmac::HMAC_SHA256, secret), issuer)
    }

    fn sid() -> SessionId {
        "0198c0de-0000-7000-8000-00000000abcd".parse().unwrap()
    }

    #[test]
    fn a_minted_token_reads_back_and_is_always_the_same_text() {
        let tokens = tokens(&[1; 32], "https://a");
        let text = tokens.mint(sid(), Generation::new(3));
        assert_eq!(text, tokens.mint(sid(), Generation::new(3)));
        assert_eq!(text.len(), 64);
        let expected = RefreshClaims { session: sid(), generation: Generation::new(3) };
        assert_eq!(tokens.read(&text), Ok(expected));
    }

    // holds: 8, 14, R36 (compared in constant time, before any row is read)
    #[test]
    fn every_other_text_is_refused() {
        let tokens = tokens(&[1; 32], "https://a");
        let text = tokens.mint(sid(), Generation::FIRST);
        for at in 0..text.len() {
            for other in [b'A', b'B', b'_', b'=', b' ', b'.'] {
                let mut bytes = text.clone().into_bytes();
                if bytes[at] != other {
                    bytes[at] = other;
                    assert!(tokens.read(&String::from_utf8(bytes).unwrap()).is_err(), "byte {at} as {other}");
                }
            }
        }
        for other in
            ["", "rrt_", "rrt", &format!("{text}A"), &format!("{text}="), &format!(" {text}"), &text.to_uppercase()]
        {
            assert_eq!(tokens.read(other), Err(Rejection::NotRefreshToken), "{other:?}");
        }
    }

    // holds: 14
    #[test]
    fn a_token_of_another_secret_or_issuer_or_key_is_not_authentic() {
        let text = tokens(&[1; 32], "https://a").mint(sid(), Generation::FIRST);
        assert_eq!(tokens(&[2; 32], "https://a").read(&text), Err(Rejection::BadMac));
        assert_eq!(tokens(&[1; 32], "https://b").read(&text), Err(Rejection::BadMac));
        let other_key = RefreshTokens::new(8, hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]), "https://a");
        assert_eq!(other_key.read(&text), Err(Rejection::BadMac));
    }
}
