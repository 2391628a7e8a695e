//! Who may sign in: one record a user in the store, under compare-and-set. Owns the record's shape and the bounds of
//! names and passwords; knows no HTTP. A disabled user's sessions are ended by whoever disables, through the log.

mod accounts;
mod door;
mod password;
mod throttle;

use std::sync::Arc;

use async_trait::async_trait;
use rescind::id::Subject;
use rescind::store::{Put, Record, RecordKind, Store, StoreError, StoreErrorKind};
use rescind::time::{Clock, Timestamp};
use rescind::{BoxError, Welcome};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::accounts::looks_like_account;
pub(crate) use self::accounts::{Account, Added, Email, Standing, account};
pub(crate) use self::door::Door;
use self::password::Passwords;
pub(crate) use self::throttle::{Attempt, Throttle};

/// A name has at most this many bytes.
const NAME_LIMIT: usize = 128;
/// A password has at most this many bytes, so that hashing it is no lever.
const PASSWORD_LIMIT: usize = 1024;
/// A new password has at least this many characters (NIST SP 800-63B §3.1.1.2).
const PASSWORD_LEAST: usize = 8;
/// The name and the password of the user of `--dev`.
const DEMO: &str = "demo";
/// How often a compare-and-set is tried again.
const TRIES: usize = 8;

/// The users.
#[derive(Clone)]
pub(crate) struct Users {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    passwords: Passwords,
    demo: Demo,
}

/// What becomes of the user whose password is known to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demo {
    /// `--dev`: may sign in.
    Welcome,
    /// Is as if disabled, until it gets a password of its own.
    ShutOut,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// The `sub` of the user's tokens, and the record's id: the name itself, or issuer and subject of an account.
    pub(crate) subject: Subject,
    /// The account at a provider; `None` for a user with a password.
    pub(crate) account: Option<Account>,
    /// Whether sign-in and refresh are refused.
    pub(crate) disabled: bool,
    pub(crate) created_at: Timestamp,
    /// Which writing of the record this is.
    version: u64,
}

/// What to change about a user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) disabled: Option<bool>,
    pub(crate) password: Option<Zeroizing<String>>,
}

/// Why a user could not be added, changed or told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// The name or password is out of bounds.
    #[error("{0}")]
    Invalid(&'static str),
    /// The name is taken.
    #[error("a user of this name exists already")]
    Taken,
    /// Who signs in at a provider has no password here.
    #[error("this user signs in at a provider, and has no password here")]
    NoPassword,
    /// There is no such user.
    #[error("no such user")]
    Unknown,
    /// Too many passwords are being hashed.
    #[error("too many sign-ins at once; try again")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password does not fit what was read of a store that may not be the right one any more.
    #[error(transparent)]
    Unproven(StoreError),
}

/// Who made a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Operator,
    Dev,
}

/// How a user proves who they are. There is one way for each.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Proof {
    /// PHC string of Argon2id.
    Password { password: String },
    /// By signing in at a provider.
    Account { account: Account },
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    username: String,
    #[serde(flatten)]
    proof: Proof,
    disabled: bool,
    /// Made by `--dev`, with the password that everybody knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    demo: bool,
    /// **Units:** seconds since the epoch.
    created_at: u64,
}

/// A user's record as it was read.
#[derive(Clone, PartialEq, Eq)]
struct Known {
    subject: Subject,
    row: Row,
    version: u64,
}

