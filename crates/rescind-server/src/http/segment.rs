//! The variable segment of a path, such as the session of `/sessions/{sid}`: decoded, or refused in our own JSON. Knows
//! no route.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::error::Failure;

/// The path's one variable segment, decoded.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text))
            .map_err(|_| Failure::invalid_request("the path is not UTF-8 in percent-encoding"))
    }
}
