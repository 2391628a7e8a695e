//! The names of everything in Redis. Owns which keys share a slot of a cluster: the log, its state and the records are
//! under one hash tag, for scripts to read and write them in one moment; sessions are spread over [`SHARDS`] others.

use rescind::id::{SessionId, Subject};
use rescind::log::{Scope, SessionRef, TokenRef};

/// Over how many hash tags sessions are spread: enough for a cluster of any size that one log can feed.
pub(super) const SHARDS: u16 = 256;

/// The names under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// Names under `prefix`; `None` where it has a brace, which would be read as a hash tag, or is empty.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let fits = !prefix.is_empty() && !prefix.contains(['{', '}']);
        fits.then(|| Self { prefix: prefix.to_owned() })
    }

    /// What every script of the log's slot takes: head, log, scopes, due, records, ids, ends, unsettled, newer.
    pub(super) fn log(&self) -> Vec<Vec<u8>> {
        ["head", "log", "scopes", "due", "records", "ids", "ends", "unsettled", "newer"]
            .map(|name| format!("{{{}}}:{name}", self.prefix).into_bytes())
            .into()
    }

    /// Written to find out whether there is room again, and how long a durable write takes.
    pub(super) fn probe(&self) -> Vec<u8> {
        format!("{{{}}}:probe", self.prefix).into_bytes()
    }

    /// The channel on which the log's growth is called.
    pub(super) fn channel(&self) -> String {
        format!("{{{}}}:grown", self.prefix)
    }

    /// The row of a session.
    pub(super) fn row(&self, sid: SessionId) -> Vec<u8> {
        let mut name = self.rows(shard_of(sid));
        name.extend(sid.as_bytes());
        name
    }

    /// What the names of a shard's rows begin with.
    pub(super) fn rows(&self, shard: u16) -> Vec<u8> {
        format!("{{{}:{shard}}}:s:", self.prefix).into_bytes()
    }

    /// When the sessions of a shard end.
    pub(super) fn ends(&self, shard: u16) -> Vec<u8> {
        format!("{{{}:{shard}}}:ends", self.prefix).into_bytes()
    }

    /// The sessions of a subject.
    pub(super) fn sessions_of(&self, subject: &str) -> Vec<u8> {
        // FNV-1a: it only spreads.
        let hash =
            subject.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        format!("{{{}:{}}}:u:{subject}", self.prefix, hash % u32::from(SHARDS)).into_bytes()
    }
}

/// The shard of a session: by the last byte of its id, which is random.
pub(super) fn shard_of(sid: SessionId) -> u16 {
    let [.., last] = *sid.as_bytes();
    u16::from(last)
}

/// A scope as a field: one letter for its kind and whose name it is, then the name; a UUID as its 16 bytes.
pub(super) fn field(scope: &Scope) -> Vec<u8> {
    let named = |letter: u8, name: &[u8]| [&[letter], name].concat();
    match scope {
        Scope::Token(TokenRef::Own(jti)) => named(b't', jti.as_bytes()),
        Scope::Token(TokenRef::Foreign(name)) => named(b'T', name.as_str().as_bytes()),
        Scope::Session(SessionRef::Own(sid)) => named(b's', sid.as_bytes()),
        Scope::Session(SessionRef::Foreign(name)) => named(b'S', name.as_str().as_bytes()),
        Scope::Subject(subject) => named(b'u', subject.as_str().as_bytes()),
        Scope::Client(client) => named(b'c', client.as_str().as_bytes()),
        Scope::Key(kid) => named(b'k', kid.as_str().as_bytes()),
        Scope::All => vec![b'a'],
    }
}

/// Reads a scope's field; `None` where it is none.
pub(super) fn scope(field: &[u8]) -> Option<Scope> {
    use rescind::id::Jti;
    use rescind::log::ScopeKind;
    let (letter, name) = field.split_first()?;
    let kind = match letter {
        b't' => return Some(Scope::token(Jti::from_bytes(name.try_into().ok()?))),
        b's' => return Some(Scope::session(SessionId::from_bytes(name.try_into().ok()?))),
        b'T' => ScopeKind::Token,
        b'S' => ScopeKind::Session,
        b'u' => ScopeKind::Subject,
        b'c' => ScopeKind::Client,
        b'k' => ScopeKind::Key,
        b'a' => ScopeKind::All,
        _ => return None,
    };
    Scope::parse(kind, std::str::from_utf8(name).ok()?).ok()
}

/// The field of a subject's scope and of a session's other scopes, in the order in which scripts give their states.
pub(super) fn fields_of(sid: SessionId, subject: &Subject, client: &rescind::id::ClientId) -> [Vec<u8>; 4] {
    [
        field(&Scope::session(sid)),
        field(&Scope::Subject(subject.clone())),
        field(&Scope::Client(client.clone())),
        field(&Scope::All),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_with_a_brace_is_refused() {
        for prefix in ["", "a{b", "a}b", "{rescind}"] {
            assert!(Keys::new(prefix).is_none(), "{prefix:?}");
        }
        assert!(Keys::new("rescind").is_some());
    }

    #[test]
    fn a_scope_reads_back_from_its_field() {
        let all =
            ["all", "session 0198c0de-0000-7000-8000-00000000abcd", "token https://a.example x", "subject a", "key k"];
        for text in all {
            let scope: Scope = text.to_owned().try_into().unwrap();
            assert_eq!(super::scope(&field(&scope)), Some(scope));
        }
        assert_eq!(super::scope(b""), None);
        assert_eq!(super::scope(b"tshort"), None);
    }
}
