//! Who may use the application: the tutorial's `valid_email_from_db`, asked at sign-in, at refresh and at every check.
//! Owns the list of addresses and which account has which; an application has its table of users in place of this.
//!
//! An account is the provider's issuer and subject. Its e-mail is looked up and never is the account: addresses change,
//! and change hands.

use std::sync::Arc;

use async_trait::async_trait;
use rescind::access_token::Verified;
use rescind::id::Subject;
use rescind::store::{RecordKind, Store, StoreError};
use rescind::{AlsoCheck, BoxError, Welcome};
use rescind_axum::oidc::{Admission, Identity};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The users. Clones share them.
#[derive(Clone)]
pub(crate) struct Users {
    listed: Listed,
    accounts: Arc<dyn Store>,
}

/// Whose address is good.
#[derive(Clone)]
enum Listed {
    /// Everybody for whom the provider vouches.
    Everyone,
    /// These and nobody else.
    Only(Arc<[String]>),
}

impl Users {
    /// Takes the addresses of `TUTORIAL_USERS`, with commas between; everybody where there is no such list.
    pub(crate) fn new(listed: Option<&str>, accounts: Arc<dyn Store>) -> Self {
        let listed = listed.map_or(Listed::Everyone, |list| {
            Listed::Only(list.split(',').map(str::trim).filter(|email| !email.is_empty()).map(str::to_owned).collect())
        });
        Self { listed, accounts }
    }

    /// The tutorial's look-up. `None` is somebody without an address that the provider has verified.
    fn is_valid_email(&self, email: Option<&str>) -> bool {
        match &self.listed {
            Listed::Everyone => true,
            Listed::Only(list) => email.is_some_and(|email| list.iter().any(|one| one.eq_ignore_ascii_case(email))),
        }
    }

    /// Keeps the account's present address, for when only the account is known.
    pub(crate) async fn remember(&self, who: &Identity) -> Result<(), StoreError> {
        let account = who.account();
        let known = self.accounts.record(RecordKind::USERS, account.as_str()).await?;
        let version = known.map_or(0, |record| record.version);
        let email = verified_email(who).unwrap_or_default().as_bytes().to_vec();
        // Stale: the same account signs in twice in this moment, and the other one has written the same.
        self.accounts.put_record(RecordKind::USERS, account.as_str(), version, email, None).await.map(drop)
    }
}

/// At sign-in.
#[async_trait]
impl Admission for Users {
    async fn admit(&self, who: &Identity) -> Result<bool, BoxError> {
        Ok(self.is_valid_email(verified_email(who)))
    }
}

/// At refresh: a user who was taken off the list gets no new tokens.
#[async_trait]
impl Welcome for Users {
    async fn is_welcome(&self, subject: &Subject) -> Result<bool, BoxError> {
        let record = self.accounts.record(RecordKind::USERS, subject.as_str()).await?;
        let email = record.map(|record| String::from_utf8(record.body)).transpose()?;
        Ok(self.is_valid_email(email.as_deref()))
    }
}

/// At every check, which asks no store: the token says whose address it was minted for.
#[async_trait]
impl AlsoCheck for Users {
    async fn also_check(&self, token: &Verified) -> Result<bool, BoxError> {
        let Listed::Only(_) = self.listed else { return Ok(true) };
        Ok(self.is_valid_email(token.claims::<Claims>()?.email.as_deref()))
    }
}

/// What the access token says beside the registered claims.
#[derive(Deserialize)]
struct Claims {
    email: Option<String>,
}

/// The claims that a session of this user has.
pub(crate) fn claims_of(who: &Identity) -> Option<Map<String, Value>> {
    Some(Map::from_iter([("email".to_owned(), verified_email(who)?.into())]))
}

fn verified_email(who: &Identity) -> Option<&str> {
    who.email.as_ref().filter(|email| email.verified).map(|email| email.address.as_str())
}