impl Users {
    /// The users in this store.
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, demo: Demo) -> Self {
        Self { store, clock, passwords: Passwords::new(), demo }
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`UserError::Invalid`], [`UserError::Taken`], [`UserError::Busy`], [`UserError::Store`].
    pub(crate) async fn add(&self, name: &str, password: Zeroizing<String>) -> Result<User, UserError> {
        if password.chars().count() < PASSWORD_LEAST {
            return Err(UserError::Invalid("password has fewer than 8 characters"));
        }
        self.insert(name, password, Origin::Operator).await
    }

    /// Adds the user of `--dev` where it is missing.
    ///
    /// # Errors
    /// As [`add`](Self::add), but one that exists is left as it is.
    pub(crate) async fn add_demo(&self) -> Result<(), UserError> {
        match self.insert(DEMO, Zeroizing::new(DEMO.to_owned()), Origin::Dev).await {
            Ok(_) | Err(UserError::Taken) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the user of `--dev` is in the store, with its first password and not disabled.
    ///
    /// # Errors
    /// [`UserError::Store`].
    pub(crate) async fn has_demo(&self) -> Result<bool, UserError> {
        Ok(self.row(&checked_name(DEMO)?).await?.is_some_and(|(row, _)| row.demo && !row.disabled))
    }

    async fn insert(&self, name: &str, password: Zeroizing<String>, origin: Origin) -> Result<User, UserError> {
        let subject = checked_name(name)?;
        if looks_like_account(name) {
            return Err(UserError::Invalid("username has the form of an account at a provider, ISSUER|SUBJECT"));
        }
        if password.len() > PASSWORD_LIMIT {
            return Err(UserError::Invalid("password is longer than 1024 bytes"));
        }
        if self.store.record(RecordKind::USERS, subject.as_str()).await?.is_some() {
            return Err(UserError::Taken);
        }
        let row = Row {
            username: name.to_owned(),
            proof: Proof::Password { password: self.passwords.hash(password).await? },
            disabled: false,
            demo: origin == Origin::Dev,
            created_at: self.clock.wall().as_secs(),
        };
        match self.put(&subject, 0, &row).await? {
            Put::Written(version) => Ok(self.user(&subject, &row, version)),
            Put::Stale => Err(UserError::Taken),
        }
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`UserError`]; [`UserError::Busy`] also where others kept changing the same user.
    pub(crate) async fn change(&self, subject: &Subject, change: Change) -> Result<User, UserError> {
        if self.row(subject).await?.is_none() {
            return Err(UserError::Unknown);
        }
        let hash = match change.password {
            Some(password) if password.chars().count() < PASSWORD_LEAST => {
                return Err(UserError::Invalid("password has fewer than 8 characters"));
            }
            Some(password) if password.len() > PASSWORD_LIMIT => {
                return Err(UserError::Invalid("password is longer than 1024 bytes"));
            }
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        for _ in 0..TRIES {
            let Some((mut row, version)) = self.row(subject).await? else { return Err(UserError::Unknown) };
            row.disabled = change.disabled.unwrap_or(row.disabled);
            if let Some(hash) = &hash {
                if matches!(row.proof, Proof::Account { .. }) {
                    return Err(UserError::NoPassword);
                }
                row.proof = Proof::Password { password: hash.clone() };
                row.demo = false;
            }
            if change.disabled == Some(false) && self.shuts_out(&row) {
                return Err(UserError::Invalid("the user of --dev signs in only with a new password; set one"));
            }
            if let Put::Written(version) = self.put(subject, version, &row).await? {
                return Ok(self.user(subject, &row, version));
            }
        }
        Err(UserError::Busy)
    }

    /// Finds a user.
    ///
    /// # Errors
    /// [`UserError::Store`].
    pub(crate) async fn find(&self, subject: &Subject) -> Result<Option<User>, UserError> {
        Ok(self.row(subject).await?.map(|(row, version)| self.user(subject, &row, version)))
    }

    /// Whether the user is as it was read: neither password nor disabling has been written since.
    ///
    /// # Errors
    /// [`UserError::Store`].
    pub(crate) async fn is_unchanged(&self, user: &User) -> Result<bool, UserError> {
        Ok(self.row(&user.subject).await?.is_some_and(|(_, version)| version == user.version))
    }

    /// Lists users in the order of their names' bytes, after the name `after`.
    ///
    /// # Errors
    /// [`UserError::Store`].
    pub(crate) async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, UserError> {
        let records = self.store.records(RecordKind::USERS, after, limit).await?;
        let read = |(id, record): (String, Record)| Ok(self.user(&subject_of(&id)?, &row_of(&record)?, record.version));
        records.into_iter().map(read).collect()
    }

    /// The user of this name with this password, who may sign in; `None` for any other, behind `prove`: that the store which
    /// was read is the one that all nodes write to.
    ///
    /// **Cost:** the same for a name that exists, one that does not, a disabled one, and one that has no password.
    ///
    /// # Errors
    /// [`UserError::Busy`], [`UserError::Store`], [`UserError::Unproven`].
    pub(crate) async fn verify<F>(
        &self,
        name: &str,
        password: Zeroizing<String>,
        prove: impl FnOnce() -> F,
    ) -> Result<Option<User>, UserError>
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        let known = self.known(name).await?;
        if let Some(user) = self.matching(known.clone(), password.clone()).await? {
            return Ok(Some(user));
        }
        prove().await.map_err(UserError::Unproven)?;
        let again = self.known(name).await?;
        if again == known { Ok(None) } else { self.matching(again, password).await }
    }

    async fn known(&self, name: &str) -> Result<Option<Known>, UserError> {
        let Ok(subject) = checked_name(name) else { return Ok(None) };
        Ok(self.row(&subject).await?.map(|(row, version)| Known { subject, row, version }))
    }

    async fn matching(&self, known: Option<Known>, password: Zeroizing<String>) -> Result<Option<User>, UserError> {
        // One that is too long cannot have been set; hashing its front costs the same as hashing any other.
        let (password, fits) =
            if password.len() > PASSWORD_LIMIT { (Zeroizing::default(), false) } else { (password, true) };
        let hash = known.as_ref().and_then(|known| match &known.row.proof {
            Proof::Password { password } => Some(password.clone()),
            Proof::Account { .. } => None,
        });
        let matches = self.passwords.verify(password, hash).await?;
        match known {
            Some(Known { subject, row, version }) if matches && fits => {
                Ok(Some(self.user(&subject, &row, version)).filter(|user| !user.disabled))
            }
            _ => Ok(None),
        }
    }

    fn user(&self, subject: &Subject, row: &Row, version: u64) -> User {
        let account = match &row.proof {
            Proof::Password { .. } => None,
            Proof::Account { account } => Some(account.clone()),
        };
        let (subject, disabled) = (subject.clone(), row.disabled || self.shuts_out(row));
        User { subject, account, disabled, created_at: Timestamp::from_secs(row.created_at), version }
    }

    fn shuts_out(&self, row: &Row) -> bool {
        row.demo && self.demo == Demo::ShutOut
    }

    async fn row(&self, subject: &Subject) -> Result<Option<(Row, u64)>, UserError> {
        let record = self.store.record(RecordKind::USERS, subject.as_str()).await?;
        record.map(|record| Ok((row_of(&record)?, record.version))).transpose()
    }

    async fn put(&self, subject: &Subject, expected: u64, row: &Row) -> Result<Put, UserError> {
        let body = serde_json::to_vec(row).map_err(|error| corrupt("put_user", error))?;
        Ok(self.store.put_record(RecordKind::USERS, subject.as_str(), expected, body, None).await?)
    }
}

/// A subject that is no user of ours comes from a trusted backend, and is welcome.
#[async_trait]
impl Welcome for Users {
    async fn is_welcome(&self, subject: &Subject) -> Result<bool, BoxError> {
        Ok(self.find(subject).await?.is_none_or(|user| !user.disabled))
    }
}

/// 1 to 128 bytes, no control characters, no blank at either end: two names that look alike on a line are not both there.
fn checked_name(name: &str) -> Result<Subject, UserError> {
    if name.len() > NAME_LIMIT {
        return Err(UserError::Invalid("username is longer than 128 bytes"));
    }
    if name.trim() != name {
        return Err(UserError::Invalid("username begins or ends with a blank"));
    }
    Subject::new(name).map_err(|_| UserError::Invalid("username is empty or has a control character"))
}

fn subject_of(id: &str) -> Result<Subject, StoreError> {
    Subject::new(id).map_err(|error| corrupt("users", error))
}

fn row_of(record: &Record) -> Result<Row, StoreError> {
    serde_json::from_slice(&record.body).map_err(|error| corrupt("users", error))
}

fn corrupt(op: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, op, error)
}

#[cfg(test)]
mod tests;
