//! Sign-in with OpenID Connect providers: the code flow with PKCE, and their back-channel logout.

mod address;
mod admission;
mod back_channel;
mod callback;
mod error;
mod exchange;
mod fault;
mod fetch;
mod identity;
mod keys;
mod ledger;
mod metadata;
mod provider;
mod providers;
mod remembered;
mod response;
mod return_to;
mod routes;
mod secret;
mod session;
mod transaction;

pub use self::admission::{Admission, Allow};
pub use self::back_channel::{LoggedOut, LogoutError};
pub use self::callback::Finished;
pub use self::error::{SignInError, SignInFault};
pub use self::fault::ProviderFault;
pub use self::identity::{Email, Identity};
pub use self::provider::{Provider, ProviderInvalid};
pub use self::providers::{Begun, Providers, ProvidersInvalid, RedirectUri};
pub use self::routes::routes;
pub use self::secret::{ClientSecret, ClientSecretError};
