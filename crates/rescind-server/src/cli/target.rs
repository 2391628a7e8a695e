//! What `rescind revoke` was asked to revoke, read from an argument or a line: an id of one of the six scopes, or a
//! token's text. Owns the reading; sends nothing.

use rescind::log::{Scope, ScopeKind};
use serde_json::{Value, json};

/// What to revoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A scope by its id.
    Scope(Scope),
    /// A token's text: the server reads from it what to revoke.
    Token(String),
}

impl Target {
    /// Reads an id of `kind`, or a token where the kind has any.
    ///
    /// # Errors
    /// What is wrong with the text, as the end of a sentence.
    pub(crate) fn parse(kind: ScopeKind, text: &str) -> Result<Self, String> {
        if matches!(kind, ScopeKind::Token | ScopeKind::Session) && looks_refresh(text) {
            return Ok(Self::Token(text.to_owned()));
        }
        // A foreign issuer's id begins with its URL, which has dots too, but a blank behind it.
        if kind == ScopeKind::Token && text.contains('.') && !text.contains(' ') {
            return Ok(Self::Token(text.to_owned()));
        }
        Scope::parse(kind, text).map(Self::Scope).map_err(|error| error.to_string())
    }

    /// The body of the request that revokes it.
    pub(crate) fn request(&self, reason: &str) -> Value {
        match self {
            Self::Scope(Scope::All) => json!({"scope": {"kind": "all"}, "reason": reason}),
            Self::Scope(scope) => json!({"scope": {"kind": scope.kind().as_str(), "id": scope.id()}, "reason": reason}),
            Self::Token(token) => json!({"token": token, "reason": reason}),
        }
    }

    /// What to call it in a message. A token's text is a secret and is not repeated.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Scope(scope) => scope.to_string(),
            Self::Token(token) if looks_refresh(token) => "the refresh token's session".to_owned(),
            Self::Token(_) => "the access token".to_owned(),
        }
    }
}

/// Whether a text looks like one of our refresh tokens.
pub(crate) fn looks_refresh(text: &str) -> bool {
    text.starts_with("rrt_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_an_id() {
        let sid = "0198c0de-0000-7000-8000-00000000abcd";
        assert!(matches!(Target::parse(ScopeKind::Token, sid), Ok(Target::Scope(_))));
        assert!(matches!(Target::parse(ScopeKind::Token, "a.b.c"), Ok(Target::Token(_))));
        assert!(matches!(Target::parse(ScopeKind::Token, "rrt_x"), Ok(Target::Token(_))));
        assert!(matches!(Target::parse(ScopeKind::Session, "rrt_x"), Ok(Target::Token(_))));
        assert!(matches!(Target::parse(ScopeKind::Subject, "a.b.c"), Ok(Target::Scope(_))));
        assert!(matches!(Target::parse(ScopeKind::Token, "https://idp.example j1"), Ok(Target::Scope(_))));
        assert!(Target::parse(ScopeKind::Session, "a.b.c").is_err());
    }
}
