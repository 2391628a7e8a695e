//! Check tokens in a service that has no store (feature `follow`).
//!
//! A resource server needs no database credential and no root secret. It follows the log of a Rescind server, or of a
//! relay, over HTTP, and verifies by the keys that the issuer publishes:
//!
//! ```no_run
//! # #[cfg(feature = "follow")]
//! # mod service {
//! use axum::{Router, routing::get};
//! use rescind::Rescind;
//! use rescind_axum::{Live, follow::Follow};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let rescind = Rescind::follow("http://10.0.0.1:7001") // the admin listener of the server
//!         .feed_token_file("/etc/my-service/feed-token")
//!         .issuer("https://id.example")
//!         .audience("https://api.example")
//!         .build()
//!         .await?;
//!     let app = Router::new().route("/protected", get(protected)).with_state(rescind);
//!     Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?)
//! }
//!
//! async fn protected(token: Live) -> String {
//!     format!("hello {}", token.subject())
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! What `build` gives is a [`Rescind`](rescind::Rescind) like any other: [`Guard`](crate::Guard),
//! [`Live<C>`](crate::Live), [`strict`](crate::Guard::strict), the policies for a [stale view](super::stale_views) and
//! [callbacks](super::callbacks) (`.with(|builder| builder.also_check(…))`) work as beside a store. Opening, refreshing
//! and revoking answer with [`Error::Store`](rescind::Error::Store) and name the issuer's own nodes.
//!
//! # What it promises
//!
//! * **Nothing is answered before a snapshot has been loaded**, at each start.
//! * **What is revoked is refused within the bound, or nothing is answered.** The server pushes a wake-up, so that it
//!   usually takes milliseconds. But how current the view is follows from round trips alone: the view is complete as of
//!   the moment *before* the question was sent, less the age that the answer gives for itself. A link that delays
//!   everything makes a service stale; it cannot make it fresh but old. Over relays the ages add up.
//! * **A fault is 503, never 401**: of the server, of the link, and of the place of the keys.
//! * **A history that was lost upstream brings nobody back.** The service answers nothing until the log is whole again. A
//!   [`high_water`](crate::follow::FollowBuilder::high_water) file finds it out over a restart of the service, too.
//!
//! # The keys
//!
//! They come from the issuer's JWK Set: at start, every minute, when a token names one that is not held (at most every
//! ten seconds), and at once after a key was revoked, which the view refuses by itself. While the set cannot be had, the
//! keys that are held go on verifying, and a token that names another is answered with 503. A key for HS256 is in no set:
//! an issuer that signs with it has no followers, and `build` says so.
//!
//! # The token
//!
//! The feed token opens the feed and the snapshot of that server and nothing else. It stands in `feed-token` in the
//! server's data directory. Whoever has it learns who was signed out when and why: keep it as a secret, and speak TLS
//! where the network is not yours.
