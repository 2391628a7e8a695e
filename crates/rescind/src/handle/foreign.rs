//! Checking tokens of foreign issuers. Their own scopes are asked exactly; wider ones by `iat`, where doubt means
//! revoked.

use std::time::Duration;

use super::check::{Asked, Policy};
use super::error::Error;
use super::event::Bearer;
use super::inspect::Kind;
use super::{Inner, Rescind};
use crate::access_token::{ForeignIssuer, ForeignVerified, Unverified};
use crate::rejection::Rejection;
use crate::view::{Now, Scopes, View};

/// A foreign access token that is good: verified, and not revoked here.
#[derive(Debug, Clone)]
pub struct LiveForeign {
    verified: ForeignVerified,
    staleness: Option<Duration>,
}

impl LiveForeign {
    /// How old the view was, where it was stale and the policy allows that; `None` where it was fresh.
    pub const fn staleness(&self) -> Option<Duration> {
        self.staleness
    }
}

impl std::ops::Deref for LiveForeign {
    type Target = ForeignVerified;

    fn deref(&self) -> &ForeignVerified {
        &self.verified
    }
}

impl Rescind {
    /// Checks an access token of a foreign issuer that the handle was built with. [`AlsoCheck`](super::AlsoCheck) is not
    /// asked, since it knows our own tokens only.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn check_foreign(&self, token: &str) -> Result<LiveForeign, Error> {
        let inner = &*self.0;
        let refused = |rejection| inner.tell_refused(Kind::Access, rejection, Bearer::default);
        let (verified, issuer) = inner.verify_foreign(token).inspect_err(|rejection| refused(*rejection))?;
        // A token without a position: the one that had surely been given when it was issued stands for it, also by a
        // clock that is as far ahead as the issuer's may be.
        let skew = inner.settings.skew.max(issuer.expectations().skew());
        let position = inner.view.position_before(verified.issued_at(), skew);
        let scopes = Scopes {
            token: verified.token(),
            session: verified.session(),
            subject: Some(verified.subject()),
            client: verified.client(),
            key: verified.key_id(),
        };
        let probe = inner.view.probe(scopes, position);
        // Names are exact: a cut-off on one covers it, whenever the token says that it was issued.
        let covering = |view: &View| view.covering_by_name(&probe).or_else(|| view.covering(&probe));
        let asked = inner.ask_log(covering, Policy::Bounded(inner.settings.on_stale), Now::read(&*inner.clock)).await;
        let Asked { staleness, waited } = asked.inspect_err(|error| {
            if let Error::Rejected(rejection) = error {
                inner.tell_refused(Kind::Access, *rejection, || Bearer::from(&verified));
            }
        })?;
        if waited.is_some() {
            inner.verify_foreign(token).inspect_err(|rejection| refused(*rejection))?;
        }
        Ok(LiveForeign { verified, staleness })
    }
}

impl Inner {
    /// Verifies with the issuer whose key set has the token's key: one key set belongs to one issuer.
    pub(super) fn verify_foreign(&self, token: &str) -> Result<(ForeignVerified, &ForeignIssuer), Rejection> {
        let token = Unverified::parse(token)?;
        let now = self.clock.wall();
        let mut refused = Rejection::UnknownKey;
        for issuer in &self.foreign {
            match issuer.verify(token, now) {
                Err(Rejection::UnknownKey) => {}
                Err(other) if refused == Rejection::UnknownKey => refused = other,
                Err(_) => {}
                Ok(verified) => return Ok((verified, issuer)),
            }
        }
        Err(refused)
    }
}
