//! Look-ups in the view: hit and miss, in one layer and in three, alone and beside a writer; and what dropping a
//! layer costs. One look-up waits for the one before it, and its time includes some 4 ns for making a random key.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the machine, not what a Clock says")]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput};
use rescind::position::Seq;
use rescind::time::BootTime;
use rescind::view::layers::{Change, Key, Layers, Name, Names};

const RETENTION: Duration = Duration::from_mins(15);
const ABSENT: u64 = 1 << 40;

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The bits of a UUIDv7 made in its turn.
fn uuid(number: u64) -> Key {
    let random = mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15));
    Key([(random >> 2) | 1 << 63, ((1_790_000_000_000 + number / 50) << 16) | 0x7000 | (random & 0xfff)])
}

fn filled(count: u64, layers: u64) -> Layers {
    let view = Layers::new([mix(1), mix(2)], RETENTION);
    let entry = |number| (Name::Session(uuid(number)), Change::CutOff(Seq::new(number + 1)));
    for layer in 0..layers {
        let span = count * layer / layers..count * (layer + 1) / layers;
        view.apply(span.map(entry), BootTime::from_millis(layer * 450_000));
    }
    view
}

fn look_up(group: &mut BenchmarkGroup<'_, WallTime>, view: &Layers, count: u64, name: &str) {
    for (outcome, first) in [("hit", 0), ("miss", ABSENT)] {
        group.bench_function(format!("{outcome}/{name}"), |bencher| {
            let mut random = 1_u64;
            bencher.iter(|| {
                let number = first + ((u128::from(random) * u128::from(count)) >> 64) as u64;
                let names = Names { session: Some(uuid(number)), ..Names::default() };
                let covering = view.covering(&names, Seq::ZERO);
                assert_eq!(covering.is_some(), first == 0);
                random = mix(random.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ black_box(u64::from(covering.is_none())));
            });
        });
    }
}

fn beside_a_writer(view: &Layers, now: BootTime, work: impl FnOnce()) {
    const PER_SECOND: u64 = 50_000;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let due = PER_SECOND * u64::try_from(start.elapsed().as_millis()).unwrap_or(0) / 1000;
                while written < due {
                    let number = (1 << 30) + written;
                    view.apply([(Name::Session(uuid(number)), Change::CutOff(Seq::new(number)))], now);
                    written += 1;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        work();
        stop.store(true, Ordering::Relaxed);
    });
}

fn look_ups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("view");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(900));
    for (count, size) in [(1_000, "1k"), (1_000_000, "1M"), (10_000_000, "10M")] {
        for (layers, spread) in [(1, "1 layer"), (3, "3 layers")] {
            let view = filled(count, layers);
            look_up(&mut group, &view, count, &format!("{size}, {spread}"));
            beside_a_writer(&view, BootTime::from_millis((layers - 1) * 450_000), || {
                look_up(&mut group, &view, count, &format!("{size}, {spread}, beside a writer"));
            });
        }
    }
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    const COUNT: u64 = 1_000_000;
    let mut group = criterion.benchmark_group("view");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(10));
    group.bench_function("drop of an expired layer/1M", |bencher| {
        let closed = || {
            let view = filled(COUNT, 1);
            view.expire(BootTime::from_millis(450_000));
            view
        };
        let drop = |view: &mut Layers| assert_eq!(view.expire(BootTime::from_millis(1_350_000)), 1_000_000);
        bencher.iter_batched_ref(closed, drop, BatchSize::PerIteration);
    });
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("load/1M", |bencher| bencher.iter_with_large_drop(|| filled(COUNT, 1)));
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    look_ups(&mut criterion);
    writing(&mut criterion);
    criterion.final_summary();
}
