//! An ordinary tick allocates nothing: not when it marks, nor when it is sampled or leaves the window.

#![allow(missing_docs, reason = "a test says in its name what it claims")]
#![allow(
    unsafe_code,
    reason = "a counting allocator hands every call to the system's"
)]
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test may stop on what it did not expect"
)]

mod frames;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use edgeguard_core::types::{Now, Origin};
use frames::{Held, START_NS, engine, snapshot, ticks};

static CALLS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call goes to the system allocator unchanged; the counter does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise on the layout is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system allocator by `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMITS: &str = r#""daily_loss":"0.03","total_drawdown":"0.06","first_reference":"snapshot",
    "spread_window_s":"60","jump_frac":"0.02""#;

#[test]
fn a_tick_allocates_nothing() {
    let names = ["EURUSD", "GBPUSD", "USDCHF"];
    let mut engine = engine(LIMITS, &names);
    let held: Vec<Held<'_>> = (0..64)
        .map(|at| {
            (
                at + 1,
                names[usize::try_from(at % 3).unwrap()],
                "buy",
                10,
                110_000,
            )
        })
        .collect();
    let mut at = START_NS;
    let mut send = |engine: &mut edgeguard_core::engine::Engine, frame: &[u8]| {
        at += 50_000_000;
        let now = Now {
            wall_ns: at,
            boot_ns: at,
        };
        engine.on_frame(frame, now, Origin::default()).unwrap().0
    };
    send(&mut engine, &snapshot(0, 10_000_000, 10_000_000, &held));
    let batches: Vec<Vec<u8>> = (0..40)
        .map(|step| {
            let bid = 110_000 + (step * 7) % 40;
            ticks(
                0,
                &[
                    ("EURUSD", bid, bid + 8),
                    ("GBPUSD", bid, bid + 9),
                    ("USDCHF", bid, bid + step % 5),
                ],
            )
        })
        .collect();
    // Warm: buffers get their size, baselines fill and begin to lose samples.
    for round in 0..100 {
        for batch in &batches {
            assert_eq!(send(&mut engine, batch), 0, "round {round}");
        }
    }
    let before = CALLS.load(Ordering::Relaxed);
    for _ in 0..100 {
        for batch in &batches {
            assert_eq!(send(&mut engine, batch), 0);
        }
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), before);
}
