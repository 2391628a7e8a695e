//! Refresh tokens: any text, and the bytes behind one. What passes is the text that is minted for what it says.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use rescind::Rejection;
use rescind::refresh_token::RefreshTokens;

use crate::ground::{ISSUER, base64url};

/// Any text, and any bytes in a refresh token's clothes. The first choice gives them a good MAC.
pub(super) fn refresh_token(bytes: &[u8]) {
    static TOKENS: OnceLock<RefreshTokens> = OnceLock::new();
    let tokens = TOKENS.get_or_init(|| RefreshTokens::new(1, hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), ISSUER));
    if let Some(text) = crate::dice::text(bytes) {
        judge(tokens, text);
        judge(tokens, &format!("rrt_{text}"));
    }
    judge(tokens, &format!("rrt_{}", base64url(bytes)));
    let Some((sid, rest)) = bytes.split_first_chunk::<16>() else { return };
    let generation = rest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let (session, generation) =
        (rescind::id::SessionId::from_bytes(*sid), rescind::position::Generation::new(generation));
    let minted = tokens.mint(session, generation);
    let read = tokens.read(&minted).unwrap();
    assert_eq!((read.session, read.generation), (session, generation));
}

fn judge(tokens: &RefreshTokens, text: &str) {
    match tokens.read(text) {
        Ok(claims) => assert_eq!(tokens.mint(claims.session, claims.generation), text, "one token has one text"),
        Err(rejection) => assert!(matches!(rejection, Rejection::NotRefreshToken | Rejection::BadMac)),
    }
}
