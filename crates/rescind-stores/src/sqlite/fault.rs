//! What went wrong inside the SQLite store, before it is put into the contract's words. Owns the meaning of SQLite's
//! result codes and the remedies that messages name.

use std::fmt;
use std::path::Path;

use rescind::store::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// How much a fault takes down with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Only the call that met it: nothing was written by that call.
    Call,
    /// SQLite itself refused: the transaction that it happened in cannot be committed.
    Transaction,
}

/// A fault that does not yet know its operation and file.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: StoreErrorKind,
    reach: Reach,
    text: String,
}

impl Fault {
    /// A fault of one call, which has written nothing.
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, reach: Reach::Call, text: text.into() }
    }

    /// The same fault, as another kind.
    pub(super) fn of_kind(self, kind: StoreErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// A fault of SQLite while the file is opened: nothing was acknowledged, so nothing is in doubt.
    pub(super) fn at_open(error: rusqlite::Error) -> Self {
        Self::from(error).before_use()
    }

    /// The same fault, before anything was acknowledged.
    pub(super) fn before_use(self) -> Self {
        match self.kind {
            StoreErrorKind::Broken => self.of_kind(StoreErrorKind::Unavailable),
            _ => self,
        }
    }

    /// Whether the transaction that it happened in cannot be committed.
    pub(super) const fn takes_transaction(&self) -> bool {
        matches!(self.reach, Reach::Transaction)
    }

    /// The contract's error: names the operation, the file, the fault and the remedy.
    pub(super) fn error(&self, op: &'static str, file: &Path) -> StoreError {
        StoreError::new(self.kind, op, format!("{}: {}{}", file.display(), self.text, self.remedy(file)))
    }

    fn remedy(&self, file: &Path) -> String {
        match self.kind {
            StoreErrorKind::Full if self.takes_transaction() => {
                ". Free space on its disk; writes resume by themselves".to_owned()
            }
            StoreErrorKind::Unavailable | StoreErrorKind::Newer | StoreErrorKind::Full => String::new(),
            StoreErrorKind::Broken => {
                ". Nothing is acknowledged any more; check the disk, then restart the process".to_owned()
            }
            StoreErrorKind::Corrupt => format!(
                ". Stop the server and restore the file from a backup, or recover what can be read: \
                 sqlite3 '{}' .recover | sqlite3 recovered.db",
                file.display()
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
            Some(ErrorCode::SystemIoFailure) => StoreErrorKind::Broken,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation) => {
                StoreErrorKind::Corrupt
            }
            _ => StoreErrorKind::Unavailable,
        };
        let code = error.sqlite_error().map(|error| format!(" (SQLite code {})", error.extended_code));
        Self { kind, reach: Reach::Transaction, text: format!("{error}{}", code.unwrap_or_default()) }
    }
}
