//! The session that a browser had when it went to a provider. Its own cookies are SameSite=Strict and do not come along
//! on the way back from there, so the refresh token is kept sealed in one that does. Owns that cookie; ends nothing.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use rescind::Rescind;
use rescind::keys::CookieSeal;
use rescind::random::SystemRandom;
use rescind_axum::cookies;
use tracing::warn;
use zeroize::Zeroizing;

const NAME: &str = "__Host-rescind_former";
/// As long as somebody may take at the provider. **Units:** seconds.
const LIFE: u32 = 600;

/// Keeps the refresh token that the browser has brought, where it has.
pub(super) fn keep(rescind: &Rescind, asked: &HeaderMap, answer: &mut HeaderMap) {
    let Ok(Some(former)) = cookies::cookie(asked, cookies::REFRESH) else { return };
    match seal(rescind).seal(NAME, former.as_bytes(), &SystemRandom) {
        Ok(sealed) => append(answer, &format!("{NAME}={sealed}"), LIFE),
        Err(error) => warn!(%error, "the browser's former session cannot be kept in mind; it will go on"),
    }
}

/// The refresh token of the session from before, where the browser had one.
pub(super) fn taken(rescind: &Rescind, asked: &HeaderMap) -> Option<Zeroizing<String>> {
    let sealed = cookies::cookie(asked, NAME).ok()??;
    let former = seal(rescind).open(NAME, sealed)?;
    std::str::from_utf8(&former).ok().map(|former| Zeroizing::new(former.to_owned()))
}

/// Takes the cookie away again.
pub(super) fn forget(answer: &mut HeaderMap) {
    append(answer, &format!("{NAME}="), 0);
}

fn seal(rescind: &Rescind) -> CookieSeal {
    rescind.root_secret().cookie_seal("former session")
}

fn append(answer: &mut HeaderMap, pair: &str, life: u32) {
    // Base64url and our own words, so this cannot fail.
    if let Ok(mut value) =
        HeaderValue::from_str(&format!("{pair}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={life}"))
    {
        value.set_sensitive(true);
        answer.append(SET_COOKIE, value);
    }
}
