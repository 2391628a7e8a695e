//! One sign-in between its beginning and its callback: sealed in a cookie of the browser that began it. Owns the cookie's
//! name, attributes and life. A server keeps nothing of a sign-in before it comes back.

use std::time::Duration;

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use rescind::keys::{CookieSeal, KeyError};
use rescind::random::{Random, RandomFailed};
use rescind::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How long somebody may take at the provider.
pub(super) const LIFE: Duration = Duration::from_mins(10);
/// What the cookie's name begins with. `__Host-`: no other host can set it, and no plain connection.
const PREFIX: &str = "__Host-rescind-signin-";
/// So many characters of the state are in the name: sign-ins in several tabs do not disturb each other.
const NAMED: usize = 8;
/// The length of a state: 32 bytes in base64url.
const STATE_LENGTH: usize = 43;
/// More sign-ins of one browser at once are none that anybody would finish.
const AT_ONCE: usize = 8;
/// What the seal is for.
pub(super) const PURPOSE: &str = "provider sign-in";

/// What has to be the same when the browser comes back.
#[derive(Serialize, Deserialize)]
pub(super) struct Transaction {
    pub(super) provider: String,
    pub(super) issuer: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: Zeroizing<String>,
    pub(super) redirect_uri: String,
    pub(super) return_to: Option<String>,
    pub(super) begun: Timestamp,
}

impl Transaction {
    /// Begins: state, nonce and verifier have 256 random bits each.
    pub(super) fn begin(
        (provider, issuer): (&str, &str),
        redirect_uri: String,
        return_to: Option<&str>,
        begun: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, RandomFailed> {
        Ok(Self {
            provider: provider.to_owned(),
            issuer: issuer.to_owned(),
            state: word(random)?,
            nonce: word(random)?,
            verifier: Zeroizing::new(word(random)?),
            redirect_uri,
            return_to: return_to.map(str::to_owned),
            begun,
        })
    }

    /// RFC 7636 §4.2, S256: the only method.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()))
    }

    /// The cookie that keeps it.
    pub(super) fn cookie(&self, seal: &CookieSeal, random: &dyn Random) -> Result<String, KeyError> {
        let name = cookie_name(&self.state).unwrap_or_default();
        let plain = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        let sealed = seal.seal(&name, &plain, random)?;
        Ok(format!("{name}={sealed}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Lax", LIFE.as_secs()))
    }

    /// The sign-in of this state, as this browser began it; `None` where it began none, or its cookie was tampered with.
    pub(super) fn of(state: &str, headers: &HeaderMap, seal: &CookieSeal) -> Option<Self> {
        let name = cookie_name(state)?;
        let mut named = cookies(headers).filter(|(found, _)| *found == name);
        let (_, sealed) = named.next()?;
        // Two of one name: one of them is somebody else's.
        if named.next().is_some() {
            return None;
        }
        let transaction: Self = serde_json::from_slice(&seal.open(&name, sealed)?).ok()?;
        let same = constant_time::verify_slices_are_equal(transaction.state.as_bytes(), state.as_bytes()).is_ok();
        same.then_some(transaction)
    }

    /// When it is over.
    pub(super) fn ends(&self) -> Timestamp {
        self.begun.plus(LIFE)
    }
}

/// Takes the cookie of this state away.
pub(super) fn clearing(state: &str) -> Option<HeaderValue> {
    clearing_name(&cookie_name(state)?)
}

/// Takes the cookies of sign-ins away of which there are more than one browser finishes.
pub(super) fn clearing_surplus(headers: &HeaderMap) -> Vec<HeaderValue> {
    let names: Vec<&str> = cookies(headers).map(|(name, _)| name).filter(|name| name.starts_with(PREFIX)).collect();
    let surplus = (names.len() + 1).saturating_sub(AT_ONCE);
    names.into_iter().take(surplus).filter_map(clearing_name).collect()
}

fn clearing_name(name: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")).ok()
}

/// The name of the cookie of this state; `None` where it is no state of ours.
fn cookie_name(state: &str) -> Option<String> {
    let ours = state.len() == STATE_LENGTH
        && state.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    Some(format!("{PREFIX}{}", state.get(..NAMED).filter(|_| ours)?))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim_matches(' ').split_once('='))
}

fn word(random: &dyn Random) -> Result<String, RandomFailed> {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rescind::keys::RootSecret;
    use rescind::random::SystemRandom;

    fn seal() -> CookieSeal {
        RootSecret::from_bytes([1; 32]).cookie_seal(PURPOSE)
    }

    fn begun() -> (Transaction, String) {
        let names = ("a", "https://idp.example");
        let began =
            Transaction::begin(names, "https://app.example/cb".to_owned(), None, Timestamp::EPOCH, &SystemRandom)
                .unwrap();
        let cookie = began.cookie(&seal(), &SystemRandom).unwrap();
        let pair = cookie.split(';').next().unwrap().to_owned();
        (began, pair)
    }

    fn sent(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|cookie| (COOKIE, cookie.parse().unwrap())).collect()
    }

    #[test]
    fn several_sign_ins_of_one_browser_do_not_disturb_each_other() {
        let ((one, first), (two, second)) = (begun(), begun());
        let both = sent(&[&format!("x=1; {first}"), &second]);
        assert_eq!(Transaction::of(&one.state, &both, &seal()).unwrap().nonce, one.nonce);
        assert_eq!(Transaction::of(&two.state, &both, &seal()).unwrap().nonce, two.nonce);
    }

    #[test]
    fn no_other_browser_and_no_other_state_finds_it() {
        let ((one, first), (two, second)) = (begun(), begun());
        assert!(Transaction::of(&one.state, &sent(&[]), &seal()).is_none());
        assert!(Transaction::of(&one.state, &sent(&[&second]), &seal()).is_none());
        // The cookie of one sign-in under the name of another.
        let (name, _) = second.split_once('=').unwrap();
        let (_, sealed) = first.split_once('=').unwrap();
        assert!(Transaction::of(&two.state, &sent(&[&format!("{name}={sealed}")]), &seal()).is_none());
        assert!(Transaction::of(&one.state, &sent(&[&first, &first]), &seal()).is_none(), "two of one name");
        let mut near = one.state.clone();
        near.replace_range(42.., if one.state.ends_with('A') { "E" } else { "A" });
        assert!(Transaction::of(&near, &sent(&[&first]), &seal()).is_none(), "the name fits, the state does not");
        for no_state in ["", "x", &"x".repeat(44), &format!("{};", &one.state[..42])] {
            assert!(Transaction::of(no_state, &sent(&[&first]), &seal()).is_none(), "{no_state}");
        }
    }

    #[test]
    fn a_cookie_is_short_enough_and_too_many_are_cleared() {
        let (_, pair) = begun();
        assert!(pair.len() + 1400 < 4096, "with the longest path: {} bytes", pair.len());
        let many: Vec<String> = (0..20).map(|_| begun().1).collect();
        let headers = sent(&[&many.join("; ")]);
        assert_eq!(clearing_surplus(&headers).len(), 13, "seven stay beside the new one");
        assert_eq!(clearing_surplus(&sent(&[&pair])).len(), 0);
    }
}
