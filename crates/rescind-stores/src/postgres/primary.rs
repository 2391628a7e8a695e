//! To which server all connections of a node lead, where more than one may answer to the store's URL: several hosts, a
//! name or an address that moves. Owns that they lead to one at a time: what one of two servers has proved says nothing
//! of what the other one shows.
//!
//! A promoted standby has a newer timeline than the primary that it took the place of (Postgres, "Timelines"). So a
//! connection to a server on an older one is not used, and from the first one to another server on, those made before are
//! thrown away when they are next asked for. None is made to a standby: it has its timeline of the primary that it follows,
//! so a connection that waited for its promotion would be compared with no other.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::{Client, Error};

use super::fault::Fault;

/// No row while the server recovers.
const WHO: &str = "SELECT s.system_identifier, ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::bigint, \
                   (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint \
                   FROM pg_catalog.pg_control_system() s WHERE NOT pg_catalog.pg_is_in_recovery()";

/// The server that the connections lead to, as far as it is known.
#[derive(Clone, Default)]
pub(super) struct Primary(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    server: Option<Server>,
    reign: Reign,
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

/// Which of the servers that took each other's place, counted from the first.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Reign(u64);

impl Server {
    /// Whether the other one was promoted over it.
    fn is_left_behind(self, by: Self) -> bool {
        self.system == by.system && self.timeline < by.timeline
    }
}

impl Primary {
    /// Whether a newer primary than this server was seen.
    pub(super) fn has_left_behind(&self, server: Option<Server>) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        server.zip(known.server).is_some_and(|(server, known)| server.is_left_behind(known))
    }

    /// Whether another server has taken the place of the one that a connection was made to.
    pub(super) fn has_changed_since(&self, reign: Reign) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reign != reign
    }

    /// A connection was made to this server, or to a service that does not tell. From here on all lead to it.
    ///
    /// # Errors
    /// Where another one has left it behind.
    pub(super) fn meet(&self, server: Option<Server>) -> Result<Reign, Fault> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(server) = server.filter(|server| known.server != Some(*server)) else { return Ok(known.reign) };
        if let Some(last) = known.server.filter(|last| server.is_left_behind(*last)) {
            return Err(Fault::unavailable(format!(
                "this server is an old primary: it is on timeline {}, and a standby was promoted that is on timeline {}. End \
                 the old one for good, or take it out of the store's URL; where it is the old one's history that is wanted, \
                 start this node anew",
                server.timeline, last.timeline
            )));
        }
        *known = Known { server: Some(server), reign: Reign(known.reign.0 + 1) };
        Ok(known.reign)
    }
}

/// Which server this connection leads to; `None` where it is a service that does not tell.
///
/// # Errors
/// Where the server recovers, or gave no answer.
pub(super) async fn who(client: &Client) -> Result<Option<Server>, Fault> {
    match client.query_typed(WHO, &[]).await {
        Ok(rows) => {
            let row = rows.first().ok_or_else(Fault::read_only)?;
            Ok(Some(Server { system: row.try_get(0)?, timeline: row.try_get(1)?, started: row.try_get(2)? }))
        }
        Err(error) if never_tells(&error) => Ok(None),
        Err(error) => Err(Fault::unconnected(error)),
    }
}

/// The server refuses the question as such: it has no such function, or it is not for this user.
fn never_tells(error: &Error) -> bool {
    // These classes are of the moment: the link, its resources, a shutdown, a limit on time.
    let passes = |code: &str| ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class));
    error.code().is_some_and(|state| !passes(state.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn server(timeline: i64, started: i64) -> Server {
        Server { system: 1, timeline, started }
    }

    #[test]
    fn a_server_that_was_left_behind_is_refused_and_a_new_one_takes_over() {
        let primary = Primary::default();
        let old = primary.meet(Some(server(1, 7))).unwrap();
        assert_eq!(primary.meet(Some(server(1, 7))).unwrap(), old);
        assert!(!primary.has_changed_since(old));
        let new = primary.meet(Some(server(2, 8))).unwrap();
        assert!(primary.has_changed_since(old), "what was made before leads to the old one");
        assert_eq!(primary.meet(None).unwrap(), new, "who does not tell takes nobody's place");
        assert!(primary.has_left_behind(Some(server(1, 7))));
        let refused = primary.meet(Some(server(1, 7))).unwrap_err().to_string();
        assert!(refused.contains("timeline 1") && refused.contains("timeline 2"), "{refused}");
        assert!(!primary.has_changed_since(new), "and changes nothing");
        let elsewhere = Some(Server { system: 2, timeline: 1, started: 9 });
        assert!(primary.meet(elsewhere).is_ok(), "another system's timelines are its own");
        assert_ne!(primary.meet(Some(server(2, 8))).unwrap(), new, "what was made before the other one stays away");
    }
}
