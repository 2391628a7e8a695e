//! What a node costs while nothing happens: its processor time, and its memory.

use std::fs;
use std::time::{Duration, Instant};

use rescind_test_kit::Node;

use super::figure;
use super::ground::{Kind, memory_mib};

/// What a node is given to become quiet after its start.
const QUIET: Duration = Duration::from_secs(3);
const LASTING: Duration = Duration::from_secs(20);
/// Of processor time in `/proc`; the same on every Linux that we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures all nodes at once.
pub(crate) fn measure(kind: Kind, nodes: &[Node]) {
    std::thread::sleep(QUIET);
    let begun = Instant::now();
    let before: Vec<_> = nodes.iter().map(ticks).collect();
    std::thread::sleep(LASTING);
    let lasted = begun.elapsed().as_secs_f64();
    let shares = nodes.iter().zip(before).map(|(node, before)| (ticks(node) - before) / TICKS_PER_SECOND / lasted);
    let most = shares.fold(0.0, f64::max);
    figure(kind, "idle node, of a core over 20 s, the worst of 3", 100.0 * most, "%");
    let first = nodes.first().expect("a node");
    figure(kind, "node without entries, resident", memory_mib(first, "VmRSS"), "MiB");
}

/// Processor time since the start: of the fields behind the name in brackets, the 12th and 13th.
fn ticks(node: &Node) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid().expect("it runs"))).expect("its times");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks = |n| fields.split(' ').nth(n).and_then(|ticks| ticks.parse::<f64>().ok()).expect("a number");
    ticks(11) + ticks(12)
}
