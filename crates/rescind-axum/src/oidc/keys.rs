//! A provider's keys at run time: fetched from where its metadata say, and asked again for a key that is not among them.
//! Owns no rule about when; that is `remembered`'s.

use std::sync::Arc;

use async_trait::async_trait;
use rescind::keys::ProviderKeys;
use rescind::provider_token::Refused;

use super::fault::ProviderFault;
use super::fetch::Fetcher;
use super::metadata::Discovery;
use super::remembered::{Patience, Remembered, Source};

/// Fetches the keys of one provider.
pub(super) struct KeySet {
    pub(super) provider: String,
    pub(super) metadata: Arc<Remembered<Discovery>>,
    pub(super) fetcher: Arc<Fetcher>,
}

#[async_trait]
impl Source for KeySet {
    type Document = ProviderKeys;

    async fn fetch(&self) -> Result<ProviderKeys, ProviderFault> {
        let fetched = async {
            let metadata = self.metadata.get().await?.document;
            let body = self.fetcher.get(&metadata.keys, None).await?;
            let text = String::from_utf8(body).map_err(|_| ProviderFault::NotJson)?;
            ProviderKeys::parse(&text, &metadata.algorithms).map_err(|error| {
                tracing::warn!(provider = self.provider, %error, "the provider's keys are not taken");
                ProviderFault::BadKeys
            })
        };
        let fetched = fetched.await;
        if let Err(fault) = &fetched {
            tracing::warn!(provider = self.provider, reason = %fault, "the provider's keys cannot be had");
        }
        fetched
    }
}

/// What came of verifying a token.
pub(super) enum Unverified {
    /// It is refused, by the newest keys that could be had.
    Refused(Refused),
    /// It could not be told.
    Fault(ProviderFault),
}

/// Verifies by the keys that are known, and once more by newer ones where the token names a key that is not among them.
pub(super) async fn verify_by<T: Send>(
    keys: &Arc<Remembered<KeySet>>,
    patience: Patience,
    verify: impl Fn(&ProviderKeys) -> Result<T, Refused> + Send,
) -> Result<T, Unverified> {
    let before = keys.fetches();
    let known = keys.get().await.map_err(Unverified::Fault)?;
    match verify(&known.document) {
        // Keys that were fetched after the token came are as new as any.
        Err(refused) if refused.asks_for_newer_keys() && known.fetch <= before => {}
        verified => return verified.map_err(Unverified::Refused),
    }
    let newer = keys.newer(known.fetch, patience).await.map_err(Unverified::Fault)?;
    verify(&newer.document).map_err(Unverified::Refused)
}
