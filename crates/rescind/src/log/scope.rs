//! What a cut-off stands on. Owns the six scopes and their text; two spellings of one scope cannot exist.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, InvalidId, Jti, KeyId, SessionId, Subject};

/// The kind of a [`Scope`], from narrow to wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScopeKind {
    /// One access token, by `jti`.
    Token,
    /// One session, by `sid`.
    Session,
    /// One user, by `sub`.
    Subject,
    /// One application, by `client_id`.
    Client,
    /// One signing key, by `kid`.
    Key,
    /// Everything.
    All,
}

impl ScopeKind {
    /// Every kind, from narrow to wide.
    pub const EVERY: [Self; 6] = [Self::Token, Self::Session, Self::Subject, Self::Client, Self::Key, Self::All];

    /// The kind's word on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::Key => "key",
            Self::All => "all",
        }
    }

    /// Reads the kind's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name given by a foreign issuer: the issuer and its `jti` or `sid`. The name alone would not be unique.
///
/// **Shape:** issuer, one blank, name. An issuer is a URL and has no blank, so the text reads back one way only.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForeignName(Arc<str>);

impl ForeignName {
    /// Joins an issuer and a name that it gave.
    ///
    /// # Errors
    /// [`InvalidId`] where the issuer is no URL or has a blank, the name is empty, the whole is above 1,024 bytes or has
    /// control characters. So a line of prose is nobody's name.
    pub fn new(issuer: &str, name: &str) -> Result<Self, InvalidId> {
        if !(issuer.starts_with("https://") || issuer.starts_with("http://")) || issuer.contains(' ') {
            return Err(InvalidId::NotUuid);
        }
        if name.is_empty() {
            return Err(InvalidId::Empty);
        }
        if issuer.len() + name.len() > 1023 {
            return Err(InvalidId::TooLong);
        }
        if issuer.chars().chain(name.chars()).any(char::is_control) {
            return Err(InvalidId::Control);
        }
        Ok(Self(Arc::from(format!("{issuer} {name}"))))
    }

    /// The joined text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, InvalidId> {
        let (issuer, name) = text.split_once(' ').ok_or(InvalidId::NotUuid)?;
        Self::new(issuer, name)
    }
}

impl fmt::Debug for ForeignName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignName({:?})", &*self.0)
    }
}

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident, $own:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            /// Given by this issuer.
            Own($own),
            /// Given by a foreign issuer.
            Foreign(ForeignName),
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Own(id) => id.fmt(f),
                    Self::Foreign(name) => f.write_str(name.as_str()),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map(Self::Own).or_else(|_| ForeignName::parse(text).map(Self::Foreign))
            }
        }
    };
}

reference! {
    /// One access token of this issuer or of a foreign one.
    TokenRef, Jti
}
reference! {
    /// One session of this issuer or of a foreign one.
    SessionRef, SessionId
}

/// What a cut-off stands on: everything under it that was issued before the cut-off's position is dead.
///
/// **Shape:** with serde, its text: the kind, one blank, and the id; `all` alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// One access token.
    Token(TokenRef),
    /// One session and all its tokens.
    Session(SessionRef),
    /// All sessions of one user.
    Subject(Subject),
    /// All sessions of one application.
    Client(ClientId),
    /// All access tokens that one key signed.
    Key(KeyId),
    /// Everything.
    All,
}

/// A scope that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// The kind is none of the six.
    #[error("unknown scope kind; one of token, session, subject, client, key, all")]
    Kind,
    /// The id does not fit the kind.
    #[error("the {0} id {1}")]
    Id(ScopeKind, InvalidId),
    /// `all` takes no id.
    #[error("scope all takes no id")]
    IdOfAll,
}

impl Scope {
    /// Reads a scope from its kind and id; `all` has the empty id.
    ///
    /// # Errors
    /// [`InvalidScope`] where the id does not fit the kind.
    pub fn parse(kind: ScopeKind, id: &str) -> Result<Self, InvalidScope> {
        let wrong = |error| InvalidScope::Id(kind, error);
        match kind {
            ScopeKind::Token => id.parse().map(Self::Token).map_err(wrong),
            ScopeKind::Session => id.parse().map(Self::Session).map_err(wrong),
            ScopeKind::Subject => id.parse().map(Self::Subject).map_err(wrong),
            ScopeKind::Client => id.parse().map(Self::Client).map_err(wrong),
            ScopeKind::Key => id.parse().map(Self::Key).map_err(wrong),
            ScopeKind::All if id.is_empty() => Ok(Self::All),
            ScopeKind::All => Err(InvalidScope::IdOfAll),
        }
    }

    /// The scope of one of our access tokens.
    pub const fn token(jti: Jti) -> Self {
        Self::Token(TokenRef::Own(jti))
    }

    /// The scope of one of our sessions.
    pub const fn session(sid: SessionId) -> Self {
        Self::Session(SessionRef::Own(sid))
    }

    /// The scope's kind.
    pub const fn kind(&self) -> ScopeKind {
        match self {
            Self::Token(_) => ScopeKind::Token,
            Self::Session(_) => ScopeKind::Session,
            Self::Subject(_) => ScopeKind::Subject,
            Self::Client(_) => ScopeKind::Client,
            Self::Key(_) => ScopeKind::Key,
            Self::All => ScopeKind::All,
        }
    }

    /// The id as text; empty for `all`. With [`kind`](Self::kind) it reads back as the same scope.
    pub fn id(&self) -> String {
        match self {
            Self::Token(id) => id.to_string(),
            Self::Session(id) => id.to_string(),
            Self::Subject(id) => id.to_string(),
            Self::Client(id) => id.to_string(),
            Self::Key(id) => id.to_string(),
            Self::All => String::new(),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        let (kind, id) = text.split_once(' ').unwrap_or((&text, ""));
        Self::parse(ScopeKind::parse(kind).ok_or(InvalidScope::Kind)?, id)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            scope => write!(f, "{} {}", scope.kind(), scope.id()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_from_its_kind_and_id() {
        let jti: Jti = "0198c0de-0000-7000-8000-00000000abcd".parse().unwrap();
        let foreign = ForeignName::new("https://idp.example", "a b").unwrap();
        for scope in [
            Scope::token(jti),
            Scope::Token(TokenRef::Foreign(foreign.clone())),
            Scope::Session(SessionRef::Foreign(foreign)),
            Scope::Subject(Subject::new("alice").unwrap()),
            Scope::All,
        ] {
            assert_eq!(Scope::parse(scope.kind(), &scope.id()), Ok(scope.clone()));
            assert_eq!(Scope::try_from(scope.to_string()), Ok(scope));
        }
    }

    #[test]
    fn prose_is_nobody_s_name() {
        for prose in ["not an id", "0198c0de-0000-7000-8000-00000000abcd # Alice", " x", "https://idp.example "] {
            assert!(Scope::parse(ScopeKind::Session, prose).is_err(), "{prose:?}");
        }
    }

    #[test]
    fn all_takes_no_id() {
        assert_eq!(Scope::try_from("all ".to_owned()), Ok(Scope::All));
        assert!(Scope::try_from("all x".to_owned()).is_err());
        assert_eq!(Scope::parse(ScopeKind::All, "x"), Err(InvalidScope::IdOfAll));
    }
}
