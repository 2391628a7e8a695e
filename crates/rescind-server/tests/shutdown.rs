//! The end of the server: readiness first, requests under way to their end, and an exit code of 0.

mod support;

use rustix::process::Signal;
use support::{Connection, FORM, Server, home, wait_until};

#[test]
fn readiness_goes_before_the_doors_are_closed() {
    for args in [&[][..], &["--dev"]] {
        let mut server = Server::start(&home(), args);
        let mut connection = Connection::open(server.public);
        server.signal(Signal::TERM);
        wait_until("a new connection is told that the server is not ready", || {
            connection.write(&support::client_request("GET", "/readyz", &[], b"")).unwrap();
            connection.read().unwrap().unwrap().status == 503
        });
        assert_eq!(server.get("/livez", None).status, 200, "it still serves");
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_request_under_way_is_answered() {
    let mut server = Server::dev(&[]);
    let mut connection = Connection::open(server.public);
    let body = "grant_type=refresh_token&refresh_token=x";
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    connection.write(head.as_bytes()).unwrap();
    // "100 Continue" says that the handler reads: the request is under way.
    assert_eq!(connection.read().unwrap().unwrap().status, 100);
    server.signal(Signal::TERM);
    wait_until("the doors are closed", || std::net::TcpStream::connect(server.public).is_err());
    connection.write(body.as_bytes()).unwrap();
    assert_eq!(connection.read().unwrap().unwrap().status, 400);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn an_idle_connection_does_not_hold_the_server_up() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::dev(&["--drain-timeout", "20s"]);
        let mut connection = Connection::open(server.public);
        connection.write(&support::client_request("GET", "/livez", &[], b"")).unwrap();
        assert_eq!(connection.read().unwrap().unwrap().status, 200);
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn what_never_ends_is_cut_off_after_the_drain_time() {
    let mut server = Server::dev(&["--drain-timeout", "300ms"]);
    let mut connection = Connection::open(server.public);
    connection.write(b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n").unwrap();
    assert_eq!(connection.read().unwrap().unwrap().status, 100);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().contains("drain time"));
}
