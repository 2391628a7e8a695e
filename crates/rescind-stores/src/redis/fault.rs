//! What went wrong inside the Redis store, before it is put into the contract's words. Owns the meaning of Redis' error
//! codes and the remedies that messages name. No password is in them: the redis crate's errors have none.

use redis::{ErrorKind, RedisError};
use rescind::store::{StoreError, StoreErrorKind};

/// A fault that does not yet know its operation.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: StoreErrorKind,
    text: String,
}

impl Fault {
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(super) fn corrupt(text: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, text)
    }

    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Unavailable, text)
    }

    /// The text alone.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The contract's error: names the operation, the place, the fault and the remedy.
    pub(super) fn error(&self, op: &'static str, place: &str) -> StoreError {
        StoreError::new(self.kind, op, format!("redis at {place}: {}", self.text))
    }
}

/// What an operator looks at where nothing, or nothing of Redis, answers.
const REACH: &str =
    "see that it is Redis that listens there, and that both ends speak TLS (rediss://) or neither does (redis://)";

/// The remedy for an answer of the server, by its code.
fn remedy(code: &str) -> Option<(StoreErrorKind, &'static str)> {
    use StoreErrorKind::{Corrupt, Full, Newer, Unavailable};
    Some(match code {
        "MISCONF" => {
            (Full, "it cannot write to its disk. Free space there, or mend the disk; writes resume by themselves")
        }
        "OOM" => (Full, "its memory is full. Raise maxmemory; nothing may be evicted from a store of revocations"),
        "READONLY" => {
            (Unavailable, "it is a replica. Name the master, or Sentinel (redis+sentinel://), in the store's URL")
        }
        "LOADING" => (Unavailable, "it is loading its data; it answers when it has"),
        "MASTERDOWN" => (Unavailable, "it is a replica that has lost its master"),
        "NOREPLICAS" => (Unavailable, "too few replicas are connected (min-replicas-to-write). Bring them back"),
        "CLUSTERDOWN" => (Unavailable, "its cluster is down, or has slots without a master. Look at CLUSTER INFO"),
        "MOVED" | "ASK" | "TRYAGAIN" | "CROSSSLOT" => (
            Unavailable,
            "it is a node of a cluster whose slots lie elsewhere. Use redis+cluster:// in the store's URL",
        ),
        "NOAUTH" | "WRONGPASS" => (Unavailable, "it refuses the user or the password in the store's URL"),
        "NOPERM" => {
            (Unavailable, "its ACL keeps this user from a command that the store needs. See docs/running-many-nodes.md")
        }
        "BUSY" => (Unavailable, "a script of somebody else's keeps it busy. SCRIPT KILL ends one that only reads"),
        "BACKLOG" => (
            Unavailable,
            "100,000 revocations wait until they are safe. Bring back the replicas that replicas= in the store's URL asks for, \
             or free the disk",
        ),
        "LOGFULL" => (Full, "the log has no positions left"),
        "OLDLAYOUT" => (
            Corrupt,
            "its data is of a layout before this version's. Begin anew: name another prefix (?prefix=) or database in the \
             store's URL",
        ),
        "NEWLAYOUT" => (Newer, "its data is of a newer rescind's layout. Upgrade this node"),
        "UNKILLABLE" | "EXECABORT" => (Unavailable, "it refused the call"),
        _ => return None,
    })
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        let detail = error.detail().unwrap_or_default();
        // A server before 7.0 puts the code of an error in a script into the text.
        let inside = || detail.split(|c: char| !c.is_ascii_uppercase()).find_map(|word| remedy(word).map(|_| word));
        let code = error.code().filter(|code| remedy(code).is_some()).or_else(inside).unwrap_or_default();
        if let Some((kind, text)) = remedy(code) {
            return Self::new(kind, format!("{code}: {text}"));
        }
        match error.kind() {
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
                Self::corrupt(format!("an answer of another shape than the store's: {error}"))
            }
            ErrorKind::AuthenticationFailed => {
                Self::unavailable("it refuses the user or the password in the store's URL")
            }
            // Redis closes the connection, or ends, when a flush has failed: whether a write happened is unknown.
            _ if error.is_timeout() => Self::unavailable(format!("no answer in time; {REACH}")),
            _ if error.is_connection_refusal() => {
                Self::unavailable(format!("{error}; see that it runs there, or correct the store's URL"))
            }
            ErrorKind::MasterNameNotFoundBySentinel => Self::unavailable(
                "Sentinel knows no master of the name in the store's URL. Write it as `sentinel monitor` in sentinel.conf \
                 does: redis+sentinel://host:port/NAME",
            ),
            _ if error.is_io_error() => Self::unavailable(format!("{error}; {REACH}")),
            _ if detail.contains("cluster support disabled") => Self::unavailable(
                "it is no node of a cluster. Write redis:// in place of redis+cluster:// in the store's URL",
            ),
            _ if detail.contains("DB index is out of range") => Self::unavailable(
                "it has no database of the number in the store's URL. Name a lower one, or raise databases in redis.conf",
            ),
            _ => Self::unavailable(error.to_string()),
        }
    }
}

/// Whether the connection that the error came from is of no use any more.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_unrecoverable_error()
        // After a failover the old master has become a replica: the new one must be looked for.
        || matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "NOAUTH"))
}

/// Whether the server refused the call before it ran, because its slot is elsewhere or moving.
pub(super) fn not_run(error: &RedisError) -> bool {
    matches!(error.code(), Some("MOVED" | "ASK" | "TRYAGAIN")) || error.kind() == ErrorKind::ClusterConnectionNotFound
}
