//! The body of a guarded service's answers: the service's own, or a refusal's few bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::Refusal;

pin_project! {
    /// The service's own body, or a refusal's.
    pub struct GuardBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjected]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Refused { rest: Option<Bytes> },
    }
}

impl<B> GuardBody<B> {
    /// The service's own answer.
    pub(super) fn inner(response: Response<B>) -> Response<Self> {
        response.map(|body| Self { kind: Kind::Inner { body } })
    }

    /// A refusal's.
    pub(super) fn refused(refusal: Refusal) -> Response<Self> {
        refusal.into_answer().map(|bytes| Self { kind: Kind::Refused { rest: Some(bytes) } })
    }
}

/// Nothing, for layers further out that answer with an empty body.
impl<B> Default for GuardBody<B> {
    fn default() -> Self {
        Self { kind: Kind::Refused { rest: None } }
    }
}

impl<B> Body for GuardBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().kind.project() {
            KindProjected::Inner { body } => body.poll_frame(context),
            KindProjected::Refused { rest } => {
                Poll::Ready(rest.take().map(|bytes| Ok(Frame::data(B::Data::from(bytes)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Refused { rest } => rest.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Refused { rest } => SizeHint::with_exact(rest.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}
