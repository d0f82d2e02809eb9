//! What both benchmarks feed to the engine: a market that wanders and never breaks a limit.

pub(crate) mod bare;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use edgeguard_core::engine::Engine;
use edgeguard_core::types::{Now, Origin};

/// Quotes of one frame.
pub(crate) const BATCH: usize = 128;
/// Different frames that are sent in turn.
pub(crate) const FRAMES: usize = 64;
/// Simulated time between two quotes of one symbol, whatever the number of symbols: 160 a second.
pub(crate) const QUOTE_NS: i64 = 6_250_000;
/// A Wednesday in 2026, nanoseconds since the Unix epoch.
pub(crate) const START_NS: i64 = 1_772_020_800_000_000_000;

/// What a workload consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Symbols that tick.
    pub(crate) symbols: usize,
    /// Open positions, spread evenly over the symbols.
    pub(crate) positions: usize,
    /// Whether the spread trigger is armed and learns.
    pub(crate) has_spreads: bool,
}

/// One quote as the bare loop reads it: what a 64-byte tick holds.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub(crate) symbol: usize,
    pub(crate) bid: f64,
    pub(crate) ask: f64,
    pub(crate) stamp: i64,
}

/// An engine, its frames and its clock.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) engine: Engine,
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) quotes: Vec<Quote>,
    pub(crate) now: Now,
    frame_ns: i64,
    at: usize,
}

impl Workload {
    /// Builds the engine with its positions, and every frame in advance.
    pub(crate) fn new(shape: Shape) -> Self {
        let config = config_json(shape);
        let mut engine = Engine::new(config.as_bytes(), "hash", false, &BTreeMap::new()).unwrap();
        engine.register_source("bench");
        let mut now = Now {
            wall_ns: START_NS,
            boot_ns: START_NS,
        };
        let flags = engine
            .on_frame(&snapshot(shape), now, Origin::default())
            .unwrap();
        assert!(!flags.has(edgeguard_core::engine::Flags::MALFORMED));
        let quotes = quotes(shape.symbols);
        let frames = quotes
            .chunks(BATCH)
            .map(|chunk| frame(chunk, "A"))
            .collect();
        now.wall_ns += QUOTE_NS;
        now.boot_ns += QUOTE_NS;
        let batch = QUOTE_NS * i64::try_from(BATCH).unwrap();
        let frame_ns = batch / i64::try_from(shape.symbols).unwrap();
        let mut workload = Self {
            engine,
            frames,
            quotes,
            now,
            frame_ns,
            at: 0,
        };
        for _ in 0..FRAMES * 50 {
            workload.step();
        }
        let lines: Vec<_> = workload.engine.take_decisions();
        assert!(
            lines.is_empty(),
            "the market must break no limit, broke {lines:?}"
        );
        workload
    }

    /// Returns the next frame and moves the clock.
    pub(crate) fn next(&mut self) -> (usize, Now) {
        let at = self.at;
        self.at = (at + 1) % self.frames.len();
        self.now.wall_ns += self.frame_ns;
        self.now.boot_ns += self.frame_ns;
        (at, self.now)
    }

    /// Sends one frame of 128 quotes through the engine.
    pub(crate) fn step(&mut self) -> u32 {
        let (at, now) = self.next();
        self.engine
            .on_frame(&self.frames[at], now, Origin::default())
            .unwrap()
            .0
    }
}

fn name(symbol: usize) -> String {
    format!("SYM{symbol:03}")
}

fn config_json(shape: Shape) -> String {
    let mut symbols = String::new();
    for symbol in 0..shape.symbols {
        let comma = if symbol == 0 { "" } else { "," };
        let normal = if shape.has_spreads { "12" } else { "null" };
        write!(
            symbols,
            r#"{comma}{{"name":"{}","digits":5,"contract_size":"100000","calc_mode":"FOREX",
            "currency_base":"EUR","currency_profit":"USD","spread_normal_points":{normal}}}"#,
            name(symbol)
        )
        .unwrap();
    }
    let armed_from = if shape.has_spreads { 240 } else { 1_000_000 };
    format!(
        r#"{{"account":[{{"id":"A","currency":"USD","currency_digits":2,"initial_balance":"1000000.00",
        "limits":{{"daily_loss":"0.9","total_drawdown":"0.9","connection_lost_s":"604800",
        "spread_samples_min":{armed_from}}}}}],"symbol":[{symbols}]}}"#
    )
}

/// Prices that return to where they began after `FRAMES` frames, with spreads of 8 to 15 points.
fn quotes(symbols: usize) -> Vec<Quote> {
    let mut random = Random(7);
    let count = BATCH * FRAMES;
    let mut mids = vec![138_700_i64; symbols];
    (0..count)
        .map(|at| {
            let symbol = at % symbols;
            let step = i64::try_from(random.below(7)).unwrap() - 3;
            mids[symbol] = (mids[symbol] + step).clamp(138_200, 139_200);
            let spread = 8 + i64::try_from(random.below(8)).unwrap();
            let (bid, ask) = (mids[symbol], mids[symbol] + spread);
            #[allow(clippy::cast_precision_loss, reason = "six digits")]
            Quote {
                symbol,
                bid: bid as f64 / 1e5,
                ask: ask as f64 / 1e5,
                stamp: 0,
            }
        })
        .collect()
}

/// A tick batch as `edgeguard/messages.py` writes it, prices as floats.
pub(crate) fn frame(quotes: &[Quote], account: &str) -> Vec<u8> {
    let mut out = vec![0x97, 0x01];
    text(&mut out, account);
    text(&mut out, "market");
    integer(&mut out, 1);
    out.push(0xc0);
    integer(&mut out, START_NS.unsigned_abs());
    out.push(0xdc);
    out.extend(u16::try_from(quotes.len()).unwrap().to_be_bytes());
    for quote in quotes {
        out.push(0x94);
        text(&mut out, &name(quote.symbol));
        for price in [quote.bid, quote.ask] {
            out.push(0xcb);
            out.extend(price.to_be_bytes());
        }
        out.push(0xc0);
    }
    out
}

/// An account snapshot with every position, sides alternating, so that marks nearly cancel.
fn snapshot(shape: Shape) -> Vec<u8> {
    let mut out = vec![0x9b, 0x03];
    text(&mut out, "A");
    text(&mut out, "terminal");
    integer(&mut out, 1);
    integer(&mut out, 1);
    integer(&mut out, START_NS.unsigned_abs());
    for money in ["1000000.00", "1000000.00", "0.00", "0.00"] {
        text(&mut out, money);
    }
    out.push(0xdc);
    out.extend(u16::try_from(shape.positions).unwrap().to_be_bytes());
    for at in 0..shape.positions {
        out.extend([0xdc, 0x00, 0x09]);
        integer(&mut out, at as u64 + 1);
        integer(&mut out, at as u64 + 1);
        text(&mut out, &name(at % shape.symbols));
        text(
            &mut out,
            if (at / shape.symbols).is_multiple_of(2) {
                "buy"
            } else {
                "sell"
            },
        );
        for amount in ["0.01", "1.38700", "1.38694", "0.00", "0.00"] {
            text(&mut out, amount);
        }
    }
    out
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.push(0xa0 | u8::try_from(value.len()).unwrap());
    out.extend(value.as_bytes());
}

fn integer(out: &mut Vec<u8>, value: u64) {
    out.push(0xcf);
    out.extend(value.to_be_bytes());
}

/// A small generator with a fixed seed, so that every run has the same market.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
