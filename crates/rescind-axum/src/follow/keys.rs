//! The issuer's keys, as it publishes them. Owns how they are fetched; when is the engine's matter.

use std::time::Duration;

use async_trait::async_trait;
use http::header::ACCEPT;
use reqwest::Client;
use rescind::{BoxError, FetchKeys};
use url::Url;

use super::upstream::{client, whole};

/// A set has some kilobytes.
const SET_MAX: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(3);

/// Fetches a JWK Set from a URL.
pub(super) struct JwkSetAt {
    client: Client,
    url: Url,
}

impl JwkSetAt {
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        Ok(Self { client: client(TIMEOUT)?, url })
    }
}

#[async_trait]
impl FetchKeys for JwkSetAt {
    async fn fetch(&self) -> Result<String, BoxError> {
        let asked = self.client.get(self.url.clone()).header(ACCEPT, "application/json").timeout(TIMEOUT);
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", self.url);
        let response = asked.send().await.map_err(|error| at(&error.without_url()))?;
        if !response.status().is_success() {
            return Err(at(&format!("status {}", response.status().as_u16())).into());
        }
        let body = whole(response, SET_MAX).await.map_err(|error| at(&error))?;
        String::from_utf8(body).map_err(|error| at(&error).into())
    }
}
