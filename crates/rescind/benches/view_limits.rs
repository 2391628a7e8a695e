//! What criterion cannot measure of the view: resident bytes per entry, and the longest that a reader waits while the
//! tables grow. Prints one line for each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rescind::position::Seq;
use rescind::time::BootTime;
use rescind::view::layers::{Change, Key, Layers, Name, Names};

const ENTRIES: u64 = 10_000_000;

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn entry(number: u64) -> (Name, Change) {
    (Name::Session(Key([mix(number), mix(!number)])), Change::CutOff(Seq::new(number + 1)))
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn bytes_per_entry() {
    let mut ends = Vec::new();
    for layers in [1, 3] {
        let before = resident();
        let view = Layers::new([mix(3), mix(4)], Duration::from_secs(900));
        for number in 0..ENTRIES {
            let layer = number * layers / ENTRIES;
            view.apply([entry(number)], BootTime::from_millis(layer * 450_000));
        }
        let bytes = (resident() - before) * 1024;
        assert_eq!(view.len() as u64, ENTRIES);
        let own = view.bytes() as u64;
        println!(
            "resident bytes per entry at 10M, {layers} layers: {:.2} (tables alone {:.2})",
            bytes as f64 / ENTRIES as f64,
            own as f64 / ENTRIES as f64
        );
        ends.push(view); // memory that was freed here and used again would not count below
    }
}

fn longest_reader_pause() {
    let view = Layers::new([mix(5), mix(6)], Duration::from_secs(900));
    let stop = AtomicBool::new(false);
    let mut pauses = Vec::new();
    for growing in [false, true] {
        stop.store(false, Ordering::Relaxed);
        let mut times: Vec<u32> = Vec::with_capacity(40_000_000);
        let writing = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let start = Instant::now();
                if growing {
                    (0..2_000_000).for_each(|number| view.apply([entry(number)], BootTime::default()));
                } else {
                    std::thread::sleep(Duration::from_millis(700));
                }
                stop.store(true, Ordering::Relaxed);
                start.elapsed()
            });
            let mut number = 1 << 50;
            let mut last = Instant::now();
            while !stop.load(Ordering::Relaxed) && times.len() < times.capacity() {
                let Key(words) = Key([mix(number), mix(!number)]);
                let names = Names { session: Some(Key(words)), ..Names::default() };
                assert!(view.covering(&names, Seq::ZERO).is_none());
                number += 1;
                let now = Instant::now();
                times.push(u32::try_from((now - last).as_nanos()).unwrap_or(u32::MAX));
                last = now;
            }
            writer.join().unwrap_or_default()
        });
        times.sort_unstable();
        let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0);
        pauses.push((growing, writing, times.len(), at(0.5), at(0.9999), times.last().copied().unwrap_or(0)));
    }
    for (growing, writing, count, median, late, longest) in pauses {
        let beside =
            if growing { "while 2M entries are inserted" } else { "without a writer (the machine's own noise)" };
        println!(
            "look-up {beside}, {} ms, {count} look-ups: median {median} ns, p99.99 {late} ns, longest {:.3} ms",
            writing.as_millis(),
            f64::from(longest) / 1e6
        );
    }
}

fn main() {
    bytes_per_entry();
    longest_reader_pause();
}
