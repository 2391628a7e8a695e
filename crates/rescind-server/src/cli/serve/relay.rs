//! A server that follows another in place of a store: it checks, and passes the log on to those who follow it.

use std::sync::Arc;

use rescind::BoxError;
use rescind::Rescind;
use rescind::store::Store;
use rescind::time::SystemClock;
use rescind_axum::follow::{Follow, FollowError, Following};

use super::start::{Doors, Node};
use crate::config::Config;
use crate::data_dir::{AdminToken, DataDir, FeedToken};
use crate::http::admin::Feed;
use crate::users::{Demo, Users};

/// Follows the server, and waits until its log is loaded.
///
/// # Errors
/// Why it cannot be followed, with the remedy.
pub(super) async fn node(config: &Config, data: &DataDir) -> Result<Node, BoxError> {
    let (Some(url), Some(token)) = (&config.follow, &config.feed_token) else {
        return Err("setting follow: the URL and the feed token of the server to follow are missing".into());
    };
    let admin_token = AdminToken::load_or_create(&data.admin_token())?;
    // Its own: whoever follows this server need not know the token of the one above.
    let feed_token = FeedToken::load_or_create(&data.feed_token())?;
    let doors = Doors::open(config)?;
    let builder = Rescind::follow(url).feed_token(token.expose()).settings(config.engine.clone());
    let builder = match &config.issuer {
        Some(issuer) => builder.issuer(issuer),
        None => builder,
    };
    let builder = match &config.audience {
        Some(audience) => builder.audience(audience),
        None => builder.audience_of_issuer(),
    };
    let Following { rescind, log, jwks_uri } = builder
        .high_water(data.high_water())
        .follow()
        .await
        .map_err(|error: FollowError| format!("setting follow: {error}"))?;
    let users = Users::new(Arc::clone(rescind.store()), Arc::new(SystemClock), Demo::ShutOut);
    let log = Arc::new(move || Arc::new(log.for_another_reader()) as Arc<dyn Store>);
    let feed = Feed::new(log, Arc::new(SystemClock), config.engine.staleness_bound, jwks_uri);
    Ok(Node { doors, rescind, users, providers: None, inbox: None, feed, feed_token, admin_token })
}
