//! The application's own words: who may have tokens, which tokens may pass, and what it wants to hear of. Owns how a
//! callback is called: never for longer than its bound, and its panic is a fault and not the end of a task.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use async_trait::async_trait;
use tokio::time::timeout;

use super::Inner;
use super::error::{BoxError, Error};
use super::event::{Bearer, Event};
use super::inspect::Kind;
use crate::access_token::Verified;
use crate::id::Subject;
use crate::rejection::Rejection;

/// The application's word on whether a subject may have tokens, asked at every opening and refresh.
///
/// A closure can be one, too:
///
/// ```
/// use rescind::{Rescind, id::Subject};
///
/// let builder = Rescind::builder("https://login.example", "https://api.example")
///     .welcome(|subject: Subject| async move { Ok(subject.as_str() != "mallory") });
/// ```
#[async_trait]
pub trait Welcome: Send + Sync + 'static {
    /// Whether the subject may have tokens.
    ///
    /// # Errors
    /// Any error is answered with 503, never with a token; so are a panic, and an answer that takes longer than
    /// [`callback_timeout`](crate::Settings::callback_timeout). The refresh token is not consumed.
    async fn is_welcome(&self, subject: &Subject) -> Result<bool, BoxError>;
}

#[async_trait]
impl<F, A> Welcome for F
where
    F: Fn(Subject) -> A + Send + Sync + 'static,
    A: Future<Output = Result<bool, BoxError>> + Send,
{
    async fn is_welcome(&self, subject: &Subject) -> Result<bool, BoxError> {
        self(subject.clone()).await
    }
}

/// The application's word on a verified token, asked at every check, after the log. Tokens of foreign issuers are not
/// ours to describe by it: whoever calls [`check_foreign`](crate::Rescind::check_foreign) judges the claims that it gives.
///
/// A closure can be one, too:
///
/// ```
/// use rescind::{Rescind, access_token::Verified};
///
/// let builder = Rescind::builder("https://login.example", "https://api.example")
///     .also_check(|token: Verified| async move { Ok(token.has_scope("api")) });
/// ```
#[async_trait]
pub trait AlsoCheck: Send + Sync + 'static {
    /// Whether the token may pass.
    ///
    /// # Errors
    /// Any error is answered with 503, never with a pass; so are a panic, and an answer that takes longer than
    /// [`callback_timeout`](crate::Settings::callback_timeout).
    async fn also_check(&self, token: &Verified) -> Result<bool, BoxError>;
}

#[async_trait]
impl<F, A> AlsoCheck for F
where
    F: Fn(Verified) -> A + Send + Sync + 'static,
    A: Future<Output = Result<bool, BoxError>> + Send,
{
    async fn also_check(&self, token: &Verified) -> Result<bool, BoxError> {
        self(token.clone()).await
    }
}

/// What the application hears of, after the fact. Changes no answer, also by a panic, which is logged.
///
/// It is called in the middle of a request and must not block: hand over what takes time.
///
/// ```
/// use rescind::{Event, Rescind};
///
/// let (sender, receiver) = tokio::sync::mpsc::channel(1024);
/// let builder = Rescind::builder("https://login.example", "https://api.example").on_event(move |event: &Event| {
///     // Full: the news is lost rather than the request late.
///     drop(sender.try_send(event.clone()));
/// });
/// ```
pub trait OnEvent: Send + Sync + 'static {
    /// Hears of it. A cut-off, a lift or a session that it tells is durable already.
    fn on_event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> OnEvent for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}

impl Inner {
    /// Asks the application whether a subject may have tokens.
    pub(super) async fn is_welcome(&self, subject: &Subject) -> Result<bool, Error> {
        match &self.welcome {
            Some(welcome) => self.answer("welcome", async { welcome.is_welcome(subject).await }).await,
            None => Ok(true),
        }
    }

    /// Asks the application whether a verified token may pass.
    pub(super) async fn also_checked(&self, token: &Verified) -> Result<(), Error> {
        let Some(also) = &self.also_check else { return Ok(()) };
        if self.answer("also_check", async { also.also_check(token).await }).await? {
            Ok(())
        } else {
            Err(Rejection::AlsoCheck.into())
        }
    }

    /// Waits for a callback within its bound; late and panicked are faults as an error is.
    async fn answer(&self, name: &str, call: impl Future<Output = Result<bool, BoxError>>) -> Result<bool, Error> {
        let bound = self.settings.callback_timeout;
        let mut call = pin!(call);
        let guarded = std::future::poll_fn(|context| {
            // What the callback has half done is the application's; ours is not touched by it.
            catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)))
                .unwrap_or_else(|_| Poll::Ready(Err(format!("{name} panicked").into())))
        });
        match timeout(bound, guarded).await {
            Ok(answer) => answer.map_err(Error::Callback),
            Err(_) => Err(Error::Callback(format!("{name} did not answer within {bound:?}").into())),
        }
    }

    /// Tells the application. **Cost:** where nobody listens, nothing: `event` is not even made.
    pub(super) fn tell(&self, event: impl FnOnce() -> Event) {
        let Some(on_event) = &self.on_event else { return };
        let event = event();
        if catch_unwind(AssertUnwindSafe(|| on_event.on_event(&event))).is_err() {
            tracing::error!("on_event panicked; the answer is as if it had not");
        }
    }

    /// Tells the application of a refusal.
    pub(super) fn tell_refused(&self, kind: Kind, rejection: Rejection, bearer: impl FnOnce() -> Bearer) {
        self.tell(|| Event::Refused { kind, rejection, bearer: bearer() });
    }
}
