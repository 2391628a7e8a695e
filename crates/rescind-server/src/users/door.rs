//! Who of a provider's people may come in. Owns the order of the questions: a disabled account never, one that an operator
//! has added always, and else the configuration's list. An error is no answer, and lets nobody in.

use async_trait::async_trait;
use rescind::BoxError;
use rescind_axum::oidc::{Admission, Allow, Identity};
use tracing::info;

use super::{Standing, Users};

/// The door of one provider.
pub(crate) struct Door {
    pub(crate) users: Users,
    pub(crate) allow: Allow,
}

#[async_trait]
impl Admission for Door {
    async fn admit(&self, who: &Identity) -> Result<bool, BoxError> {
        let account = who.account();
        Ok(match self.users.standing(&account).await? {
            Standing::Welcome => true,
            Standing::ShutOut => {
                info!(%account, "not let in: the account is disabled");
                false
            }
            Standing::AsListed if self.allow.allows(who) => true,
            Standing::AsListed => {
                info!(%account, "not let in: no entry of the provider's `allow` names it, and no operator has added it");
                false
            }
        })
    }
}
