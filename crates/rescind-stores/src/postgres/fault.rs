//! What went wrong between the Postgres store and its database, before it is put into the contract's words. Owns the
//! meaning of SQLSTATE codes and the remedies that messages name; never prints a URL or a password.

use std::error::Error;
use std::fmt;

use rescind::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// A fault that does not yet know its operation and server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: StoreErrorKind,
    text: String,
    /// Whether one call of a batch may have brought it upon the others: alone, they might pass.
    by_input: bool,
}

impl Fault {
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), by_input: false }
    }

    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Unavailable, text)
    }

    pub(super) fn corrupt(text: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, text)
    }

    /// No connection was made, so nothing was asked and nothing written.
    pub(super) fn unconnected(error: tokio_postgres::Error) -> Self {
        if error.as_db_error().is_some() {
            return Self::from(error);
        }
        let text = chain(&error);
        let remedy = unconnected_remedy(&text);
        Self::unavailable(format!("{text}; {remedy}"))
    }

    /// The server takes no writes: what it shows may have been overtaken.
    pub(super) fn read_only() -> Self {
        Self::unavailable(
            "the server is read-only, or a replica. Connect to the primary: name all servers in the URL, with \
             target_session_attrs=read-write",
        )
    }

    /// The server refused what it was sent: another try with less in it may pass.
    pub(super) const fn is_by_input(&self) -> bool {
        self.by_input
    }

    /// The contract's error: names the operation, the server, the fault and the remedy.
    pub(super) fn error(&self, op: &'static str, server: &str) -> StoreError {
        StoreError::new(self.kind, op, format!("{server}: {}", self.text))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::unavailable(format!("{}. Whether a write happened is unknown", chain(&error)));
        };
        let code = db.code();
        let (kind, remedy) = meaning(code);
        let by_input = ["22", "23", "54"].iter().any(|class| code.code().starts_with(class));
        let detail = db.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        Self { kind, text: format!("{}{detail} [SQLSTATE {}]{remedy}", db.message(), code.code()), by_input }
    }
}

/// What an operator does about a connection that was not made. The driver's errors have no kinds.
fn unconnected_remedy(text: &str) -> &'static str {
    if text.contains("password missing") {
        "the server asks for a password: write postgres://user:password@host:5432/database in the store's URL"
    } else if text.contains("does not support TLS") {
        "set ssl = on at the server; or, where nobody else is on the way, sslmode=disable in the store's URL"
    } else if text.contains("certificate") {
        "name the file of the authority that signed the server's certificate as sslrootcert in the store's URL, and the host \
         as the certificate names it"
    } else if text.contains("lookup address") {
        "correct the host in the store's URL"
    } else {
        "see that it runs there, or correct the store's URL"
    }
}

/// What a code means for the caller, and what an operator does about it.
fn meaning(code: &SqlState) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Corrupt, Full, Unavailable};
    match code.code() {
        "53100" => (Full, ". Free space on the server's disk; writes resume by themselves"),
        "54000" => (Full, ""),
        "XX001" | "XX002" => (Corrupt, ". Stop writing, check the server's disk, and restore from a backup"),
        "25006" => (
            Unavailable,
            ". The server is read-only, or a replica. Connect to the primary: name all servers in the URL, \
             with target_session_attrs=read-write",
        ),
        "53300" => (Unavailable, ". Raise max_connections, or put fewer nodes or a smaller pool on this server"),
        "28P01" | "28000" => (Unavailable, ". Check user and password in the store's URL, and pg_hba.conf"),
        "3D000" => (Unavailable, ". Create the database, or name another in the store's URL"),
        "42501" => (Unavailable, ". Grant it: the store's user must own its schema, or be allowed to make it"),
        "55P03" => (Unavailable, ". Another session holds the log's head: look for it in pg_stat_activity"),
        // What a layout of ours always has. While a backup is being restored it is away, and then there again: no damage
        // after which nothing more is read.
        "3F000" | "42P01" | "42883" | "42703" => (
            Unavailable,
            ". The store's schema is not whole: wait where it is being restored, or restore it from a backup",
        ),
        code if code.starts_with("22") || code.starts_with("23") => (Corrupt, ""),
        _ => (Unavailable, ""),
    }
}

/// The error with its causes, which its own text leaves out.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
