//! What would trip it: the price of each symbol at which a loss limit breaks with the present book.

use crate::account::Account;
use crate::book::Sums;
use crate::day::to_minor;
use crate::triggers::price_input::Quote;

/// Farthest price that is looked at, as a multiple of the present one.
const RISE_MAX: i64 = 16;
/// Loss limits of the account itself; those of its scopes follow.
const ACCOUNT_LIMITS: usize = 2;

/// The quote at which a limit breaks, all else unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Bid and ask, moved together.
    pub quote: Quote,
}

impl Account {
    /// Finds the nearest quote of a symbol at which a loss limit breaks: daily loss (`0`), drawdown (`1`) or that of
    /// a scope (from `2`, in their order); `None` if none does.
    pub fn trip(&mut self, id: u32, which: usize) -> Option<Trip> {
        let quote = self.symbol(id)?.hot.accepted()?;
        let net = self.sums_under(id, which)?.net_volume();
        if net == 0 || self.equity.snapshots == 0 {
            return None;
        }
        let sign: i64 = if net > 0 { -1 } else { 1 };
        let farthest = if net > 0 {
            quote.bid.saturating_sub(1)
        } else {
            quote.ask.saturating_mul(RISE_MAX.saturating_sub(1))
        };
        if farthest < 1 || !self.breaks_at(id, moved(quote, sign.saturating_mul(farthest)), which) {
            return None;
        }
        let (mut low, mut high) = (0, farthest);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if self.breaks_at(id, moved(quote, sign.saturating_mul(middle)), which) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(Trip {
            quote: moved(quote, sign.saturating_mul(high)),
        })
    }

    /// Returns the sums of a symbol's positions that a loss limit looks at; `None` if there are none.
    pub fn sums_under(&self, id: u32, which: usize) -> Option<&Sums> {
        let sums = if let Some(at) = which.checked_sub(ACCOUNT_LIMITS) {
            let cells = &self.scopes.get(at)?.cells;
            &cells.iter().find(|(symbol, _)| *symbol == id)?.1
        } else {
            &self.symbol(id)?.hot.sums
        };
        (!sums.is_empty()).then_some(sums)
    }

    /// Judges the present book at another quote, then puts everything back.
    fn breaks_at(&mut self, id: u32, quote: Quote, which: usize) -> bool {
        let Some(symbol) = self.symbol_mut(id) else {
            return false;
        };
        let (before, ticked) = ((symbol.hot.bid, symbol.hot.ask), symbol.hot.ticked);
        let snapshots = self.equity.snapshots;
        let step = self.step;
        self.put_quote(id, (quote.bid, quote.ask), snapshots);
        let equity = to_minor(self.marked(), self.config.currency_digits);
        let (daily, drawdown) = self.account_readings(equity);
        let reading = match which.checked_sub(ACCOUNT_LIMITS) {
            Some(at) => self.scope_reading_marked(at),
            None if which == 0 => daily,
            None => drawdown,
        };
        self.put_quote(id, before, ticked);
        self.step = step;
        reading.is_some_and(|reading| reading.breach)
    }

    fn put_quote(&mut self, id: u32, (bid, ask): (i64, i64), ticked: u32) {
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.hot.bid = bid;
            symbol.hot.ask = ask;
            symbol.hot.ticked = ticked;
        }
        self.revalue(id);
        self.revalue_users(id);
    }
}

const fn moved(quote: Quote, points: i64) -> Quote {
    Quote {
        bid: quote.bid.saturating_add(points),
        ask: quote.ask.saturating_add(points),
    }
}
