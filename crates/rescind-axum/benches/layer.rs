//! What the layer costs a service: requests a second of a bare hyper service and of a bare axum router, and of the same
//! behind a [`Guard`], with the token in the header and in the cookie; of a handler that takes [`Live`] without one, too.
//! The services share one core, `wrk` has another; they take turns, so that what else the machine does hits all. Where
//! `wrk` is the slower of the two, requests a second say nothing of the service, so the service's own processor time for
//! a request is told, too. Prints a line a figure; under two minutes.
#![expect(clippy::expect_used, reason = "a bench that cannot run says so and stops")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rescind::id::{ClientId, Subject};
use rescind::keys::RootSecret;
use rescind::store::MemoryStore;
use rescind::{OpenSession, Rescind};
use rescind_axum::cookies::ACCESS;
use rescind_axum::{Guard, Live, TokensIn};
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};

const TURNS: usize = 9;
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// One service under load.
struct Load {
    name: &'static str,
    address: SocketAddr,
    header: String,
    rates: Vec<f64>,
    /// This process's processor time for a request. **Units:** nanoseconds.
    costs: Vec<f64>,
}

fn main() {
    let own = std::process::id().to_string();
    run(Command::new("taskset").args(["-a", "-c", "-p", SERVER_CORE, &own]));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            tell.send(serve_all().await).expect("somebody listens");
            std::future::pending::<()>().await;
        });
    });
    let mut loads = told.recv().expect("services");
    for _ in 0..TURNS {
        for load in &mut loads {
            let before = processor_time();
            let (rate, requests) = wrk(load);
            load.rates.push(rate);
            load.costs.push((processor_time() - before) / requests);
        }
    }
    let median = |name: &str, of: fn(&Load) -> &Vec<f64>| {
        let mut values = of(loads.iter().find(|load| load.name == name).expect("a load of this name")).clone();
        values.sort_by(f64::total_cmp);
        values.get(TURNS / 2).copied().expect("a value")
    };
    for (service, places) in [("hyper", &["header", "cookie"][..]), ("axum", &["header", "cookie", "extractor"])] {
        let (bare, cost) = (median(service, |load| &load.rates), median(service, |load| &load.costs));
        println!("figure {service}, bare = {bare:.0} /s");
        println!("figure {service}, bare, processor time a request = {cost:.0} ns");
        for place in places {
            let name = format!("{service}, {place}");
            let (guarded, costs) = (median(&name, |load| &load.rates), median(&name, |load| &load.costs));
            println!("figure {name} = {guarded:.0} /s");
            println!("figure {name}, processor time a request = {costs:.0} ns");
            println!("figure {name}, of bare = {:.1} %", 100.0 * guarded / bare);
            println!("figure {name}, of bare by processor time = {:.1} %", 100.0 * cost / costs);
        }
    }
}

/// Starts every service, each on a port of its own, on this runtime's one thread.
async fn serve_all() -> Vec<Load> {
    let rescind = Rescind::builder("https://id.example", "https://api.example")
        .store(MemoryStore::new().expect("a store"))
        .root_secret(RootSecret::from_bytes([7; 32]))
        .build()
        .await
        .expect("a handle");
    let session = OpenSession::new(Subject::new("alice").expect("a name"), ClientId::new("app").expect("a name"));
    let token = rescind.open_session(session).await.expect("a session").access_token;
    let (bearer, cookie) = (format!("Authorization: Bearer {token}"), format!("Cookie: {ACCESS}={token}"));

    let hello = service_fn(async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    });
    let router = || Router::new().route("/", get(async || "hello"));
    let live = Router::new().route("/", get(async |_: Live| "hello")).with_state(rescind.clone());
    let header = || Guard::new(&rescind);
    let in_cookie = || Guard::new(&rescind).tokens_in(TokensIn::HeaderOrCookie);
    let load = |name, address, header: &str| Load {
        name,
        address,
        header: header.to_owned(),
        rates: Vec::new(),
        costs: Vec::new(),
    };
    vec![
        load("hyper", serve(hello).await, &bearer),
        load("hyper, header", serve(header().layer(hello)).await, &bearer),
        load("hyper, cookie", serve(in_cookie().layer(hello)).await, &cookie),
        load("axum", serve(router()).await, &bearer),
        load("axum, header", serve(router().layer(header())).await, &bearer),
        load("axum, cookie", serve(router().layer(in_cookie())).await, &cookie),
        load("axum, extractor", serve(live).await, &bearer),
    ]
}

async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a socket");
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// What this process has taken of the processor. **Units:** nanoseconds.
fn processor_time() -> f64 {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "a benchmark lives for minutes")]
    let nanos = (usage.tv_sec * 1_000_000_000 + usage.tv_nsec) as f64;
    nanos
}

/// Requests a second, from the other core, and how many there were.
fn wrk(load: &Load) -> (f64, f64) {
    let url = format!("http://{}/", load.address);
    let text =
        run(Command::new("taskset").args(["-c", LOAD_CORE, "wrk", "-t1", "-c64", "-d1s", "-H", &load.header, &url]));
    assert!(!text.contains("Non-2xx"), "{}: {text}", load.name);
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    // `123456 requests in 1.00s, 17.54MB read`
    let requests = text.lines().find_map(|line| line.split_once(" requests in ").map(|(requests, _)| requests));
    let number = |text: Option<&str>| text.and_then(|text| text.trim().parse().ok()).expect("a number of wrk's");
    (number(rate), number(requests))
}

/// What a command prints; stops where it fails.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("wrk and taskset (Debian: wrk, util-linux)");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
