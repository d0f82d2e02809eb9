//! A tick on one account: valid, suspicious or accepted, and what an accepted one does.

use crate::account::Account;
use crate::context::Context;
use crate::deadline::Due;
use crate::decision::Finding;
use crate::names::UNKNOWN;
use crate::price::Price;
use crate::triggers::price_anomaly;
use crate::triggers::price_input::{self, BadCause, Quote, Verdict};
use crate::types::{Action, Code, Trigger};

/// A quote whose symbol is looked up, before its prices are points.
#[derive(Clone, Copy, Debug)]
pub struct TickRow {
    /// Best bid; NaN where `exact` names the prices.
    pub bid: f64,
    /// Best ask.
    pub ask: f64,
    /// The source's stamp; the receive time where absent.
    pub stamp: i64,
    /// Symbol, or `UNKNOWN`.
    pub symbol: u32,
    /// Place from 1 of the exact prices of a quote whose prices are no floats; 0 for none.
    pub exact: u32,
}

impl Default for TickRow {
    fn default() -> Self {
        Self {
            bid: f64::NAN,
            ask: f64::NAN,
            stamp: 0,
            symbol: UNKNOWN,
            exact: 0,
        }
    }
}

/// A quote whose prices are exact texts or whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct ExactQuote {
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
}

impl TickRow {
    /// Returns the prices.
    pub fn prices(&self, exact: &[ExactQuote]) -> ExactQuote {
        let place = usize::try_from(self.exact).unwrap_or(0);
        let known = place.checked_sub(1).and_then(|at| exact.get(at)).copied();
        known.unwrap_or(ExactQuote {
            bid: Price::Float(self.bid),
            ask: Price::Float(self.ask),
        })
    }
}

impl Account {
    /// Takes any tick. Returns whether it was valid.
    pub fn on_tick(
        &mut self,
        row: &TickRow,
        prices: ExactQuote,
        publisher: u8,
        ctx: &mut Context<'_>,
    ) -> bool {
        let place = usize::try_from(row.symbol).unwrap_or(usize::MAX);
        let Some(symbol) = self.symbols.get_mut(place) else {
            return self.bad_tick(row.symbol, BadCause::Unknown, ctx);
        };
        let Some(digits) = symbol.facts.as_ref().map(|facts| facts.digits) else {
            return self.bad_tick(row.symbol, BadCause::Unknown, ctx);
        };
        symbol.switch_publisher(publisher);
        let checked = price_input::check(
            prices.bid.to_points(digits),
            prices.ask.to_points(digits),
            row.stamp,
            symbol.hot.stamp,
        );
        let quote = match checked {
            Ok(quote) => quote,
            Err(cause) => return self.bad_tick(row.symbol, cause, ctx),
        };
        symbol.hot.stamp = row.stamp;
        match price_input::take(
            quote,
            symbol.hot.accepted(),
            &mut symbol.suspect,
            &self.jump_limit,
        ) {
            Verdict::Accept => self.accept(row.symbol, quote, ctx),
            verdict @ (Verdict::AcceptResolved | Verdict::SuspectFirst | Verdict::SuspectNext) => {
                self.on_suspicion(row.symbol, quote, verdict, ctx);
            }
        }
        self.refresh(row.symbol);
        true
    }

    #[cold]
    fn bad_tick(&mut self, id: u32, cause: BadCause, ctx: &mut Context<'_>) -> bool {
        if id == UNKNOWN {
            self.unknown_ticks = self.unknown_ticks.saturating_add(1);
        } else if let Some(symbol) = self.symbol_mut(id) {
            let place = BadCause::ALL
                .iter()
                .position(|one| *one == cause)
                .unwrap_or(0);
            if let Some(counter) = symbol.bad.get_mut(place) {
                *counter = counter.saturating_add(1);
            }
        }
        self.count_class("bad_tick", None, ctx);
        false
    }

