//! Sign-in with a provider that does one thing wrong at a time, each beside its twin that does it right. The list is that
//! of the OpenID conformance suite for relying parties, of RFC 9700, RFC 9207 and Back-Channel Logout.
#![cfg(all(test, feature = "oidc"))]

mod admission;
mod fetching;
mod id_token;
mod key;
mod logout;
mod logout_race;
mod logs;
mod provider;
mod response;
mod rotation;
mod routes;
mod sign_in;
mod stage;
