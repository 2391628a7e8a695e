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

/// An entry of a list that could name nobody: left as it is, it would keep out whom it is meant to let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names nobody; an entry is name@domain, @domain or sub:SUBJECT, and `Allow::everyone()` lets everybody in"
)]
pub struct EntryInvalid(pub String);

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
    ///
    /// # Errors
    /// [`EntryInvalid`]: the first entry that could name nobody, such as a domain without its `@`.
    pub fn listed<E: Into<String>>(entries: impl IntoIterator<Item = E>) -> Result<Self, EntryInvalid> {
        let checked = |entry: String| if names_somebody(&entry) { Ok(entry) } else { Err(EntryInvalid(entry)) };
        Ok(Self(Rule::Listed(entries.into_iter().map(|entry| checked(entry.into())).collect::<Result<_, _>>()?)))
    }

    /// Whether they are on the list.
    pub fn allows(&self, who: &Identity) -> bool {
        match &self.0 {
            Rule::Everyone => true,
            Rule::Listed(entries) => entries.iter().any(|entry| matches(entry, who)),
        }
    }
}

/// Whether there may be somebody whom an entry matches.
fn names_somebody(entry: &str) -> bool {
    if entry.chars().any(char::is_control) {
        return false;
    }
    if let Some(subject) = entry.strip_prefix("sub:") {
        return !subject.is_empty();
    }
    // A blank around an entry was left by whoever cut a list; `*` is no domain, and nothing is matched by it.
    let Some((_, domain)) = entry.rsplit_once('@') else { return false };
    !domain.is_empty() && !domain.contains(['*', ' ']) && !entry.starts_with(' ')
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

    fn listed(entry: &str) -> Allow {
        Allow::listed([entry]).unwrap()
    }

    fn who(address: &str, verified: bool) -> Identity {
        let email = Email { address: address.to_owned(), verified };
        Identity { email: Some(email), ..Identity::of("https://idp.example", "123") }
    }

    #[test]
    fn a_verified_address_on_the_list_comes_in_whatever_its_case() {
        let allow = listed("alice@example.com");
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
            assert!(!listed(entry).allows(&who("alice@example.com", false)), "{entry}");
        }
    }

    #[test]
    fn a_domain_is_the_whole_part_after_the_last_at() {
        let allow = listed("@example.com");
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
    fn a_subject_is_compared_exactly() {
        assert!(listed("sub:123").allows(&who("x", false)));
        assert!(!listed("sub:12").allows(&who("a@", true)) && !listed("sub:1234").allows(&who("a@", true)));
        assert!(Allow::everyone().allows(&who("x", false)) && !Allow::nobody().allows(&who("a@b", true)));
        assert_eq!(Allow::listed(Vec::<String>::new()), Ok(Allow::nobody()));
    }

    #[test]
    fn an_entry_that_could_name_nobody_is_an_error_that_says_what_an_entry_is() {
        for wrong in [
            "",
            "@",
            "sub:",
            "*",
            "@*",
            "@*.example.com",
            "example.com",
            "123",
            "a@",
            " a@example.com",
            "a@example.com ",
            "@ example.com",
            "a@example.com\n",
            "sub:1\0",
        ] {
            let error = Allow::listed(["@example.com", wrong]).unwrap_err();
            assert_eq!(error, EntryInvalid(wrong.to_owned()));
            let told = error.to_string();
            assert!(told.contains("@domain") && told.contains("Allow::everyone()") && !told.contains('\n'), "{told}");
        }
    }
}
