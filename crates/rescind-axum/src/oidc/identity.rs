//! Who has signed in at a provider, in the provider's words, and the account that this is with us. Owns the account's
//! name: issuer and subject, never the e-mail, which may change hands.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::id::{InvalidId, Subject};
use rescind::time::Timestamp;
use serde_json::{Map, Value};

/// Longest e-mail address and name that are taken. RFC 5321 §4.5.3.1: 64 and 255, and the `@`. **Units:** bytes.
const SHOWN_MAX: usize = 320;

/// Somebody whom a provider vouches for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Identity {
    /// The provider's issuer.
    pub issuer: String,
    /// Who, unique under the issuer and never given to another.
    pub subject: String,
    /// Their e-mail, if the provider gave one. Not a name: it may change, and change hands.
    pub email: Option<Email>,
    /// What they call themselves.
    pub name: Option<String>,
    /// The provider's session (`sid`), which a back-channel logout may name.
    pub provider_session: Option<String>,
    /// When they proved to the provider who they are.
    pub auth_time: Option<Timestamp>,
    /// All claims of the ID token, and those of the userinfo endpoint that it lacks.
    pub claims: Map<String, Value>,
    /// When the ID token was issued: a logout that the provider ordered later ends what comes of it.
    pub(super) issued_at: Timestamp,
    pub(super) account: Subject,
}

/// An e-mail address in a provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// Whether the provider says that it is theirs.
    pub verified: bool,
}

impl Identity {
    /// The account: `issuer|subject`; a `|` stands in no issuer. Where that is longer than 255 bytes it is `sha256|` and
    /// the base64url of the SHA-256 of eight bytes of length and the same text.
    pub fn account(&self) -> Subject {
        self.account.clone()
    }

    /// Reads what is asked for most often out of the claims.
    pub(super) fn read(&mut self) {
        let text = |name: &str| {
            let text = self.claims.get(name).and_then(Value::as_str)?;
            // Shown and compared: what cannot be either is not there.
            (text.len() <= SHOWN_MAX && !text.chars().any(char::is_control)).then(|| text.to_owned())
        };
        // Some providers write truth values as text.
        let verified = match self.claims.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(verified)) => verified == "true",
            _ => false,
        };
        let (email, name) = (text("email"), text("name"));
        self.email = email.map(|address| Email { address, verified });
        self.name = name;
    }

    #[cfg(test)]
    pub(super) fn of(issuer: &str, subject: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            email: None,
            name: None,
            provider_session: None,
            auth_time: None,
            claims: Map::new(),
            issued_at: Timestamp::EPOCH,
            account: account(issuer, subject).unwrap(),
        }
    }
}

/// The account of a provider's subject.
pub(super) fn account(issuer: &str, subject: &str) -> Result<Subject, InvalidId> {
    let plain = format!("{issuer}|{subject}");
    Subject::new(&plain).or_else(|_| Subject::new(format!("sha256|{}", digest_of(&[&plain]))))
}

/// A name of fixed length for texts of any: base64url of the SHA-256 of each with its length before it.
pub(super) fn digest_of(texts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_issuer_and_subject_and_never_longer_than_a_subject_may_be() {
        assert_eq!(Identity::of("https://idp.example", "123").account().as_str(), "https://idp.example|123");
        let long = Identity::of("https://idp.example", &"x".repeat(255)).account();
        assert!(long.as_str().starts_with("sha256|") && long.as_str().len() == 50, "{long}");
        assert_ne!(long, Identity::of("https://idp.example", &"y".repeat(255)).account());
    }

    #[test]
    fn an_address_or_a_name_that_cannot_be_shown_is_not_there() {
        let mut who = Identity::of("https://idp.example", "1");
        who.claims.insert("email".to_owned(), "a@b\r\nBcc: c".into());
        who.claims.insert("name".to_owned(), "x".repeat(321).into());
        who.read();
        assert_eq!((who.email, who.name), (None, None));
    }

    #[test]
    fn an_email_is_verified_only_where_the_provider_says_so() {
        let verified = |value: Option<Value>| {
            let mut who = Identity::of("https://idp.example", "1");
            who.claims.insert("email".to_owned(), "a@b".into());
            if let Some(value) = value {
                who.claims.insert("email_verified".to_owned(), value);
            }
            who.read();
            who.email.unwrap().verified
        };
        assert!(verified(Some(true.into())) && verified(Some("true".into())));
        for value in
            [None, Some(false.into()), Some("false".into()), Some("TRUE".into()), Some(1.into()), Some(Value::Null)]
        {
            assert!(!verified(value.clone()), "{value:?}");
        }
    }
}
