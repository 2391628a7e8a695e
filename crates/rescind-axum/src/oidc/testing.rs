//! The reader of a provider's metadata on bytes from elsewhere, without a provider: for tests that feed it damage. Behind
//! the feature `testing`; no product code uses it.

use rescind::keys::Algorithm;

use super::ProviderFault;
use super::metadata::{Issuer, Metadata};

/// What was read of a provider's metadata.
#[derive(Debug)]
pub struct Read {
    /// The endpoints that would be asked.
    pub endpoints: Vec<String>,
    /// The algorithms that its ID tokens may have.
    pub algorithms: Vec<Algorithm>,
}

/// Reads a document as if it had been found at `issuer`.
///
/// # Errors
/// [`ProviderFault`]; [`ProviderFault::BadEndpoint`] where the issuer itself is none that may be asked.
pub fn metadata(issuer: &str, document: &[u8]) -> Result<Read, ProviderFault> {
    let issuer = Issuer::parse(issuer).ok_or(ProviderFault::BadEndpoint)?;
    let Metadata { authorization, token, keys, userinfo, algorithms, .. } = Metadata::read(document, &issuer)?;
    let endpoints = [Some(authorization), Some(token), Some(keys), userinfo].into_iter().flatten();
    Ok(Read { endpoints: endpoints.map(String::from).collect(), algorithms })
}
