//! The JSON of the admin API, written by its routes and read by the command line: one shape, so that the two cannot
//! drift apart. Owns names and units of members; knows neither HTTP nor the terminal.
//!
//! **Units:** times are whole seconds since the epoch. A reader ignores members that it does not know, a writer of
//! requests is refused for them.

pub(crate) mod words;

use std::marker::PhantomData;

use rescind::log::{Act, CutOff, Entry, Scope};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// What a revocation stands on. `all` has no id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeJson {
    #[schema(value_type = words::KindWord)]
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// Reads a member that is an object or null. What serde derives would take an array of the members' values, too.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members)).map(Some)
        }
    }
    deserializer.deserialize_any(Object(PhantomData))
}

impl From<&Scope> for ScopeJson {
    fn from(scope: &Scope) -> Self {
        Self { kind: scope.kind().to_string(), id: Some(scope.id()).filter(|id| !id.is_empty()) }
    }
}

impl std::fmt::Display for ScopeJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{} {id}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

/// `cut_off` or `lift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActJson {
    /// Everything under the scope with a lower position is dead.
    CutOff,
    /// Ends the earlier cut-offs on the scope.
    Lift,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct EntryJson {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) act: ActJson,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lifts: Option<u64>,
    pub(crate) scope: ScopeJson,
    pub(crate) reason: String,
    pub(crate) actor: String,
    pub(crate) remember_until: u64,
}

impl From<&Entry> for EntryJson {
    fn from(entry: &Entry) -> Self {
        let (act, lifts) = match entry.act {
            Act::CutOff => (ActJson::CutOff, None),
            Act::Lift { of } => (ActJson::Lift, Some(of.get())),
        };
        Self {
            seq: entry.seq.get(),
            at: entry.at.as_secs(),
            act,
            lifts,
            scope: ScopeJson::from(&entry.scope),
            reason: entry.reason.to_string(),
            actor: entry.actor.to_string(),
            remember_until: entry.remember_until.as_secs(),
        }
    }
}

/// A part of the log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LogJson {
    pub(crate) revocations: Vec<EntryJson>,
    /// The newest position of the same moment.
    pub(crate) head: u64,
    /// Where the next part continues (`?after=`); null at the end.
    pub(crate) next: Option<u64>,
}

/// The cut-off that ended a session. `reason` is null where the entry was swept from the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct WhyJson {
    #[schema(value_type = words::KindWord)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) seq: u64,
    pub(crate) reason: Option<String>,
    pub(crate) at: u64,
}

impl WhyJson {
    pub(crate) fn new(cut_off: &CutOff, reason: Option<String>) -> Self {
        let ScopeJson { kind, id } = ScopeJson::from(&cut_off.scope);
        Self { kind, id, seq: cut_off.seq.get(), reason, at: cut_off.at.as_secs() }
    }
}

/// Whether a session's tokens are good, and if not, why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateJson {
    /// Its tokens are good.
    Live,
    /// Not used for its idle lifetime.
    Idle,
    /// Its absolute lifetime is over.
    Expired,
    /// A cut-off covers it.
    Revoked,
}

impl StateJson {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A session as an operator sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SessionJson {
    pub(crate) session_id: String,
    pub(crate) subject: String,
    pub(crate) client_id: String,
    #[schema(value_type = words::ClassWord)]
    pub(crate) class: String,
    pub(crate) device: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) position: u64,
    pub(crate) generation: u64,
    pub(crate) opened_at: u64,
    pub(crate) auth_time: u64,
    pub(crate) last_used_at: u64,
    pub(crate) expires_at: u64,
    pub(crate) state: StateJson,
    pub(crate) why: Option<WhyJson>,
}

/// A part of a subject's sessions, newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SessionsJson {
    pub(crate) sessions: Vec<SessionJson>,
    /// Where the next part continues (`?cursor=`); null at the end.
    pub(crate) next: Option<String>,
}

/// A user who may sign in, or no longer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UserJson {
    pub(crate) subject: String,
    pub(crate) username: String,
    pub(crate) disabled: bool,
    pub(crate) created_at: u64,
    /// Where the user signs in at a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<AccountJson>,
}

/// A user's account at a provider. The e-mail address is the one of the last sign-in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AccountJson {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: Option<bool>,
}

/// A part of the users, by name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UsersJson {
    pub(crate) users: Vec<UserJson>,
    /// Where the next part continues (`?cursor=`); null at the end.
    pub(crate) next: Option<String>,
}

/// A signing key's place in the ring.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeyJson {
    pub(crate) kid: String,
    pub(crate) algorithm: String,
    /// `next`, `current`, `retired` or `revoked`.
    #[schema(value_type = words::KeyStateWord)]
    pub(crate) state: String,
    /// When it was retired or revoked.
    pub(crate) since: Option<u64>,
}

/// The key ring.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeysJson {
    pub(crate) keys: Vec<KeyJson>,
}

/// What a token says and why it would be refused now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct InspectionJson {
    /// `access`, `refresh` or `unknown`.
    #[schema(value_type = words::TokenKindWord)]
    pub(crate) kind: String,
    #[schema(value_type = Option<Object>)]
    pub(crate) header: Option<serde_json::Value>,
    #[schema(value_type = Option<Object>)]
    pub(crate) claims: Option<serde_json::Value>,
    /// Whether it would be accepted now; null where that could not be told.
    pub(crate) accepted: Option<bool>,
    /// The stable word of the refusal; null where it would be accepted.
    pub(crate) refused: Option<String>,
    /// The log entry that refuses it, where one does.
    pub(crate) cut_off: Option<EntryJson>,
    /// The same for a human.
    pub(crate) explanation: String,
}

/// A revocation, and where it has come to, if the caller waited for that.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RevokedJson {
    #[serde(flatten)]
    pub(crate) entry: EntryJson,
    /// Whether every live node has applied it. Where not, the staleness bound of those that have not is over: they refuse
    /// by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) applied_everywhere: Option<bool>,
    /// Those that are not known to have applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) laggards: Option<Vec<String>>,
}

/// A node that shares the store.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NodeJson {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) address: Option<String>,
    /// `live`, `left` or `silent`.
    #[schema(value_type = words::NodeStateWord)]
    pub(crate) state: String,
    pub(crate) started_at: u64,
    pub(crate) last_seen: u64,
    /// The newest position in its view.
    pub(crate) applied: u64,
    /// The log's newest position, as the answering node knows it.
    pub(crate) head: Option<u64>,
    /// How old its view was when it was last seen; null where it answered nothing.
    pub(crate) staleness_ms: Option<u64>,
    pub(crate) staleness_bound_ms: u64,
    pub(crate) incarnation: Option<String>,
}

/// The nodes of a store.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NodesJson {
    pub(crate) nodes: Vec<NodeJson>,
    /// The node that answers.
    pub(crate) answered_by: String,
    /// False where the store could not be asked: then there is the answering node alone.
    pub(crate) complete: bool,
}