    #[cold]
    fn on_suspicion(&mut self, id: u32, quote: Quote, verdict: Verdict, ctx: &mut Context<'_>) {
        match verdict {
            Verdict::SuspectFirst => {
                let due = ctx
                    .now
                    .boot_ns
                    .saturating_add(self.config.limits.jump_confirm_ns);
                if let Some(symbol) = usize::try_from(id)
                    .ok()
                    .and_then(|at| self.symbols.get_mut(at))
                {
                    symbol.jump.set(&mut self.queue, Due::Jump(id), due);
                }
                ctx.out
                    .push(about_symbol(Action::Pause, Code::PriceJump, id, ctx));
            }
            Verdict::SuspectNext => {}
            Verdict::AcceptResolved | Verdict::Accept => self.resolve_jump(id, quote, ctx),
        }
    }

    fn resolve_jump(&mut self, id: u32, quote: Quote, ctx: &mut Context<'_>) {
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.jump.clear();
            symbol.suspect = None;
        }
        ctx.out
            .push(about_symbol(Action::Release, Code::PriceJump, id, ctx));
        self.accept(id, quote, ctx);
    }

    /// Nobody confirmed or discarded the suspect in time: the latest counts.
    pub fn on_jump_deadline(&mut self, id: u32, ctx: &mut Context<'_>) {
        if let Some(quote) = self.symbol(id).and_then(|symbol| symbol.suspect) {
            self.resolve_jump(id, quote, ctx);
        }
    }

    /// Processes an accepted quote: it marks, ends staleness, is tested for its spread and perhaps sampled.
    fn accept(&mut self, id: u32, quote: Quote, ctx: &mut Context<'_>) {
        let snapshots = self.equity.snapshots;
        let bucket = self.bucket;
        let Some(symbol) = usize::try_from(id)
            .ok()
            .and_then(|at| self.symbols.get_mut(at))
        else {
            return;
        };
        let is_first = symbol.hot.bid == 0;
        symbol.hot.bid = quote.bid;
        symbol.hot.ask = quote.ask;
        symbol.hot.priced_at = ctx.now.boot_ns;
        symbol.hot.ticked = snapshots;
        let mut step = price_anomaly::Step {
            limits: &self.config.limits,
            queue: &mut self.queue,
            session: &mut symbol.session,
            bucket,
        };
        symbol.spread.on_tick(quote.spread(), id, &mut step, ctx);
        let (is_exposed, is_leg, is_stale) = (
            !symbol.hot.sums.is_empty(),
            !symbol.leg_of.is_empty(),
            symbol.is_stale,
        );
        if is_first && self.has_foreign() {
            self.find_routes(ctx.names);
            self.revalue_exposed();
            self.watch_ages(ctx);
            self.refresh_all();
            // A stale price that converts nothing any more makes marked equity trusted again.
            self.step.is_dirty = true;
        }
        if is_exposed {
            self.revalue(id);
        }
        if is_leg {
            self.revalue_users(id);
        }
        if is_stale {
            self.end_stale(id, ctx);
        }
    }

    #[cold]
    fn end_stale(&mut self, id: u32, ctx: &mut Context<'_>) {
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.is_stale = false;
        }
        self.stale_count = self.stale_count.saturating_sub(1);
        self.step.is_dirty = true;
        ctx.out
            .push(about_symbol(Action::Release, Code::PriceStale, id, ctx));
        self.on_stale_deadline(id, ctx);
    }

    /// The quiet time of a symbol's spread is over.
    pub fn on_spread_hold(&mut self, id: u32, ctx: &mut Context<'_>) {
        let bucket = self.bucket;
        let Some(symbol) = usize::try_from(id)
            .ok()
            .and_then(|at| self.symbols.get_mut(at))
        else {
            return;
        };
        let last = symbol.hot.ask.saturating_sub(symbol.hot.bid);
        let mut step = price_anomaly::Step {
            limits: &self.config.limits,
            queue: &mut self.queue,
            session: &mut symbol.session,
            bucket,
        };
        symbol.spread.on_deadline(last, id, &mut step, ctx);
    }
}

/// Returns an `input` finding about a symbol.
pub fn about_symbol(action: Action, code: Code, id: u32, ctx: &Context<'_>) -> Finding {
    Finding {
        symbol: Some(ctx.names.name(id).to_string()),
        ..Finding::new(Trigger::Input, action, code)
    }
}
