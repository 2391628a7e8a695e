//! Who may come in. Owns the question and the usual answer, a list; an application answers in its own way by
//! [`Admission`].

use async_trait::async_trait;
use rescind::BoxError;

use super::identity::Identity;

/// The application's word on whether somebody whom a provider vouches for may come in.
#[async_trait]
pub trait Admission: Send + Sync + 'static {
    /// Whether they may.
    ///
    /// # Errors
    /// Any error is answered with 503, never with a session.
    async fn admit(&self, who: &Identity) -> Result<bool, BoxError>;
}

/// A list of who may come in.
///
/// An entry is `sub:` and a subject in the provider's words, an e-mail address, or `@` and a domain. Addresses and
/// domains count for e-mails that the provider has verified, and for no others; they are compared whole, and the case of
/// ASCII letters does not matter. `@example.com` is the part after the last `@`, and no domain below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow(Rule);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Everyone,
    Listed(Vec<String>),
}

impl Allow {
    /// Whoever the provider vouches for.
    pub const fn everyone() -> Self {
        Self(Rule::Everyone)
    }

    /// Nobody: what a provider does before it is told otherwise.
    pub const fn nobody() -> Self {
        Self(Rule::Listed(Vec::new()))
    }

    /// Those who are on the list.
    pub fn listed<E: Into<String>>(entries: impl IntoIterator<Item = E>) -> Self {
        Self(Rule::Listed(entries.into_iter().map(Into::into).collect()))
    }

    /// Whether they are on the list.
    pub fn allows(&self, who: &Identity) -> bool {
        match &self.0 {
            Rule::Everyone => true,
            Rule::Listed(entries) => entries.iter().any(|entry| matches(entry, who)),
        }
    }
}

fn matches(entry: &str, who: &Identity) -> bool {
    if let Some(subject) = entry.strip_prefix("sub:") {
        return !subject.is_empty() && subject == who.subject;
    }
    let Some(email) = who.email.as_ref().filter(|email| email.verified) else { return false };
    let Some((local, domain)) = email.address.rsplit_once('@') else { return false };
    if local.is_empty() || domain.is_empty() {
        return false;
    }
    match entry.strip_prefix('@') {
        Some(wanted) => domain.eq_ignore_ascii_case(wanted),
        None => email.address.eq_ignore_ascii_case(entry),
    }
}

#[async_trait]
impl Admission for Allow {
    async fn admit(&self, who: &Identity) -> Result<bool, BoxError> {
        Ok(self.allows(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::identity::Email;

    fn who(address: &str, verified: bool) -> Identity {
        let email = Email { address: address.to_owned(), verified };
        Identity { email: Some(email), ..Identity::of("https://idp.example", "123") }
    }

    #[test]
    fn a_verified_address_on_the_list_comes_in_whatever_its_case() {
        let allow = Allow::listed(["alice@example.com"]);
        assert!(allow.allows(&who("alice@example.com", true)) && allow.allows(&who("Alice@Example.COM", true)));
        for other in
            ["alice@example.com.evil", "xalice@example.com", "alice@example.co", "alice", "", "@", " alice@example.com"]
        {
            assert!(!allow.allows(&who(other, true)), "{other}");
        }
    }

    #[test]
    fn an_address_that_is_not_verified_never_counts() {
        for entry in ["alice@example.com", "@example.com"] {
            assert!(!Allow::listed([entry]).allows(&who("alice@example.com", false)), "{entry}");
        }
    }

    #[test]
    fn a_domain_is_the_whole_part_after_the_last_at() {
        let allow = Allow::listed(["@example.com"]);
        assert!(allow.allows(&who("bob@EXAMPLE.com", true)) && allow.allows(&who("\"a@evil.org\"@example.com", true)));
        for other in [
            "a@sub.example.com",
            "a@notexample.com",
            "a@example.com@evil.org",
            "a@example.com.",
            "@example.com",
            "a@exämple.com",
        ] {
            assert!(!allow.allows(&who(other, true)), "{other}");
        }
    }

    #[test]
    fn a_subject_is_compared_exactly_and_an_empty_entry_lets_nobody_in() {
        assert!(Allow::listed(["sub:123"]).allows(&who("x", false)));
        assert!(!Allow::listed(["sub:12", "sub:1234", "sub:", "123", "", "@"]).allows(&who("a@", true)));
        assert!(Allow::everyone().allows(&who("x", false)) && !Allow::nobody().allows(&who("a@b", true)));
    }
}
