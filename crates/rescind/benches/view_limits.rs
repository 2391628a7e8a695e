//! What criterion cannot measure of the view: resident bytes per entry, and the longest that a reader waits while the
//! tables grow. Prints one line for each.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the machine, not what a Clock says")]

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

fn hundredths(bytes: u64) -> String {
    let hundredths = bytes * 100 / ENTRIES;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn bytes_per_entry() {
    let mut ends = Vec::new();
    for layers in [1, 3] {
        let before = resident();
        let view = Layers::new([mix(3), mix(4)], Duration::from_mins(15));
        for number in 0..ENTRIES {
            let layer = number * layers / ENTRIES;
            view.apply([entry(number)], BootTime::from_millis(layer * 450_000));
        }
        let bytes = (resident() - before) * 1024;
        assert_eq!(view.len() as u64, ENTRIES);
        let (whole, own) = (hundredths(bytes), hundredths(view.bytes() as u64));
        println!("figure resident bytes per entry at 10M, {layers} layers = {whole} B");
        println!("figure bytes per entry at 10M by the tables' own count, {layers} layers = {own} B");
        ends.push(view); // memory that was freed here and used again would not count below
    }
}

/// Two times of one look-up. On the wall clock other programs of the machine count too; the thread's own time has
/// only what the look-up itself did, and a reader that waits for nobody is held up by nothing else.
#[derive(Default)]
struct Pauses {
    wall: Vec<u32>,
    own: Vec<u32>,
}

fn own_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or(0)
}

fn read_until(stop: &AtomicBool, view: &Layers) -> Pauses {
    let mut pauses = Pauses::default();
    let (mut wall, mut own) = (Instant::now(), own_time());
    for number in 1 << 50.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let names = Names { session: Some(Key([mix(number), mix(!number)])), ..Names::default() };
        assert!(view.covering(&names, Seq::ZERO).is_none());
        let now = (Instant::now(), own_time());
        pauses.wall.push(u32::try_from((now.0 - wall).as_nanos()).unwrap_or(u32::MAX));
        pauses.own.push(u32::try_from(now.1 - own).unwrap_or(u32::MAX));
        (wall, own) = (Instant::now(), own_time());
    }
    pauses
}

fn longest_reader_pause() {
    for growing in [false, true] {
        let view = Layers::new([mix(5), mix(6)], Duration::from_mins(15));
        let stop = AtomicBool::new(false);
        let mut pauses = std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_until(&stop, &view));
            if growing {
                (0..2_000_000).for_each(|number| view.apply([entry(number)], BootTime::default()));
            } else {
                std::thread::sleep(Duration::from_millis(700));
            }
            stop.store(true, Ordering::Relaxed);
            reader.join().unwrap_or_default()
        });
        let beside = if growing { "beside inserts" } else { "without a writer" };
        for (clock, times) in [("wall", &mut pauses.wall), ("own time", &mut pauses.own)] {
            times.sort_unstable();
            let late = times.get(times.len() / 10_000 * 9_999).copied().unwrap_or(0);
            let longest = f64::from(times.last().copied().unwrap_or(0)) / 1e6;
            println!("figure p99.99 of look-ups {beside}, {clock} = {late} ns");
            println!("figure longest look-up {beside}, {clock} = {longest:.3} ms");
        }
    }
}

fn main() {
    bytes_per_entry();
    longest_reader_pause();
}
