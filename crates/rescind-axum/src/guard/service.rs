//! The layer's service: finds the token, asks the engine, asks the route's rules, and only then the service behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use rescind::rejection::Rejection;
use tower_service::Service;

use super::csrf::Site;
use super::{Guard, GuardBody, Log, Need, Passed, Who};
use crate::bearer::{Means, access_token};
use crate::refusal::Refusal;
use crate::staleness::{self, STALENESS, warn_of_staleness};

/// A service behind a [`Guard`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl<S> Guarded<S> {
    pub(super) const fn new(inner: S, guard: Arc<Guard>) -> Self {
        Self { inner, guard }
    }
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready goes along, a clone of it stays.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let who = match guard.admit(&parts).await {
                Ok(who) => who,
                Err(refusal) => return Ok(GuardBody::refused(refusal)),
            };
            let stale = if let Who::Live(live) = &who { live.staleness() } else { None };
            parts.extensions.insert(Passed { guard, who });
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            if let Some(age) = stale {
                response.headers_mut().insert(STALENESS, staleness::value(age));
            }
            Ok(GuardBody::inner(response))
        })
    }
}

impl Guard {
    async fn admit(&self, request: &Parts) -> Result<Who, Refusal> {
        let (token, means) = match access_token(&request.headers, self.tokens)? {
            Ok(found) => found,
            Err(_) if self.need == Need::Optional => return Ok(Who::Nobody),
            Err(missing) => return Err(missing.into()),
        };
        if means == Means::Cookie {
            self.refuse_another_site(request).await?;
        }
        let who = match self.log {
            Log::Asked(policy) => {
                let live = self.rescind.check_as(token, policy).await?;
                if let Some(age) = live.staleness() {
                    warn_of_staleness(&self.rescind, age);
                }
                Who::Live(live)
            }
            Log::Skipped => Who::Unchecked(self.rescind.verify(token)?),
        };
        self.require(&who)?;
        Ok(who)
    }

    /// A cookie came along: whoever let the request be sent must be of this site.
    pub(crate) async fn refuse_another_site(&self, request: &Parts) -> Result<(), Refusal> {
        match self.csrf.site(&request.method, &request.uri, &request.headers).await {
            Site::Own => Ok(()),
            Site::Foreign => Err(Refusal::CrossSite),
        }
    }

    /// RFC 6750 §3.1, RFC 9470 §3: a good token may still be too little.
    fn require(&self, who: &Who) -> Result<(), Rejection> {
        let verified = match who {
            Who::Live(live) => &**live,
            Who::Unchecked(verified) => verified,
            Who::Nobody => return Ok(()),
        };
        if !self.scopes.iter().all(|word| verified.has_scope(word)) {
            return Err(Rejection::InsufficientScope);
        }
        match (self.max_age, who) {
            (Some(max_age), Who::Live(live)) => live.require_fresh(max_age),
            (Some(max_age), _) if self.rescind.clock().wall().since(verified.auth_time()) > max_age => {
                Err(Rejection::NotFresh)
            }
            _ => Ok(()),
        }
    }
}
