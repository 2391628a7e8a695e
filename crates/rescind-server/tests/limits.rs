//! What one caller may take: time, size and connections.

mod support;

use std::io::Read;
use std::net::TcpStream;

use support::{Connection, FORM, Server, client_request};

#[test]
fn a_slow_head_is_answered_408_and_closed() {
    let server = Server::dev(&["--head-timeout", "300ms"]);
    let mut connection = Connection::open(server.public);
    connection.write(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
    let reply = connection.read().unwrap().unwrap();
    assert_eq!((reply.status, reply.error().as_str()), (408, "request_timeout"));
    assert_eq!(reply.header("connection"), "close");
    assert_eq!(connection.0.read(&mut [0; 1]).unwrap(), 0, "the connection is closed");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let server = Server::dev(&["--head-timeout", "300ms"]);
    let mut connection = Connection::open(server.public);
    connection.write(&client_request("GET", "/livez", &[], b"")).unwrap();
    assert_eq!(connection.read().unwrap().unwrap().status, 200);
    assert!(connection.read().unwrap().is_none());
}

#[test]
fn a_slow_body_is_answered_408_and_closed() {
    let server = Server::dev(&["--body-timeout", "300ms"]);
    let mut connection = Connection::open(server.public);
    let head =
        format!("POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ncontent-length: 100\r\n\r\ngrant");
    connection.write(head.as_bytes()).unwrap();
    let reply = connection.read().unwrap().unwrap();
    assert_eq!((reply.status, reply.error().as_str()), (408, "request_timeout"));
    assert!(connection.read().unwrap().is_none(), "the connection is closed");
}

#[test]
fn a_body_above_64_kib_is_413_whether_its_length_is_told_or_not() {
    let server = Server::dev(&[]);
    for path in ["/login", "/oauth/token", "/oauth/revoke", "/logout"] {
        let fits = format!("a={}", "x".repeat(64 * 1024 - 2));
        assert_eq!(
            server.form(path, &fits).status,
            if path == "/logout" || path == "/login" { 401 } else { 400 },
            "{path}"
        );
        let reply = server.form(path, &format!("{fits}x"));
        assert_eq!((reply.status, reply.error().as_str()), (413, "payload_too_large"), "{path}");
        let mut connection = Connection::open(server.public);
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n");
        connection.write(head.as_bytes()).unwrap();
        let chunk = [format!("{:x}\r\n", 32 * 1024).as_bytes(), &vec![b'a'; 32 * 1024], b"\r\n"].concat();
        for _ in 0..3 {
            // The server may have answered and closed before the last one.
            let _ = connection.write(&chunk);
        }
        assert_eq!(connection.read().unwrap().unwrap().status, 413, "{path}");
    }
}

#[test]
fn a_body_that_is_said_to_be_too_long_is_refused_before_it_is_sent() {
    let server = Server::dev(&[]);
    for path in ["/login", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/logout"] {
        for expect in ["", "expect: 100-continue\r\n"] {
            let mut connection = Connection::open(server.public);
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ncontent-length: 65537\r\n{expect}\r\n"
            );
            connection.write(head.as_bytes()).unwrap();
            let reply = connection.read().unwrap().unwrap();
            assert_eq!((reply.status, reply.error().as_str()), (413, "payload_too_large"), "{path} {expect}");
            assert_eq!(reply.header("connection"), "close");
        }
    }
}

#[test]
fn a_head_above_64_kib_is_431() {
    let server = Server::dev(&[]);
    let mut connection = Connection::open(server.public);
    connection.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n").unwrap();
    let line = format!("x-long: {}\r\n", "x".repeat(8 * 1024));
    for _ in 0..9 {
        let _ = connection.write(line.as_bytes());
    }
    assert_eq!(connection.read().unwrap().unwrap().status, 431);
}

#[test]
fn connections_above_the_cap_wait_for_one_to_end() {
    let server = Server::dev(&["--max-connections", "2"]);
    let held = [Connection::open(server.public), Connection::open(server.public)];
    let mut third = Connection::open(server.public);
    third.write(&client_request("GET", "/livez", &[], b"")).unwrap();
    third.0.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    assert!(third.read().is_err(), "no answer while two are held");
    drop(held);
    third.0.set_read_timeout(Some(support::DEADLINE)).unwrap();
    assert_eq!(third.read().unwrap().unwrap().status, 200);
}

#[test]
fn a_burst_of_connections_waits_in_the_queue() {
    let server = Server::dev(&["--max-connections", "1"]);
    // Above the 128 that is the usual length of the queue, and below the system's own limit for it.
    let burst: Vec<_> = (0..300).map(|_| TcpStream::connect_timeout(&server.public, support::DEADLINE)).collect();
    assert!(burst.iter().all(Result::is_ok), "{} are refused", burst.iter().filter(|one| one.is_err()).count());
}

#[test]
fn one_address_leaves_places_to_others() {
    let server = Server::dev(&["--max-connections", "4", "--max-connections-per-address", "2"]);
    let held = [Connection::open(server.public), Connection::open(server.public)];
    let mut third = Connection::open(server.public);
    assert!(third.read().is_ok_and(|reply| reply.is_none()), "closed without an answer");
    drop(held);
    support::wait_until("a place is free again", || {
        let mut again = Connection::open(server.public);
        let _ = again.write(&client_request("GET", "/livez", &[], b""));
        again.read().is_ok_and(|reply| reply.is_some_and(|reply| reply.status == 200))
    });
}

#[test]
fn a_client_that_reads_no_answer_loses_its_connection() {
    let server = Server::dev(&["--write-timeout", "300ms", "--max-connections", "1"]);
    let mut greedy = Connection::open(server.public);
    greedy.0.set_write_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
    let many = client_request("GET", "/demo.js", &[], b"").repeat(100);
    // Until the server has stopped reading, since it cannot write, or has closed.
    while greedy.write(&many).is_ok() {}
    assert_eq!(server.get("/livez", None).status, 200, "the only place is free again");
}

#[test]
fn many_requests_go_through_one_connection() {
    let server = Server::dev(&[]);
    let mut connection = Connection::open(server.public);
    for _ in 0..100 {
        connection.write(&client_request("GET", "/livez", &[], b"")).unwrap();
        assert_eq!(connection.read().unwrap().unwrap().status, 200);
    }
}

#[test]
fn head_answers_as_get_without_a_body() {
    let server = Server::dev(&[]);
    for path in
        ["/", "/login", "/livez", "/readyz", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server"]
    {
        let (get, head) = (server.get(path, None), server.send("HEAD", path, &[], ""));
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
    }
}

#[test]
fn running_out_of_descriptors_ends_no_listener() {
    let server = Server::dev_with_few_descriptors(48);
    let held: Vec<_> = (0..100).map(|_| Connection::open(server.public)).collect();
    support::wait_until("the server says that it is out of descriptors", || server.log().contains("cannot accept"));
    drop(held);
    assert_eq!(server.get("/livez", None).status, 200);
    assert_eq!(server.me(&server.sign_in()), 200);
}
