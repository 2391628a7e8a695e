//! Each fault of the network, seen from both ends of a connection.
#![cfg(test)]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rescind_test_kit::{DEADLINE, Proxy, until};

/// Long enough to see that nothing comes.
const MOMENT: Duration = Duration::from_millis(200);

/// A client and a server with a proxy between them.
struct Line {
    proxy: Proxy,
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

impl Line {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
        let client = connect(&proxy);
        let server = listener.accept().unwrap().0;
        server.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { proxy, listener, client, server }
    }

    /// How long a question and its answer take.
    fn round_trip(&mut self) -> Duration {
        let begin = now();
        self.client.write_all(b"question").unwrap();
        assert_eq!(read(&mut self.server, 8), b"question");
        self.server.write_all(b"answer").unwrap();
        assert_eq!(read(&mut self.client, 6), b"answer");
        begin.elapsed()
    }
}

fn connect(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client
}

fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(MOMENT)).unwrap();
    let error = stream.read(&mut [0]).map_err(|error| error.kind());
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    matches!(error, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[expect(clippy::disallowed_methods, reason = "what a network's delay is measured by")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn bytes_and_ends_pass_both_ways() {
    let mut line = Line::new();
    let long: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let writer = std::thread::spawn({
        let (mut client, long) = (line.client.try_clone().unwrap(), long.clone());
        move || client.write_all(&long).unwrap()
    });
    assert!(read(&mut line.server, long.len()) == long);
    writer.join().unwrap();
    line.round_trip();
    line.client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(line.server.read(&mut [0]).unwrap(), 0, "one side's end");
    line.server.write_all(b"still").unwrap();
    assert_eq!(read(&mut line.client, 5), b"still");
    drop(line.server);
    assert_eq!(line.client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_url_leads_through_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
    let direct = format!("redis://{}/0", listener.local_addr().unwrap());
    assert_eq!(proxy.through(&direct), format!("redis://{}/0", proxy.address()));
}

#[test]
fn a_delay_is_added_each_way_and_not_per_piece() {
    let mut line = Line::new();
    line.proxy.delay(Duration::from_millis(100)).unwrap();
    let took = line.round_trip();
    assert!(took >= Duration::from_millis(200), "{took:?}");
    let begin = now();
    for _ in 0..50 {
        line.client.write_all(&[0; 1000]).unwrap();
        assert!(!is_gone(&line.client));
    }
    read(&mut line.server, 50_000);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(100) && took < Duration::from_secs(2), "{took:?}");
    line.proxy.delay(Duration::from_hours(1)).unwrap();
    line.client.write_all(b"late").unwrap();
    assert!(is_silent(&mut line.server));
    line.proxy.heal().unwrap();
    assert_eq!(read(&mut line.server, 4), b"late");
}

#[test]
fn a_slow_link_passes_so_many_bytes_a_second() {
    let mut line = Line::new();
    line.proxy.slow(100_000).unwrap();
    let begin = now();
    line.client.write_all(&vec![0; 50_000]).unwrap();
    read(&mut line.server, 50_000);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_cut_resets_both_ends_and_refuses_until_it_is_healed() {
    let mut line = Line::new();
    // The kernel may have answered for both ends before the proxy holds them.
    line.round_trip();
    line.proxy.cut().unwrap();
    let reset = |stream: &mut TcpStream| stream.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(reset(&mut line.client), Err(ErrorKind::ConnectionReset));
    assert_eq!(reset(&mut line.server), Err(ErrorKind::ConnectionReset));
    let refused = TcpStream::connect(line.proxy.address()).map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
    line.proxy.heal().unwrap();
    line.client = connect(&line.proxy);
    line.server = line.listener.accept().unwrap().0;
    line.round_trip();
}

#[test]
fn a_half_open_link_keeps_connections_and_carries_nothing_until_it_is_healed() {
    let mut line = Line::new();
    line.proxy.half_open().unwrap();
    let mut newcomer = connect(&line.proxy);
    newcomer.write_all(b"hello").unwrap();
    line.client.write_all(b"question").unwrap();
    line.server.write_all(b"answer").unwrap();
    assert!(is_silent(&mut line.server) && is_silent(&mut line.client) && is_silent(&mut newcomer));
    line.proxy.heal().unwrap();
    assert_eq!(read(&mut line.server, 8), b"question");
    assert_eq!(read(&mut line.client, 6), b"answer");
    let mut greeted = line.listener.accept().unwrap().0;
    assert_eq!(read(&mut greeted, 5), b"hello");
}

#[test]
fn after_a_failover_new_connections_lead_to_another_server() {
    let mut line = Line::new();
    let second = TcpListener::bind("127.0.0.1:0").unwrap();
    line.proxy.lead_to(second.local_addr().unwrap());
    line.round_trip();
    line.client = connect(&line.proxy);
    line.server = second.accept().unwrap().0;
    line.round_trip();
}

#[test]
fn an_upstream_that_is_down_resets_the_client() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::start(closed).unwrap();
    let client = connect(&proxy);
    until("the client is reset", || is_gone(&client)).unwrap();
}

fn is_gone(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let seen = stream.peek(&mut [0]).map_err(|error| error.kind());
    stream.set_nonblocking(false).unwrap();
    !matches!(seen, Err(ErrorKind::WouldBlock))
}
