//! Gives refusals another form: other bodies, other status, for clients that know another system's. Owns the layer that
//! finds them in answers; a refusal's meaning is [`Refusal`]'s.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::Refusal;
use crate::refusal::Told;

/// A layer that passes every refused answer through a function: those of the extractors, of a [`Guard`](crate::Guard)
/// and of the ready-made routes alike. Other answers are left as they are.
///
/// The function is given why, and the answer as RFC 6750 asks; what it returns is sent. Stands outside of what it reshapes.
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use axum::routing::get;
/// use axum::{Json, Router};
/// use rescind::Rescind;
/// use rescind_axum::{Live, Refusal, Reshape};
///
/// fn in_our_words(refusal: &Refusal, answer: Response) -> Response {
///     let body = Json(serde_json::json!({ "msg": refusal.to_string() }));
///     (answer.status(), answer.headers().clone(), body).into_response()
/// }
///
/// fn app(rescind: Rescind) -> Router {
///     Router::new()
///         .route("/protected", get(async |token: Live| token.subject().to_string()))
///         .layer(Reshape::new(in_our_words))
///         .with_state(rescind)
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "does nothing until it is a layer of a service"]
pub struct Reshape<F>(F);

impl<F> Reshape<F> {
    /// Passes refused answers through this function.
    pub const fn new(reshape: F) -> Self {
        Self(reshape)
    }
}

impl<S, F: Clone> Layer<S> for Reshape<F> {
    type Service = Reshaped<S, F>;

    fn layer(&self, inner: S) -> Reshaped<S, F> {
        Reshaped { inner, reshape: self.0.clone() }
    }
}

/// A service behind [`Reshape`].
#[derive(Debug, Clone, Copy)]
pub struct Reshaped<S, F> {
    inner: S,
    reshape: F,
}

impl<S, F, Q, B> Service<Request<Q>> for Reshaped<S, F>
where
    S: Service<Request<Q>, Response = Response<B>>,
    F: Fn(&Refusal, Response<B>) -> Response<B> + Clone,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Reshaping<S::Future, F>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        Reshaping { future: self.inner.call(request), reshape: self.reshape.clone() }
    }
}

pin_project! {
    /// The answer to be, and how a refused one is reshaped.
    pub struct Reshaping<T, F> {
        #[pin]
        future: T,
        reshape: F,
    }
}

impl<T, F, B, E> Future for Reshaping<T, F>
where
    T: Future<Output = Result<Response<B>, E>>,
    F: Fn(&Refusal, Response<B>) -> Response<B>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.future.poll(context))?;
        // Taken out, so that a second layer further out leaves alone what this one has said.
        Poll::Ready(Ok(match response.extensions_mut().remove::<Told>() {
            Some(Told(refusal)) => (this.reshape)(&refusal, response),
            None => response,
        }))
    }
}
