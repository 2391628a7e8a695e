//! Users who sign in at a provider. Such a user is an account there, known by issuer and subject and never by an e-mail
//! address, which can change hands (OWASP ASVS 10.5.2). Owns when its record is made, and who let it in.

use rescind::id::{InvalidId, Subject};
use rescind::store::Put;
use serde::{Deserialize, Serialize};

use super::{Proof, Row, TRIES, User, UserError, Users};

/// An account at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The provider's URL, as in its ID tokens.
    pub(crate) issuer: String,
    /// The provider's name for somebody, which is nobody else's ever.
    pub(crate) subject: String,
    /// As the provider told it at the last sign-in; tells an operator who it is, and decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<Email>,
    /// Who let it in.
    pub(crate) added: Added,
}

/// An e-mail address, as a provider tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Email {
    pub(crate) address: String,
    /// Whether the provider says that it is the account's.
    pub(crate) verified: bool,
}

/// Who let an account in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Added {
    /// An operator, whatever the configuration says.
    Operator,
    /// The configuration's list, at the first sign-in; it is asked again at each.
    SignIn,
}

/// What the records say about an account that wants to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// An operator has added it.
    Welcome,
    /// The configuration's list decides: it was never here, or came by the list.
    AsListed,
    /// It is disabled, or the name is that of a user with a password.
    ShutOut,
}

impl Users {
    /// What is said about this account, which may never have been here.
    ///
    /// # Errors
    /// [`UserError::Store`].
    pub(crate) async fn standing(&self, account: &Subject) -> Result<Standing, UserError> {
        let Some((row, _)) = self.row(account).await? else { return Ok(Standing::AsListed) };
        Ok(match &row.proof {
            _ if row.disabled => Standing::ShutOut,
            Proof::Password { .. } => Standing::ShutOut,
            Proof::Account { account } if account.added == Added::Operator => Standing::Welcome,
            Proof::Account { .. } => Standing::AsListed,
        })
    }

    /// Lets an account in in advance, whatever the configuration's list says. One that came by the list stays, too, when
    /// it is taken off.
    ///
    /// # Errors
    /// [`UserError::Taken`] where an operator has added it before; [`UserError::Busy`], [`UserError::Store`].
    pub(crate) async fn add_account(&self, subject: &Subject, account: Account) -> Result<User, UserError> {
        for _ in 0..TRIES {
            let (row, version) = match self.row(subject).await? {
                None => (self.new_row(subject, account.clone()), 0),
                Some((row, version)) => match row.proof {
                    Proof::Account { account } if account.added == Added::SignIn => {
                        let proof = Proof::Account { account: Account { added: Added::Operator, ..account } };
                        (Row { proof, ..row }, version)
                    }
                    _ => return Err(UserError::Taken),
                },
            };
            if let Put::Written(version) = self.put(subject, version, &row).await? {
                return Ok(self.user(subject, &row, version));
            }
        }
        Err(UserError::Busy)
    }

    /// Writes down that an account has signed in: its record at the first time, its e-mail address where it is another.
    /// `None` where it has been shut out meanwhile.
    ///
    /// # Errors
    /// [`UserError::Busy`], [`UserError::Store`].
    pub(crate) async fn arrived(&self, subject: &Subject, seen: Account) -> Result<Option<User>, UserError> {
        for _ in 0..TRIES {
            let (row, version) = match self.row(subject).await? {
                None => (self.new_row(subject, seen.clone()), 0),
                Some((row, version)) => match &row.proof {
                    _ if row.disabled => return Ok(None),
                    Proof::Password { .. } => return Ok(None),
                    Proof::Account { account } if account.email == seen.email => {
                        return Ok(Some(self.user(subject, &row, version)));
                    }
                    Proof::Account { account } => {
                        let proof = Proof::Account { account: Account { added: account.added, ..seen.clone() } };
                        (Row { proof, ..row }, version)
                    }
                },
            };
            if let Put::Written(version) = self.put(subject, version, &row).await? {
                return Ok(Some(self.user(subject, &row, version)));
            }
        }
        Err(UserError::Busy)
    }

    fn new_row(&self, subject: &Subject, account: Account) -> Row {
        Row {
            username: subject.to_string(),
            proof: Proof::Account { account },
            disabled: false,
            demo: false,
            created_at: self.clock.wall().as_secs(),
        }
    }
}

/// Whether a name could be taken for an account's, long or short: the record of one must not stand in the other's place.
pub(super) fn looks_like_account(name: &str) -> bool {
    name.split_once('|').is_some_and(|(front, _)| front == "sha256" || front.contains("://"))
}

/// The `sub` of an account's tokens.
///
/// # Errors
/// [`InvalidId`] where the provider's name for it cannot be part of one.
pub(crate) fn account(issuer: &str, subject: &str) -> Result<Subject, InvalidId> {
    Subject::new(format!("{issuer}|{subject}"))
}
