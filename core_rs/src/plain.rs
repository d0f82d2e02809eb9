//! The short way of an ordinary tick: valid, no jump, an ordinary spread, exact profit within the bounds in
//! which no limit changes. Whatever is not ordinary is left, untouched, to the long way.

use crate::account::Account;
use crate::config::Limits;
use crate::price::quick_points;
use crate::symbol::{Symbol, need};
use crate::ticks::{ExactQuote, TickRow};
use crate::triggers::price_input::{JumpLimit, Quote};

/// What all ordinary ticks of one account share.
struct Plain<'a> {
    limits: &'a Limits,
    jump_limit: &'a JumpLimit,
    inert: (i128, i128),
    floating: i128,
    snapshots: u32,
    publisher: u8,
    now_boot_ns: i64,
}

impl Account {
    /// Takes ordinary ticks one after the other; returns how many, up to the first that is not. A function
    /// of its own: inside its caller the loop keeps less in registers.
    #[inline(never)]
    pub fn run_plain(&mut self, rows: &[TickRow], publisher: u8, now_boot_ns: i64) -> usize {
        let (mut plain, symbols, floating) = self.plain(publisher, now_boot_ns);
        let mut count: usize = 0;
        for row in rows {
            if !plain.take_row(symbols, row) {
                break;
            }
            count = count.wrapping_add(1);
        }
        *floating = plain.floating;
        count
    }

    /// Takes one tick as `run_plain` does; returns false when it is not ordinary. By value: read back from
    /// memory as a pair, prices that were stored one by one a moment ago wait for both stores.
    #[inline]
    pub fn run_one(&mut self, row: TickRow, publisher: u8, now_boot_ns: i64) -> bool {
        let (mut plain, symbols, floating) = self.plain(publisher, now_boot_ns);
        let is_taken = plain.take_row(symbols, &row);
        *floating = plain.floating;
        is_taken
    }

    /// Takes one tick the short way; returns false when it is not ordinary.
    pub fn on_plain(
        &mut self,
        row: &TickRow,
        prices: ExactQuote,
        publisher: u8,
        now_boot_ns: i64,
    ) -> bool {
        let (mut plain, symbols, floating) = self.plain(publisher, now_boot_ns);
        let place = usize::try_from(row.symbol).unwrap_or(usize::MAX);
        let Some(symbol) = symbols.get_mut(place) else {
            return false;
        };
        let digits = symbol.hot.digits;
        let points = (prices.bid.to_points(digits), prices.ask.to_points(digits));
        let (Some(bid), Some(ask)) = points else {
            return false;
        };
        let is_taken = plain.take(symbol, Quote { bid, ask }, row.stamp);
        *floating = plain.floating;
        is_taken
    }

    fn plain(&mut self, publisher: u8, now_boot_ns: i64) -> (Plain<'_>, &mut [Symbol], &mut i128) {
        let plain = Plain {
            limits: &self.config.limits,
            jump_limit: &self.jump_limit,
            inert: self.inert,
            floating: self.equity.floating,
            snapshots: self.equity.snapshots,
            publisher,
            now_boot_ns,
        };
        (plain, &mut self.symbols, &mut self.equity.floating)
    }
}

impl Plain<'_> {
    /// Takes an ordinary tick in the usual form; returns false for any other.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call costs a tenth of the tick, measured"
    )]
    fn take_row(&mut self, symbols: &mut [Symbol], row: &TickRow) -> bool {
        let place = usize::try_from(row.symbol).unwrap_or(usize::MAX);
        let Some(symbol) = symbols.get_mut(place) else {
            return false;
        };
        let scale = symbol.hot.scale;
        let points = (quick_points(row.bid, scale), quick_points(row.ask, scale));
        let (Some(bid), Some(ask)) = points else {
            return false;
        };
        self.take(symbol, Quote { bid, ask }, row.stamp)
    }

    /// Takes an ordinary quote; returns false, with nothing changed that matters, for any other.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call costs a tenth of the tick, measured"
    )]
    fn take(&mut self, symbol: &mut Symbol, quote: Quote, stamp: i64) -> bool {
        let hot = &mut symbol.hot;
        let last = Quote {
            bid: hot.bid,
            ask: hot.ask,
        };
        let (mid, last_mid) = (quote.double_mid(), last.double_mid());
        let is_plain = hot.needs & !need::EXPOSED == 0
            && hot.publisher == self.publisher
            && hot.ticked == self.snapshots
            && stamp >= hot.stamp
            && quote.bid > 0
            && quote.bid <= quote.ask
            && quote.spread() <= hot.anomalous_above
            && self.jump_limit.surely_holds(mid, last_mid);
        if !is_plain {
            return false;
        }
        let mut moved = 0;
        if hot.needs == need::EXPOSED {
            let Some(change) = hot.sums.change_between(last, quote) else {
                return false;
            };
            moved = i128::from(change).wrapping_mul(i128::from(hot.unit));
            let floating = self.floating.wrapping_add(moved);
            if floating <= self.inert.0 || floating >= self.inert.1 {
                return false;
            }
        }
        if self.now_boot_ns >= hot.slow_from {
            let spread = &mut symbol.spread;
            if !spread.on_plain_tick(self.now_boot_ns, quote.spread(), self.limits) {
                return false;
            }
            hot.anomalous_above = spread.anomalous_above();
            hot.slow_from = spread.slow_from();
        }
        if moved != 0 {
            hot.part = hot.part.wrapping_add(moved);
            self.floating = self.floating.wrapping_add(moved);
        }
        hot.bid = quote.bid;
        hot.ask = quote.ask;
        hot.stamp = stamp;
        hot.priced_at = self.now_boot_ns;
        true
    }
}
