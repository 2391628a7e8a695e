//! Sign-in with any OpenID Connect provider, and back-channel logout: feature `oidc`.
//!
//! # The way of a sign-in
//! ```text
//! browser                      this service                                 provider
//!    |  GET /login/{provider}       |                                           |
//!    |----------------------------->|  begin: state, nonce, PKCE verifier,      |
//!    |                              |  all sealed into a cookie                 |
//!    |<---- 303, cookie ------------|                                           |
//!    |------------------------- signs in there -------------------------------->|
//!    |<---- redirect with code, state, iss -------------------------------------|
//!    |  GET …/callback, cookie      |                                           |
//!    |----------------------------->|  finish: 1 this browser's state?          |
//!    |                              |          2 this provider's response?      |
//!    |                              |          3 spend the state, on all nodes  |
//!    |                              |          4 code ------------------------->|
//!    |                              |            ID token <---------------------|
//!    |                              |          5 verify the ID token            |
//!    |                              |          6 may they come in?              |
//!    |                              |  open_session, remembered under the       |
//!    |                              |  provider's session                       |
//!    |<---- tokens -----------------|                                           |
//!    |                              |                                           |
//!    |                              |<-- POST …/logout, logout token -----------|
//!    |                              |  ended and durable, and only then         |
//!    |                              |---- 200 --------------------------------->|
//! ```
//!
//! **The rule that nobody may break:** each step is taken only after the one before it has passed, a session is opened
//! only after all of them, and whatever cannot be told (a provider, a store or a callback that fails) is a no that says
//! "try again", never a yes.
//!
//! There is no `openidconnect` in it: that brings a second implementation of every primitive, `rsa` with its open
//! advisory among them, and knows neither a cool-down for keys nor logout tokens. The engine's own strict layer verifies
//! both kinds of tokens ([`rescind::provider_token`]).
//!
//! # How each attack is ruled out
//! | attack | by |
//! |---|---|
//! | CSRF on the callback, a session forced on somebody | the state is sealed in the cookie of the browser that began |
//! | a callback that is used twice, here or on another node | the state is spent in the store before the code is sent |
//! | a stolen or injected code | PKCE S256, and the nonce in the ID token |
//! | mix-up of providers | the response's `iss` (RFC 9207), the path's provider, and a redirect URI for each |
//! | an ID token of another client, sign-in, issuer or time | `aud` and `azp`, nonce, `iss`, and at most 10 minutes of age |
//! | `none`, HS256 with the public key, keys in the header | one algorithm bound to each key, keys from the issuer alone |
//! | an account taken over by its e-mail address | accounts are issuer and subject; only verified addresses count |
//! | an open redirector | `return_to` is a path on this origin |
//! | a provider that leads into the house | https, addresses looked at when they are connected to, no redirects |
//! | a provider that is slow or endless | 10 s and 1 MiB for each answer, 64 requests at once |
//! | unknown key ids without end | one fetch in 10 s, counted by time alone; a failed one takes no good key away |
//! | a logout token that is forged, old, replayed, or an ID token | the provider's keys, 2 minutes, spent once, event and no nonce |
//! | a logout in the middle of a sign-in | both write one record; whichever comes second sees the other |
//!
//! # Use
//! ```no_run
//! use axum::{Json, Router, response::IntoResponse};
//! use rescind::{OpenSession, Rescind, id::ClientId};
//! use rescind_axum::oidc::{self, Allow, ClientSecret, Provider, Providers, RedirectUri};
//!
//! # fn example(rescind: Rescind) -> Result<(), Box<dyn std::error::Error>> {
//! let google = Provider::google("123.apps.googleusercontent.com")?
//!     .secret(ClientSecret::from_file("google-secret")?)
//!     .admit(Allow::listed(["@example.com", "guest@example.org"])?);
//! let work = Provider::new("work", "https://id.example.com", "app")?.admit(Allow::everyone());
//! let here = RedirectUri::Under("https://app.example/login".to_owned());
//! let providers = Providers::new(&rescind, here, vec![google, work])?;
//!
//! let opener = providers.clone();
//! let app: Router = oidc::routes(&providers, move |signed_in, headers| {
//!     let providers = opener.clone();
//!     async move {
//!         let who = signed_in.identity;
//!         let Ok(client) = ClientId::new("web") else { return "no client".into_response() };
//!         match providers.open_session(&who, OpenSession::new(who.account(), client)).await {
//!             Ok(pair) => Json(pair).into_response(),
//!             Err(error) => error.respond(&headers),
//!         }
//!     }
//! });
//! # Ok(())
//! # }
//! ```
//! With routes of your own, [`Providers::begin`], [`Providers::finish`] and [`Providers::back_channel_logout`] are the
//! same without them; where you set cookies that are SameSite=Strict, answer with a page that goes on by itself, and not
//! with a redirect, behind which a browser would not send them. At the provider, register `https://app.example/login/{provider}/callback` as redirect URI and
//! `https://app.example/login/{provider}/logout` as back-channel logout URI.

mod address;
mod admission;
mod arrived;
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
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;

pub use self::admission::{Admission, Allow, EntryInvalid};
pub use self::back_channel::{LoggedOut, LogoutError};
pub use self::callback::Finished;
pub use self::error::{SignInError, SignInFault};
pub use self::fault::ProviderFault;
pub use self::identity::{Email, Identity};
pub use self::provider::{Provider, ProviderInvalid};
pub use self::providers::{Begun, Providers, ProvidersInvalid, RedirectUri};
pub use self::routes::routes;
pub use self::secret::{ClientSecret, ClientSecretError};
