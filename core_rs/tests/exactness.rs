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
    clippy::print_stdout,
    reason = "a test may stop on what it did not expect"
)]

mod frames;

use edgeguard_core::engine::Engine;
use edgeguard_core::types::{Now, Origin};
use frames::{Held, START_NS, deal, engine, snapshot, ticks};

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

/// Largest drift that is allowed, as a share of equity.
const DRIFT_MAX: f64 = 1e-9;

/// A position as the test keeps it: identifier, symbol, side, hundredths of a lot, price at which it stands.
#[derive(Clone, Copy)]
struct Own {
    id: i64,
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

fn new_position(random: &mut Random, quotes: &[(i64, i64); 4], id: i64) -> Own {
    let symbol = usize::try_from(random.below(4)).unwrap();
    let is_long = random.below(2) == 0;
    let (bid, ask) = quotes[symbol];
    Own {
        id,
        symbol,
        is_long,
        volume: 1 + random.below(20),
        price: if is_long { bid } else { ask },
    }
}

fn take(engine: &mut Engine, at_ms: i64, equity: i64, book: &[Own]) {
    let rows: Vec<Held<'_>> = book
        .iter()
        .map(|one| {
            let side = if one.is_long { "buy" } else { "sell" };
            (one.id, NAMES[one.symbol], side, one.volume, one.price)
        })
        .collect();
    send(engine, at_ms, &snapshot(0, equity, equity, &rows));
}

/// Opens a position, or closes one or a part of it; returns the cents that the deal brings.
fn trade(
    engine: &mut Engine,
    at_ms: i64,
    random: &mut Random,
    book: &mut Vec<Own>,
    quotes: &[(i64, i64); 4],
) -> i64 {
    let side = |is_buy: bool| if is_buy { "buy" } else { "sell" };
    if book.is_empty() || random.below(2) == 0 {
        let one = new_position(random, quotes, 1_000 + at_ms);
        let (name, volume) = (NAMES[one.symbol], one.volume);
        let row = (
            at_ms,
            one.id,
            name,
            side(one.is_long),
            "in",
            volume,
            one.price,
            0,
        );
        send(engine, at_ms, &deal(row));
        book.push(one);
        return 0;
    }
    let at = usize::try_from(random.below(i64::try_from(book.len()).unwrap())).unwrap();
    let one = book[at];
    let (volume, profit) = (1 + random.below(one.volume), random.below(20_001) - 10_000);
    let (name, opposite) = (NAMES[one.symbol], side(!one.is_long));
    let row = (
        at_ms, one.id, name, opposite, "out", volume, one.price, profit,
    );
    send(engine, at_ms, &deal(row));
    book[at].volume -= volume;
    book.retain(|one| one.volume > 0);
    profit
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

/// Runs random ticks, deals and snapshots; returns the largest drift as a share of equity.
fn run(events: i64, seed: u64) -> f64 {
    let mut random = Random(seed);
    let mut engine = engine(LIMITS, &NAMES);
    let mut quotes = START.map(|bid| (bid, bid + 8));
    let (mut equity, mut book) = (10_000_000, Vec::new());
    let mut ticked = [false; 4];
    for (name, quote) in NAMES.iter().zip(quotes) {
        send(&mut engine, 0, &ticks(0, &[(name, quote.0, quote.1)]));
    }
    take(&mut engine, 0, equity, &book);
    let mut worst = 0f64;
    for at in 1..=events {
        if random.below(5_000) == 0 {
            equity = 9_000_000 + random.below(2_000_000);
            let count = 1 + random.below(60);
            book = (1..=count)
                .map(|id| new_position(&mut random, &quotes, id))
                .collect();
            ticked = [false; 4];
            take(&mut engine, at, equity, &book);
        }
        if random.below(100) == 0 {
            equity += trade(&mut engine, at, &mut random, &mut book, &quotes);
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
        let changes = [0, 1, 2, 3].map(|one| {
            if ticked[one] {
                change(&book, one, quotes[one])
            } else {
                0
            }
        });
        // A hundredth of a lot x point of EURUSD or GBPUSD is a cent; one of the others a centime.
        let exact = i128::from(equity + changes[0] + changes[1]) * CENT;
        let francs = (quotes[2].0 + quotes[2].1) as f64 / 200_000.0;
        let converted = (changes[2] + changes[3]) as f64 / 100.0 / francs;
        // The exact part must agree to the last digit: what is left is the converted part, snapped to 1e-6.
        let left = engine.marked_fine("A").unwrap() - exact;
        let drift = (left as f64 / 1e20 - converted).abs();
        assert!(drift * 1e20 <= 1.001 * SNAP, "event {at}: {drift}");
        if changes[2] == 0 && changes[3] == 0 {
            assert_eq!(left, 0, "event {at}");
        }
        worst = worst.max(drift / (equity as f64 / 100.0));
    }
    worst
}

#[test]
fn sums_per_symbol_equal_all_positions() {
    for seed in [11, 22, 33] {
        assert!(run(60_000, seed) <= DRIFT_MAX);
    }
}

/// `cargo test --release -p edgeguard-core --test exactness -- --ignored --nocapture` prints its figure.
#[test]
#[ignore = "millions of events"]
fn sums_per_symbol_equal_all_positions_over_millions_of_events() {
    let worst = run(5_000_000, 44);
    println!("5000000 events, largest drift {worst:.1e} of equity");
    assert!(worst <= DRIFT_MAX);
}
