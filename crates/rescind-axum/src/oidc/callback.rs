//! The second half of a sign-in: the browser is back. Owns the order of what is asked: whose sign-in it is, whose
//! response, then the code, the ID token, and last whether they may come in. No session is opened here.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use rescind::provider_token::{IdToken, IdTokenRules};
use rescind::store::{Put, RecordKind};

use super::error::{SignInError, SignInFault};
use super::exchange::{complete_claims, exchange};
use super::identity::{Identity, account};
use super::keys::{Unverified, verify_by};
use super::metadata::{Metadata, ResponseIssuer};
use super::providers::{Known, Providers, log};
use super::remembered::Patience;
use super::response::AuthorizationResponse;
use super::transaction::{Transaction, clearing};

/// An ID token is issued during the sign-in that it ends.
pub(super) const ID_TOKEN_AGE: Duration = Duration::from_mins(10);
/// How far a provider's clock and ours may differ.
pub(super) const SKEW: Duration = Duration::from_mins(1);

/// A sign-in that succeeded at the provider. Open a session for it.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The provider's name.
    pub provider: String,
    /// Who it is.
    pub identity: Identity,
    /// The path that was given at the beginning.
    pub return_to: Option<String>,
    /// Takes the spent sign-in out of the browser.
    pub clear_cookie: HeaderValue,
}

impl Providers {
    /// Finishes a sign-in: `query` is the callback's, `headers` those of its request, `name` the provider in its path;
    /// none only with [`RedirectUri::Exactly`](super::RedirectUri::Exactly).
    ///
    /// **Cost:** a write to the store, one or two requests to the provider; its keys where they are not known.
    ///
    /// **Atomicity:** a sign-in is finished once, whatever node is asked; when this fails, nothing was opened.
    ///
    /// # Errors
    /// [`SignInFault`] says what; where trying again may help, the browser's cookie is left for it.
    pub async fn finish(&self, name: Option<&str>, query: &str, headers: &HeaderMap) -> Result<Finished, SignInError> {
        let read = AuthorizationResponse::read(query).and_then(|response| {
            let transaction = Transaction::of(&response.state, self.1, headers, &self.0.seal);
            Ok((response, transaction.ok_or(SignInFault::ForeignState)?))
        });
        let (response, transaction) = read.map_err(|fault| refused(name.and_then(|name| self.known(name)), fault))?;
        let known = self.known(&transaction.provider);
        let clear_cookie = clearing(&transaction.state, self.1);
        let metadata = match self.admissible(name, known, &transaction, &response).await {
            Ok(metadata) => metadata,
            // Nothing was spent, so the same callback may be tried again.
            Err(fault) if fault.status_is_unavailable() => return Err(refused(known, fault)),
            Err(fault) => return Err(refused(known, fault).clearing(clear_cookie)),
        };
        let finished = match (known, response.outcome, clear_cookie) {
            (Some(known), Ok(code), Some(clear_cookie)) => {
                let identity = self.identity(known, &metadata, &transaction, &code).await;
                identity.map(|identity| (known.provider.name.clone(), identity, clear_cookie))
            }
            (_, Err(fault), _) => Err(fault),
            _ => Err(SignInFault::ForeignState),
        };
        let (provider, identity, clear_cookie) =
            finished.map_err(|fault| refused(known, fault).clearing(clearing(&transaction.state, self.1)))?;
        Ok(Finished { provider, identity, return_to: transaction.return_to, clear_cookie })
    }

    /// Whether the response is one to this sign-in; spends it.
    async fn admissible(
        &self,
        name: Option<&str>,
        known: Option<&Known>,
        transaction: &Transaction,
        response: &AuthorizationResponse,
    ) -> Result<Arc<Metadata>, SignInFault> {
        // Where the provider was taken out, or has another issuer, since the sign-in began.
        let known = known.filter(|known| known.provider.issuer.text == transaction.issuer);
        let known = known.ok_or(SignInFault::ForeignState)?;
        if !self.comes_back_to(name, &transaction.provider) {
            return Err(SignInFault::WrongProvider);
        }
        let now = self.0.rescind.clock().wall();
        if now >= transaction.ends() {
            return Err(SignInFault::Expired);
        }
        let metadata = known.metadata.get().await?.document;
        // RFC 9207 §2.4: simple string comparison, nothing is normalised.
        match &response.issuer {
            Some(issuer) if *issuer != transaction.issuer => return Err(SignInFault::WrongResponseIssuer),
            None if metadata.response_issuer == ResponseIssuer::Promised => {
                return Err(SignInFault::MissingResponseIssuer);
            }
            _ => {}
        }
        // Before the code is sent anywhere: whoever comes second with this state, on whichever node, goes away.
        let spent = format!("state:{}", transaction.state);
        let ends = Some(transaction.ends().plus(SKEW));
        match self.0.rescind.store().put_record(RecordKind::SPENT, &spent, 0, Vec::new(), ends).await? {
            Put::Written(_) => Ok(metadata),
            Put::Stale => Err(SignInFault::Replayed),
        }
    }

    async fn identity(
        &self,
        known: &Known,
        metadata: &Metadata,
        transaction: &Transaction,
        code: &str,
    ) -> Result<Identity, SignInFault> {
        let provider = &known.provider;
        let tokens = exchange(known, metadata, transaction, code).await?;
        let rules = IdTokenRules {
            issuer: &transaction.issuer,
            client_id: &provider.client_id,
            nonce: &transaction.nonce,
            access_token: Some(&tokens.access_token),
            max_age: ID_TOKEN_AGE,
            skew: SKEW,
        };
        let clock = self.0.rescind.clock();
        let verify = |keys: &_| IdToken::verify(&tokens.id_token, keys, &rules, clock.wall());
        let token = match verify_by(&known.keys, Patience::Wait, verify).await {
            Ok(token) => token,
            Err(Unverified::Refused(refused)) => return Err(SignInFault::IdToken(refused)),
            Err(Unverified::Fault(fault)) => return Err(fault.into()),
        };
        let IdToken { subject, sid, auth_time, issued_at, mut claims } = token;
        complete_claims(known, metadata.userinfo.as_ref(), &tokens.access_token, &subject, &mut claims).await?;
        let account = account(&transaction.issuer, &subject);
        let mut identity = Identity {
            account: account.map_err(|error| rescind::Error::Internal(error.into()))?,
            issuer: transaction.issuer.clone(),
            subject,
            email: None,
            name: None,
            provider_session: sid,
            auth_time,
            claims,
            issued_at,
        };
        identity.read();
        match provider.admission.admit(&identity).await {
            Ok(true) => Ok(identity),
            Ok(false) => Err(SignInFault::NotAdmitted),
            Err(error) => Err(SignInFault::Admission(error)),
        }
    }
}

fn refused(known: Option<&Known>, fault: SignInFault) -> SignInError {
    log(known, &fault);
    fault.into()
}
