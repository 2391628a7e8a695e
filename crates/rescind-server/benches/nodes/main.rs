//! Three nodes on one store, Postgres and then Redis: from the acknowledgement at one node to the refusal at the others,
//! rates over HTTP, a start with millions of cut-offs, a node's memory, and what it costs while nothing happens. Real
//! release binaries and real servers, all on this machine. Prints a line a figure.
//!
//! Arguments name the parts to run: `cargo bench -p rescind-server --bench nodes -- Postgres reach`.
#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot run says so and stops")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod caller;
mod ground;
mod load;
mod many;
mod reach;
mod rest;

use self::ground::{Ground, Kind};

/// What is measured of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// What a node costs while nothing happens.
    Rest,
    /// From the acknowledgement to the refusal elsewhere.
    Reach,
    /// Writes a second over HTTP.
    Rates,
    /// A start with millions of cut-offs, and a node's memory.
    Many,
}

impl Part {
    const EVERY: [Self; 4] = [Self::Rest, Self::Reach, Self::Rates, Self::Many];

    const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Reach => "reach",
            Self::Rates => "rates",
            Self::Many => "many",
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let named: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let kinds: Vec<_> = Kind::EVERY.iter().map(|kind| kind.name()).collect();
    let asks_for = |all: &[&str]| all.iter().any(|name| named.iter().any(|one| one == name));
    let stores_are_named = asks_for(&kinds);
    let parts_are_named = asks_for(&Part::EVERY.map(Part::name));
    let wanted = |name: &str, some: bool| !some || named.iter().any(|one| one == name);
    for kind in Kind::EVERY.into_iter().filter(|kind| wanted(kind.name(), stores_are_named)) {
        let parts: Vec<_> = Part::EVERY.into_iter().filter(|part| wanted(part.name(), parts_are_named)).collect();
        measure(&runtime, kind, &parts);
    }
}

fn measure(runtime: &tokio::runtime::Runtime, kind: Kind, parts: &[Part]) {
    if parts.iter().any(|part| *part != Part::Many) {
        let ground = Ground::start(kind);
        let nodes = ground.nodes();
        for part in parts {
            match part {
                Part::Rest => rest::measure(kind, &nodes),
                Part::Reach => runtime.block_on(reach::measure(&ground, &nodes)),
                Part::Rates => runtime.block_on(load::measure(kind, &nodes)),
                Part::Many => {}
            }
        }
    }
    if parts.contains(&Part::Many) {
        many::measure(runtime, kind);
    }
}

/// Prints a figure as `cargo xtask bench` reads it.
fn figure(kind: Kind, what: &str, value: f64, unit: &str) {
    println!("figure {}: {what} = {value:.3} {unit}", kind.name());
}

/// A count as a figure has it.
fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("fewer than 2^32"))
}
