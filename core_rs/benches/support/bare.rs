//! The floor: a bare loop of the same arithmetic, with nothing that makes it an engine.
//!
//! It turns prices into points, refuses bad ticks, judges a jump, marks the symbol's sums, compares
//! equity with two limits, compares the spread with five times its EWMA and notes the proof of life.
//! It has no exact rounding, no decoding, no window, no deadlines and no decisions.
#![allow(dead_code, reason = "each benchmark uses its own part")]

use edgeguard_core::price::Price;
use edgeguard_core::wire::{self, Message};

use super::Quote;

/// One symbol's sums and its average spread.
#[derive(Clone, Copy, Debug, Default)]
struct Symbol {
    long: i64,
    short: i64,
    cost: i64,
    change: i64,
    mid: i64,
    stamp: i64,
    average: f64,
    proof: i64,
}

/// The loop's whole state.
#[derive(Debug)]
pub(crate) struct Bare {
    symbols: Vec<Symbol>,
    equity: i64,
    day_floor: i64,
    peak_floor: i64,
    pub(crate) breaches: u64,
}

impl Bare {
    /// Starts with the same positions as the engine's workload.
    pub(crate) fn new(symbols: usize, positions: usize) -> Self {
        let mut all = vec![
            Symbol {
                mid: 277_400,
                average: 12.0,
                ..Symbol::default()
            };
            symbols
        ];
        for at in 0..positions {
            let symbol = &mut all[at % symbols];
            if (at / symbols).is_multiple_of(2) {
                symbol.long += 1;
                symbol.cost += 138_694;
            } else {
                symbol.short += 1;
                symbol.cost -= 138_694;
            }
        }
        Self {
            symbols: all,
            equity: 100_000_000,
            day_floor: 10_000_000,
            peak_floor: 10_000_000,
            breaches: 0,
        }
    }

    /// Takes one quote.
    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "points are small"
    )]
    pub(crate) fn take(&mut self, quote: &Quote, now: i64) {
        let Some(symbol) = self.symbols.get_mut(quote.symbol) else {
            return;
        };
        let (bid, ask) = (
            (quote.bid * 1e5 + 0.5) as i64,
            (quote.ask * 1e5 + 0.5) as i64,
        );
        if bid <= 0 || bid > ask || quote.stamp < symbol.stamp {
            self.breaches += 1;
            return;
        }
        let mid = bid + ask;
        if mid.abs_diff(symbol.mid) * 100 > symbol.mid.unsigned_abs() * 2 {
            self.breaches += 1;
            return;
        }
        symbol.stamp = quote.stamp;
        symbol.mid = mid;
        symbol.proof = now;
        let change = symbol.long * bid - symbol.short * ask - symbol.cost;
        self.equity += change - symbol.change;
        symbol.change = change;
        let spread = (ask - bid) as f64;
        let is_wide = spread > symbol.average * 5.0;
        symbol.average += (spread - symbol.average) * 0.001;
        self.breaches +=
            u64::from(self.equity < self.day_floor || self.equity < self.peak_floor || is_wide);
    }

    /// Takes one batch.
    pub(crate) fn step(&mut self, quotes: &[Quote], now: i64) -> u64 {
        for quote in quotes {
            self.take(quote, now);
        }
        self.breaches
    }

    /// Takes one batch as it is on the wire.
    pub(crate) fn step_frame(&mut self, frame: &[u8], now: i64) -> u64 {
        let Ok((_, Message::Ticks(list))) = wire::decode(frame) else {
            return 0;
        };
        let mut cursor = list.cursor;
        for _ in 0..list.count {
            let Ok(tick) = wire::read_tick(&mut cursor) else {
                return 0;
            };
            if let (Price::Float(bid), Price::Float(ask)) = (tick.bid, tick.ask) {
                let symbol = number(tick.symbol);
                self.take(
                    &Quote {
                        symbol,
                        bid,
                        ask,
                        stamp: 0,
                    },
                    now,
                );
            }
        }
        self.breaches
    }
}

/// The cheapest lookup there is: the digits in the name are the symbol.
fn number(name: &[u8]) -> usize {
    name.iter()
        .skip(3)
        .fold(0, |number, digit| number * 10 + usize::from(digit & 0x0f))
}
