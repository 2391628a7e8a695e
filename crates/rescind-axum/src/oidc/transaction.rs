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

use crate::cookies;

/// How long somebody may take at the provider.
pub(super) const LIFE: Duration = Duration::from_mins(10);
/// So many characters of the state are in the name: sign-ins in several tabs do not disturb each other.
const NAMED: usize = 8;
/// The length of a state: 32 bytes in base64url.
const STATE_LENGTH: usize = 43;
/// More sign-ins of one browser at once are none that anybody would finish.
const AT_ONCE: usize = 8;
/// What the seal is for.
pub(super) const PURPOSE: &str = "provider sign-in";

/// How a browser carries its sign-in, by where it is sent back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Over https. `__Host-`: no other host can set the cookie, and no plain connection.
    Secure,
    /// Over plain http to this machine itself, where the application asks for it. Safari, and every client that is no browser, sends a
    /// `Secure` cookie over no plain connection, so that nobody would ever come back; and without `Secure` no browser
    /// takes a name with `__Host-`. Not taken where a browser comes back over https: another host could have set it.
    Loopback,
}

impl Carrier {
    const ALL: [Self; 2] = [Self::Secure, Self::Loopback];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Secure => "__Host-rescind-signin-",
            Self::Loopback => "rescind-signin-",
        }
    }

    const fn attributes(self) -> &'static str {
        match self {
            Self::Secure => "Path=/; Secure; HttpOnly; SameSite=Lax",
            Self::Loopback => "Path=/; HttpOnly; SameSite=Lax",
        }
    }

    /// The name of the cookie of this state; `None` where it is no state of ours.
    fn name(self, state: &str) -> Option<String> {
        let ours = state.len() == STATE_LENGTH
            && state.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        Some(format!("{}{}", self.prefix(), state.get(..NAMED).filter(|_| ours)?))
    }

    /// Takes the cookie of this name away.
    fn clearing(self, name: &str) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{name}=; Max-Age=0; {}", self.attributes())).ok()
    }
}

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
    pub(super) fn cookie(&self, carrier: Carrier, seal: &CookieSeal, random: &dyn Random) -> Result<String, KeyError> {
        let name = carrier.name(&self.state).unwrap_or_default();
        let plain = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        let sealed = seal.seal(&name, &plain, random)?;
        Ok(format!("{name}={sealed}; Max-Age={}; {}", LIFE.as_secs(), carrier.attributes()))
    }

    /// The sign-in of this state, as this browser began it; `None` where it began none, or its cookie was tampered with.
    pub(super) fn of(state: &str, carrier: Carrier, headers: &HeaderMap, seal: &CookieSeal) -> Option<Self> {
        let name = carrier.name(state)?;
        // Two of one name: one of them is somebody else's.
        let sealed = cookies::cookie(headers, &name).ok()??;
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
pub(super) fn clearing(state: &str, carrier: Carrier) -> Option<HeaderValue> {
    carrier.clearing(&carrier.name(state)?)
}

/// Takes the cookies of sign-ins away of which there are more than one browser finishes.
pub(super) fn clearing_surplus(headers: &HeaderMap) -> Vec<HeaderValue> {
    let lines = headers.get_all(COOKIE).into_iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let names =
        lines.filter_map(|pair| std::str::from_utf8(pair.split(|byte| *byte == b'=').next()?.trim_ascii()).ok());
    let ours = |name| Some((Carrier::ALL.into_iter().find(|it| str::starts_with(name, it.prefix()))?, name));
    let found: Vec<(Carrier, &str)> = names.filter_map(ours).collect();
    let surplus = (found.len() + 1).saturating_sub(AT_ONCE);
    found.into_iter().take(surplus).filter_map(|(carrier, name)| carrier.clearing(name)).collect()
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
        let cookie = began.cookie(Carrier::Secure, &seal(), &SystemRandom).unwrap();
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
        assert_eq!(Transaction::of(&one.state, Carrier::Secure, &both, &seal()).unwrap().nonce, one.nonce);
        assert_eq!(Transaction::of(&two.state, Carrier::Secure, &both, &seal()).unwrap().nonce, two.nonce);
    }

    #[test]
    fn no_other_browser_and_no_other_state_finds_it() {
        let ((one, first), (two, second)) = (begun(), begun());
        assert!(Transaction::of(&one.state, Carrier::Secure, &sent(&[]), &seal()).is_none());
        assert!(Transaction::of(&one.state, Carrier::Secure, &sent(&[&second]), &seal()).is_none());
        // The cookie of one sign-in under the name of another.
        let (name, _) = second.split_once('=').unwrap();
        let (_, sealed) = first.split_once('=').unwrap();
        assert!(Transaction::of(&two.state, Carrier::Secure, &sent(&[&format!("{name}={sealed}")]), &seal()).is_none());
        assert!(
            Transaction::of(&one.state, Carrier::Secure, &sent(&[&first, &first]), &seal()).is_none(),
            "two of one name"
        );
        let mut near = one.state.clone();
        near.replace_range(42.., if one.state.ends_with('A') { "E" } else { "A" });
        assert!(
            Transaction::of(&near, Carrier::Secure, &sent(&[&first]), &seal()).is_none(),
            "the name fits, the state does not"
        );
        for no_state in ["", "x", &"x".repeat(44), &format!("{};", &one.state[..42])] {
            assert!(Transaction::of(no_state, Carrier::Secure, &sent(&[&first]), &seal()).is_none(), "{no_state}");
        }
    }

    #[test]
    fn a_sign_in_is_found_beside_whatever_other_cookies_hold() {
        let (began, pair) = begun();
        let line = [b"theirs=\xe9\xff; " as &[u8], pair.as_bytes(), b"; other"].concat();
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(&line).unwrap())]);
        assert!(Transaction::of(&began.state, Carrier::Secure, &headers, &seal()).is_some());
        let many: Vec<String> = (0..8).map(|_| begun().1).collect();
        let line = [b"theirs=\xe9; " as &[u8], many.join("; ").as_bytes()].concat();
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(&line).unwrap())]);
        assert_eq!(clearing_surplus(&headers).len(), 1);
    }

    #[test]
    fn only_where_a_browser_comes_back_over_plain_http_its_cookie_is_not_secure_and_each_is_taken_in_its_own_place() {
        let (began, secure) = begun();
        let plain = began.cookie(Carrier::Loopback, &seal(), &SystemRandom).unwrap();
        assert!(
            plain.starts_with("rescind-signin-") && plain.ends_with("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax")
        );
        let plain = plain.split(';').next().unwrap();
        let found =
            |cookies: &[&str], carrier| Transaction::of(&began.state, carrier, &sent(cookies), &seal()).is_some();
        assert!(found(&[&secure], Carrier::Secure) && found(&[plain], Carrier::Loopback));
        assert!(!found(&[plain], Carrier::Secure) && !found(&[&secure], Carrier::Loopback));
        // What one place sealed does not open under the other's name.
        assert!(!found(&[&format!("__Host-{plain}")], Carrier::Secure));
        assert!(!found(&[secure.trim_start_matches("__Host-")], Carrier::Loopback));
        let cleared = clearing(&began.state, Carrier::Loopback).unwrap();
        let name = plain.split('=').next().unwrap();
        assert_eq!(cleared, format!("{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"));
        let many: Vec<&str> = std::iter::repeat_n(plain, 8).collect();
        assert_eq!(clearing_surplus(&sent(&[&many.join("; ")])), [cleared]);
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
