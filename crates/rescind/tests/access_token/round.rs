//! Issue and verify, from outside.

use crate::common::{NOW, expectations, session, spec};
use rescind::access_token::{Unverified, issue};
use rescind::keys::{Algorithm, KeyRing};
use rescind::random::SystemRandom;

// holds: R37
#[test]
fn a_token_of_each_algorithm_reads_back() {
    let ring = KeyRing::new(&Algorithm::EVERY, &SystemRandom).unwrap();
    let session = session();
    for algorithm in Algorithm::EVERY {
        let text = issue(ring.current_for(algorithm).unwrap(), &spec(&session)).unwrap();
        let verified = Unverified::parse(&text).unwrap().verify(&expectations(), &ring, NOW).unwrap();
        assert_eq!(verified.subject(), &session.subject);
        assert_eq!(verified.sid(), session.id);
        assert_eq!(verified.seq(), session.position);
        assert!(verified.has_scope("read") && !verified.has_scope("rea") && !verified.has_scope(""));
        assert_eq!(verified.claims::<serde_json::Value>().unwrap()["role"], "admin");
    }
}
