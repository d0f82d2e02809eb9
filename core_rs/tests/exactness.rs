//! Marked equity by sums per symbol equals the sum over all positions, for as long as one likes.

#![allow(missing_docs, reason = "a test says in its name what it claims")]
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a test may stop on what it did not expect"
)]

mod frames;

use edgeguard_core::engine::Engine;
use edgeguard_core::types::{Now, Origin};
use frames::{Held, START_NS, engine, snapshot, ticks};

const LIMITS: &str = r#""confirm":"none","daily_loss":"0.9","total_drawdown":"0.9",
    "first_reference":"snapshot","jump_frac":"100","spread_multiple":"1000","price_age_max_s":"604800""#;
/// EURUSD and GBPUSD are exact; USDCHF is converted at its own inverse, EURCHF at that of USDCHF.
const NAMES: [&str; 4] = ["EURUSD", "GBPUSD", "USDCHF", "EURCHF"];
const START: [i64; 4] = [110_000, 140_000, 90_000, 95_000];
/// Fine units (1e-20) of one cent.
const CENT: i128 = 1_000_000_000_000_000_000;
/// Fine units of 1e-6, to which a converted sum is snapped.
const SNAP: f64 = 1e14;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % bound.unsigned_abs()).unwrap()
    }
}

/// A position as the test keeps it: symbol, side, hundredths of a lot, price at the snapshot.
#[derive(Clone, Copy)]
struct Own {
    symbol: usize,
    is_long: bool,
    volume: i64,
    price: i64,
}

fn send(engine: &mut Engine, at_ms: i64, frame: &[u8]) {
    let at = START_NS + at_ms * 1_000_000;
    let now = Now {
        wall_ns: at,
        boot_ns: at,
    };
    let flags = engine.on_frame(frame, now, Origin::default()).unwrap();
    assert_eq!(flags.0, 0);
}

fn new_book(random: &mut Random, quotes: &[(i64, i64); 4], count: i64) -> Vec<Own> {
    (0..count)
        .map(|_| {
            let symbol = usize::try_from(random.below(4)).unwrap();
            let is_long = random.below(2) == 0;
            let price = if is_long {
                quotes[symbol].0
            } else {
                quotes[symbol].1
            };
            Own {
                symbol,
                is_long,
                volume: 1 + random.below(20),
                price,
            }
        })
        .collect()
}

fn take(engine: &mut Engine, at_ms: i64, equity: i64, book: &[Own]) {
    let rows: Vec<Held<'_>> = (1i64..)
        .zip(book)
        .map(|(id, one)| {
            let side = if one.is_long { "buy" } else { "sell" };
            (id, NAMES[one.symbol], side, one.volume, one.price)
        })
        .collect();
    send(engine, at_ms, &snapshot(0, equity, equity, &rows));
}

/// The change of one symbol's positions, one by one, in hundredths of a lot x points.
fn change(book: &[Own], symbol: usize, quote: (i64, i64)) -> i64 {
    let of = |one: &Own| {
        if one.is_long {
            (quote.0 - one.price) * one.volume
        } else {
            (one.price - quote.1) * one.volume
        }
    };
    book.iter().filter(|one| one.symbol == symbol).map(of).sum()
}

fn run(events: i64, seed: u64) -> (f64, i64) {
    let mut random = Random(seed);
    let mut engine = engine(LIMITS, &NAMES);
    let mut quotes = START.map(|bid| (bid, bid + 8));
    let (mut equity, mut book) = (10_000_000, Vec::new());
    let mut ticked = [false; 4];
    for (name, quote) in NAMES.iter().zip(quotes) {
        send(&mut engine, 0, &ticks(0, &[(name, quote.0, quote.1)]));
    }
    take(&mut engine, 0, equity, &book);
    let (mut worst, mut compared) = (0f64, 0);
    for at in 1..=events {
        if random.below(5_000) == 0 {
            equity = 9_000_000 + random.below(2_000_000);
            let count = 1 + random.below(60);
            book = new_book(&mut random, &quotes, count);
            ticked = [false; 4];
            take(&mut engine, at, equity, &book);
        }
        let symbol = usize::try_from(random.below(4)).unwrap();
        let bid = (quotes[symbol].0 + random.below(41) - 20)
            .clamp(START[symbol] - 900, START[symbol] + 900);
        quotes[symbol] = (bid, bid + random.below(15));
        ticked[symbol] = true;
        send(
            &mut engine,
            at,
            &ticks(0, &[(NAMES[symbol], quotes[symbol].0, quotes[symbol].1)]),
        );
        let exact: i64 = (0..2)
            .filter(|one| ticked[*one])
            .map(|one| change(&book, one, quotes[one]))
            .sum();
        let mut expected = i128::from(equity + exact) * CENT;
        let francs = (quotes[2].0 + quotes[2].1) as f64 / 200_000.0;
        let mut converted = 0.0;
        for one in (2..4).filter(|one| ticked[*one]) {
            converted += change(&book, one, quotes[one]) as f64 / 100.0 / francs;
        }
        let marked = engine.marked_fine("A").unwrap();
        // The exact part must agree to the last digit: what is left is the converted part, snapped to 1e-6.
        expected = marked - expected;
        let drift = (expected as f64 / 1e20 - converted).abs() * 1e20 / (f64::from(2u8) * SNAP);
        assert!(drift <= 1.001, "event {at}: {drift}");
        if (2..4).all(|one| change(&book, one, quotes[one]) == 0 || !ticked[one]) {
            assert_eq!(expected, 0, "event {at}");
        }
        worst = worst.max(expected.unsigned_abs() as f64);
        compared += 1;
    }
    (worst, compared)
}

#[test]
fn sums_per_symbol_equal_all_positions() {
    for seed in [11, 22, 33] {
        assert_eq!(run(60_000, seed).1, 60_000);
    }
}

/// `cargo test --release -p edgeguard-core --test exactness -- --ignored`
#[test]
#[ignore = "millions of events"]
fn sums_per_symbol_equal_all_positions_over_millions_of_events() {
    assert_eq!(run(5_000_000, 44).1, 5_000_000);
}
