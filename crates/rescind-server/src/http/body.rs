//! Bodies of requests, read strictly by the library's rules and in the time that the operator allows. Knows no route.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::request::Parts;
use rescind_axum::body as library;
pub(crate) use rescind_axum::body::{Form, Kind, json, kind};
use serde::de::DeserializeOwned;

use super::error::Failure;
use crate::app::App;

/// A JSON body, as `T` says it. `T` should refuse unknown members.
#[derive(Debug)]
pub(crate) struct StrictJson<T>(pub(crate) T);

/// A JSON body or none at all, which counts as `T`'s default.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for StrictJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        if kind(&parts.headers)? != Some(Kind::Json) {
            return Err(Failure::invalid_request("send the body as Content-Type: application/json"));
        }
        Ok(Self(json(&read(body, app).await?)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, app).await?;
        match kind(&parts.headers)? {
            _ if bytes.is_empty() => Ok(Self(T::default())),
            Some(Kind::Json) => Ok(Self(json(&bytes)?)),
            _ => Err(Failure::invalid_request("send the body as Content-Type: application/json")),
        }
    }
}

/// Reads a whole body.
///
/// # Errors
/// 413 above 64 KiB, 408 where it is not complete in time, 400 where it breaks off.
pub(crate) async fn read(body: axum::body::Body, app: &App) -> Result<Bytes, Failure> {
    Ok(library::read(body, app.config.limits.body_timeout).await?)
}

/// Reads a request whose body must be a form.
///
/// # Errors
/// 400 for another body; as [`read`].
pub(crate) async fn form(request: Request, app: &App) -> Result<(Parts, Form), Failure> {
    let (parts, content) = request.into_parts();
    let kind = kind(&parts.headers)?;
    let bytes = read(content, app).await?;
    if kind != Some(Kind::Form) {
        return Err(Failure::invalid_request("send a form: application/x-www-form-urlencoded"));
    }
    Ok((parts, Form::parse(&bytes)?))
}
