//! A fixed amount of work for an instruction counter: `instructions WORKLOAD TICKS`.
//!
//! `tests/unit/bench/test_instructions.py` runs it under callgrind twice and takes the difference, so that
//! building the workload does not count.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a benchmark may stop on what it did not expect"
)]

mod support;

use std::hint::black_box;

use edgeguard_core::types::Origin;
use support::bare::Bare;
use support::{BATCH, Shape, Workload, frame};

const TYPICAL: Shape = Shape {
    symbols: 8,
    positions: 64,
    has_spreads: true,
};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo bench` and `cargo test --all-targets` call this without a workload.
    let [_, name, ticks] = arguments.as_slice() else {
        return;
    };
    let Ok(ticks) = ticks.parse::<usize>() else {
        return;
    };
    match name.as_str() {
        "batch" => batch(Workload::new(TYPICAL), ticks / BATCH),
        "positions" => batch(
            Workload::new(Shape {
                positions: 10_000,
                ..TYPICAL
            }),
            ticks / BATCH,
        ),
        "symbols" => batch(
            Workload::new(Shape {
                symbols: 1_000,
                ..TYPICAL
            }),
            ticks / BATCH,
        ),
        "single" => single(ticks),
        "bare" => bare(ticks / BATCH),
        _ => {}
    }
}

fn batch(mut workload: Workload, count: usize) {
    for _ in 0..count {
        black_box(workload.step());
    }
}

fn single(count: usize) {
    let mut workload = Workload::new(TYPICAL);
    let frames: Vec<_> = workload
        .quotes
        .iter()
        .map(|quote| frame(core::slice::from_ref(quote), "A"))
        .collect();
    for at in 0..count {
        workload.now.wall_ns += 781_250;
        workload.now.boot_ns += 781_250;
        black_box(
            workload
                .engine
                .on_frame(&frames[at % frames.len()], workload.now, Origin::default())
                .unwrap(),
        );
    }
}

fn bare(count: usize) {
    let workload = Workload::new(TYPICAL);
    let mut bare = Bare::new(TYPICAL.symbols, TYPICAL.positions);
    for at in 0..count {
        let begin = at * BATCH % workload.quotes.len();
        black_box(bare.step(&workload.quotes[begin..][..BATCH], 1));
    }
}
