//! To which server all connections of a node lead, where more than one may answer to the store's URL: several hosts, a
//! name or an address that moves. Owns that they lead to one at a time: what one of two servers has proved says nothing
//! of what the other one shows.
//!
//! A promoted standby has a newer timeline than the primary that it took the place of (Postgres, "Timelines"). So a
//! connection to a server on an older one is not used, and from the first one to another server on, those made before are
//! thrown away when they are next asked for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use deadpool_postgres::{Hook, HookError, Metrics};
use tokio::time::timeout;
use tokio_postgres::{Client, Error};

use super::link::ANSWER;

/// Nothing while the server recovers: a standby's timeline is that of the primary which it follows.
const WHO: &str = "SELECT s.system_identifier, ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::bigint, \
                   (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint \
                   FROM pg_catalog.pg_control_system() s WHERE NOT pg_catalog.pg_is_in_recovery()";

/// The server that the connections lead to, as far as it is known.
#[derive(Clone, Default)]
pub(super) struct Primary {
    known: Arc<Mutex<Option<Known>>>,
}

#[derive(Clone, Copy)]
struct Known {
    server: Server,
    /// When the newest connection to it was made.
    newest: Instant,
    /// Connections that are not younger lead to another one.
    before: Option<Instant>,
}

/// One run of one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Server {
    /// The same for a primary and its standbys.
    system: i64,
    timeline: i64,
    /// When it was started, in microseconds of its own clock.
    started: i64,
}

impl Server {
    /// Whether the other one was promoted over it.
    fn is_left_behind(self, by: Self) -> bool {
        self.system == by.system && self.timeline < by.timeline
    }
}

impl Primary {
    /// Whether a newer primary than this server was seen.
    pub(super) fn has_left_behind(&self, server: Server) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_some_and(|known| server.is_left_behind(known.server))
    }

    /// Whether a connection of this age leads to a server whose place another one has taken.
    pub(super) fn has_moved_since(&self, created: Instant) -> bool {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.and_then(|known| known.before).is_some_and(|before| created <= before)
    }

    /// What is asked of each new connection.
    pub(super) fn made(&self) -> Hook {
        let primary = self.clone();
        Hook::async_fn(move |client, metrics| {
            let (primary, created) = (primary.clone(), metrics.created);
            Box::pin(async move {
                let who = timeout(ANSWER, who(client)).await;
                let who = who.map_err(|_| HookError::message("the server took the connection and says nothing"))?;
                primary.meet(who.map_err(HookError::Backend)?, created)
            })
        })
    }

    /// What is asked of each connection that was used before.
    pub(super) fn taken_again(&self) -> Hook {
        let primary = self.clone();
        Hook::sync_fn(move |_, metrics: &Metrics| {
            if primary.has_moved_since(metrics.created) {
                return Err(HookError::message("it leads to the server of before"));
            }
            Ok(())
        })
    }

    /// A connection was made to this server.
    fn meet(&self, server: Option<Server>, created: Instant) -> Result<(), HookError> {
        let Some(server) = server else { return Ok(()) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = *known else {
            *known = Some(Known { server, newest: created, before: None });
            return Ok(());
        };
        if server.is_left_behind(last.server) {
            return Err(HookError::message(format!(
                "this server is an old primary: it is on timeline {}, and a standby was promoted that is on timeline {}. End \
                 the old one for good, or take it out of the store's URL; where it is the old one's history that is wanted, \
                 start this node anew",
                server.timeline, last.server.timeline
            )));
        }
        let before = if server == last.server { last.before } else { Some(last.newest) };
        *known = Some(Known { server, newest: created.max(last.newest), before });
        Ok(())
    }
}

/// Which server this connection leads to; `None` where it recovers, or is a service that does not tell.
pub(super) async fn who(client: &Client) -> Result<Option<Server>, Error> {
    match client.query_typed(WHO, &[]).await {
        Ok(rows) => {
            let Some(row) = rows.first() else { return Ok(None) };
            Ok(Some(Server { system: row.try_get(0)?, timeline: row.try_get(1)?, started: row.try_get(2)? }))
        }
        Err(error) if error.as_db_error().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn server(timeline: i64, started: i64) -> Server {
        Server { system: 1, timeline, started }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the pool's own times are real")]
    fn a_server_that_was_left_behind_is_refused_and_a_new_one_takes_over() {
        let (primary, now) = (Primary::default(), Instant::now());
        assert!(primary.meet(Some(server(1, 7)), now).is_ok());
        assert!(!primary.has_moved_since(now));
        assert!(primary.meet(Some(server(2, 8)), now).is_ok());
        assert!(primary.has_moved_since(now), "what was made before leads to the old one");
        assert!(primary.meet(None, now).is_ok(), "a standby shows nothing, and says so itself");
        let refused = primary.meet(Some(server(1, 7)), now).unwrap_err().to_string();
        assert!(refused.contains("timeline 1") && refused.contains("timeline 2"), "{refused}");
        let elsewhere = Some(Server { system: 2, timeline: 1, started: 9 });
        assert!(primary.meet(elsewhere, now).is_ok(), "another system's timelines are its own");
    }
}
