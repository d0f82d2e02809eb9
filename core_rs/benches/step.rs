//! The cost of a tick: 128 quotes per iteration unless the name says otherwise.
//!
//! `bare/...` is the floor. `decode` reads a frame without judging it, so that `frame` less `decode` is
//! the step alone. Figures per tick and their ratios: `python -m benches core`.

#![allow(missing_docs, reason = "criterion's macros write functions without")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a benchmark may stop on what it did not expect"
)]

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use edgeguard_core::types::Origin;
use edgeguard_core::wire::{self, Message};
use support::bare::Bare;
use support::{BATCH, Shape, Workload, frame};

const TYPICAL: Shape = Shape {
    symbols: 8,
    positions: 64,
    has_spreads: true,
};

fn frames(criterion: &mut Criterion, group: &str, name: &str, shape: Shape) {
    let mut workload = Workload::new(shape);
    criterion
        .benchmark_group(group)
        .bench_function(name, |bencher| bencher.iter(|| black_box(workload.step())));
}

fn floor(criterion: &mut Criterion) {
    let workload = Workload::new(TYPICAL);
    let mut bare = Bare::new(TYPICAL.symbols, TYPICAL.positions);
    let mut at = 0;
    criterion
        .benchmark_group("bare")
        .bench_function("ewma", |bencher| {
            bencher.iter(|| {
                at = (at + 1) % (workload.quotes.len() / BATCH);
                black_box(bare.step(&workload.quotes[at * BATCH..][..BATCH], 1))
            });
        });
    assert_eq!(bare.breaches, 0);
}

/// The same loop on the same bytes as the engine: decoded, symbols looked up, then the arithmetic.
fn floor_on_frames(criterion: &mut Criterion) {
    let mut workload = Workload::new(TYPICAL);
    let mut bare = Bare::new(TYPICAL.symbols, TYPICAL.positions);
    criterion
        .benchmark_group("bare")
        .bench_function("frames", |bencher| {
            bencher.iter(|| {
                let (at, _) = workload.next();
                black_box(bare.step_frame(&workload.frames[at], 1))
            });
        });
    assert_eq!(bare.breaches, 0);
}

fn decode(criterion: &mut Criterion) {
    let mut workload = Workload::new(TYPICAL);
    criterion
        .benchmark_group("typical")
        .bench_function("decode", |bencher| {
            bencher.iter(|| {
                let (at, _) = workload.next();
                let (_, Message::Ticks(list)) = wire::decode(&workload.frames[at]).unwrap() else {
                    return;
                };
                let mut cursor = list.cursor;
                for _ in 0..list.count {
                    black_box(wire::read_tick(&mut cursor).unwrap());
                }
            });
        });
}

fn typical(criterion: &mut Criterion) {
    frames(criterion, "typical", "frame", TYPICAL);
    let mut workload = Workload::new(TYPICAL);
    let single: Vec<_> = workload
        .quotes
        .iter()
        .map(|quote| frame(core::slice::from_ref(quote), "A"))
        .collect();
    let mut at = 0;
    criterion
        .benchmark_group("typical")
        .bench_function("single", |bencher| {
            bencher.iter(|| {
                at = (at + 1) % single.len();
                workload.now.wall_ns += 781_250;
                workload.now.boot_ns += 781_250;
                black_box(
                    workload
                        .engine
                        .on_frame(&single[at], workload.now, Origin::default())
                        .unwrap(),
                )
            });
        });
}

const LOSS_ONLY: Shape = Shape {
    has_spreads: false,
    ..TYPICAL
};
const SPREAD_ONLY: Shape = Shape {
    positions: 0,
    ..TYPICAL
};
const INPUT_ONLY: Shape = Shape {
    positions: 0,
    has_spreads: false,
    ..TYPICAL
};
/// Each trigger of a tick alone.
const ALONE: [(&str, Shape); 3] = [
    ("loss only", LOSS_ONLY),
    ("spread only", SPREAD_ONLY),
    ("input checks only", INPUT_ONLY),
];

fn cold(criterion: &mut Criterion) {
    cold_of(criterion, "typical", "cold", TYPICAL);
    for (name, shape) in ALONE {
        cold_of(criterion, "cold", name, shape);
    }
}

/// Another 8 MiB of memory is walked before each single tick: what the first tick after a pause costs.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn cold_of(criterion: &mut Criterion, group: &str, name: &str, shape: Shape) {
    let mut workload = Workload::new(shape);
    let single = frame(&workload.quotes[..1], "A");
    let mut ballast = vec![0_u8; 8 << 20];
    let mut group = criterion.benchmark_group(group);
    group.sample_size(10);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count {
                ballast
                    .iter_mut()
                    .step_by(64)
                    .for_each(|byte| *byte = byte.wrapping_add(1));
                black_box(&mut ballast);
                workload.now.wall_ns += 1_000_000;
                workload.now.boot_ns += 1_000_000;
                let begun = Instant::now();
                black_box(
                    workload
                        .engine
                        .on_frame(&single, workload.now, Origin::default())
                        .unwrap(),
                );
                spent += begun.elapsed();
            }
            spent
        });
    });
}

fn triggers(criterion: &mut Criterion) {
    for (name, shape) in ALONE {
        frames(criterion, "trigger", name, shape);
    }
}

fn sizes(criterion: &mut Criterion) {
    for positions in [1, 64, 1_000, 10_000] {
        frames(
            criterion,
            "positions",
            &positions.to_string(),
            Shape {
                positions,
                ..TYPICAL
            },
        );
    }
    for symbols in [1, 8, 100, 1_000] {
        frames(
            criterion,
            "symbols",
            &symbols.to_string(),
            Shape {
                symbols,
                positions: 1_000,
                has_spreads: true,
            },
        );
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500));
    targets = floor, floor_on_frames, decode, typical, cold, triggers, sizes
}
criterion_main!(benches);
