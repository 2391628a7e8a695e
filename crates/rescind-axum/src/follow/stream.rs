//! The stream of events, which tells that the log has grown before the next poll does. Owns reconnecting; what it
//! carries is a hint and never data, for a stream that is delayed looks like one that is not.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rescind::position::Seq;
use tokio::time::sleep;

use super::lines::Lines;
use super::upstream::{NoAnswer, Upstream};

/// After a connection was lost it is tried again after this time, doubling up to the longest.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(50);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Listens until the handle is gone.
pub(super) async fn listen(upstream: Weak<Upstream>) {
    let (mut at, mut wait) = (Seq::ZERO, FIRST_WAIT);
    loop {
        let Some(node) = upstream.upgrade() else { return };
        if let Some(head) = node.seen() {
            at = head.seq;
        }
        let heard = hear(node, &upstream, &mut at).await;
        wait = if heard.is_ok() { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
        if let Err(error) = heard {
            tracing::debug!(%error, "the feed's stream was lost; it is polled meanwhile");
        }
        sleep(wait).await;
    }
}

/// Listens to one stream to its end, which is no failure where it brought anything.
async fn hear(node: Arc<Upstream>, upstream: &Weak<Upstream>, at: &mut Seq) -> Result<(), NoAnswer> {
    // A stream that went silent for as long as the bound lost its heartbeats.
    let mut lines = Lines::new(node.stream(*at).await?, node.bound);
    drop(node);
    let mut heard = false;
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(_) if heard => return Ok(()),
            Err(error) => return Err(error),
        };
        heard = true;
        let Some(node) = upstream.upgrade() else { return Ok(()) };
        match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
            Some(("event", "entries" | "gone")) => node.wake.notify_one(),
            Some(("id", id)) => *at = id.parse().map_or(*at, Seq::new),
            _ => {}
        }
    }
}
