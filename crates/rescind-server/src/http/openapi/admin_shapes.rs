//! The same for the admin listener: words with few values, and the log on the wire.
#![expect(dead_code, reason = "shapes are described and never made")]

use serde_json::Value;
use utoipa::ToSchema;

use crate::wire::AccountJson;

/// The key that signs from now on.
#[derive(ToSchema)]
pub(crate) struct RotatedJson {
    current: String,
}

/// A user, and the cut-off that ended the sessions, where the change was one that ends them.
#[derive(ToSchema)]
pub(crate) struct ChangedUserJson {
    subject: String,
    username: String,
    disabled: bool,
    created_at: u64,
    #[schema(required = false, nullable = false)]
    account: Option<AccountJson>,
    #[schema(required = false, nullable = false)]
    ended_by: Option<u64>,
}

/// The numbers of this node; the counters besides, each by its name and counted since the start.
#[derive(ToSchema)]
pub(crate) struct StatsJson {
    ready: bool,
    #[schema(required = true)]
    not_ready: Option<String>,
    now: u64,
    #[schema(required = true)]
    head: Option<u64>,
    applied: u64,
    #[schema(required = true)]
    staleness_ms: Option<u64>,
    staleness_bound_ms: u64,
    store_clock_ahead_ms: i64,
    #[schema(required = true)]
    clocks: Option<String>,
    #[schema(required = true)]
    demo_user: Option<bool>,
    view_entries: u64,
    view_bytes: u64,
    cached_tokens: u64,
    nodes_live: u64,
    nodes_silent: u64,
}

/// Where the log stands. Tags and incarnations are 32 hexadecimal digits. **Units:** milliseconds.
#[derive(ToSchema)]
pub(crate) struct FeedHead {
    #[schema(pattern = "^[0-9a-f]{32}$")]
    incarnation: String,
    seq: u64,
    #[schema(pattern = "^[0-9a-f]{32}$")]
    tag: String,
    now: u64,
}

/// An entry of the log, as followers read it. **Units:** milliseconds.
#[derive(ToSchema)]
pub(crate) struct FeedEntry {
    seq: u64,
    at: u64,
    /// The kind, one blank and the id; `all` alone.
    scope: String,
    /// `"cut_off"`, or `{"lift": {"of": seq}}`.
    #[schema(value_type = Value)]
    act: Value,
    reason: String,
    actor: String,
    remember_until: u64,
}

/// Entries without a gap.
#[derive(ToSchema)]
pub(crate) struct FeedBatch {
    prev_tag: String,
    entries: Vec<FeedEntry>,
    tag: String,
    head: FeedHead,
    age_ms: u64,
    /// **Units:** seconds.
    max_access_lifetime: u64,
}

/// Always the same.
#[derive(ToSchema)]
pub(crate) enum GoneWord {
    #[schema(rename = "gone")]
    Gone,
}

/// The log cannot be told from that position.
#[derive(ToSchema)]
pub(crate) struct FeedGone {
    error: GoneWord,
    error_description: String,
    head: FeedHead,
    age_ms: u64,
}

/// A cut-off that can matter.
#[derive(ToSchema)]
pub(crate) struct CutOffLine {
    scope: String,
    seq: u64,
    at: u64,
}

/// All cut-offs that can matter, a line each.
#[derive(ToSchema)]
pub(crate) struct SnapshotJson {
    head: FeedHead,
    age_ms: u64,
    issuer: String,
    jwks_uri: String,
    max_access_lifetime: u64,
    cut_offs: Vec<CutOffLine>,
    /// How many there are: a snapshot that breaks off has none.
    count: u64,
}
