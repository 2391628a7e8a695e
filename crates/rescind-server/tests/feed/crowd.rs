//! As many streams as a node takes, and one more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::followed::{feed_token, revoke};
use crate::stream::{Events, poll};
use crate::support::{Server, exchange, wait_until};

/// What a node takes.
const STREAMS: usize = 1024;
/// Each stream is an open file of ours and one of the server's, which has ours for its limit.
const FILES: u64 = 2048;

const PATH: &str = "/admin/v1/feed?after=0";

#[test]
fn one_more_than_a_node_takes_is_refused_and_the_others_live() {
    let files = getrlimit(Resource::Nofile);
    if files.maximum.is_some_and(|most| most < FILES) {
        return rescind::testing::skip("a process may have fewer than 2,048 open files here");
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), ..files }).unwrap();
    let server = Server::dev(&[]);
    let token = feed_token(&server);
    let mut streams: Vec<Events> = (0..STREAMS).map(|_| Events::open(server.admin, &token, PATH, None)).collect();
    let bearer = format!("Bearer {token}");
    let ask = || exchange(server.admin, "GET", PATH, &[("authorization", &bearer)], b"");
    let refused = ask();
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text());
    assert!(refused.text().contains("as many followers as it takes"), "{}", refused.text());
    assert_eq!(poll(&server, &token, 0, 1)["head"]["seq"], 0, "who asks for one batch takes no place");

    revoke(&server, "subject", "alice");
    for (number, stream) in streams.iter_mut().enumerate() {
        let entries = loop {
            let event = stream.next().unwrap_or_else(|| panic!("stream {number} has ended"));
            if event.name == "entries" {
                break event;
            }
        };
        assert_eq!(entries.id, 1, "stream {number}");
    }
    assert_eq!(ask().status, 503, "it is still full");
    streams.pop();
    wait_until("the place of the one that left is given out", || ask().status == 200);
}
