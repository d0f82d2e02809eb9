//! A tick on one account: valid, suspicious or accepted, and what an accepted one does.

use crate::account::Account;
use crate::context::{Context, UNKNOWN};
use crate::decision::Finding;
use crate::deadline::Due;
use crate::price::Price;
use crate::triggers::price_anomaly;
use crate::triggers::price_input::{BadCause, Quote, Verdict};
use crate::types::{Action, Code, Trigger};

/// A quote whose symbol is looked up, before its prices are points.
#[derive(Clone, Copy, Debug)]
pub struct TickRow {
    /// Symbol, or `UNKNOWN`.
    pub symbol: u32,
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// The source's stamp; the receive time where absent.
    pub stamp: i64,
}

impl Account {
    /// Takes one tick. Returns whether it was valid.
    #[inline]
    pub fn on_tick(&mut self, row: &TickRow, ctx: &mut Context<'_>) -> bool {
        let place = usize::try_from(row.symbol).unwrap_or(usize::MAX);
        let Some(symbol) = self.symbols.get_mut(place) else {
            return self.bad_tick(row.symbol, BadCause::Unknown, ctx);
        };
        let Some(digits) = symbol.facts.as_ref().map(|facts| facts.digits) else {
            return self.bad_tick(row.symbol, BadCause::Unknown, ctx);
        };
        let checked = symbol.filter.check(row.bid.to_points(digits), row.ask.to_points(digits), row.stamp);
        let quote = match checked {
            Ok(quote) => quote,
            Err(cause) => return self.bad_tick(row.symbol, cause, ctx),
        };
        match symbol.filter.take(quote, row.stamp, &self.jump_limit) {
            Verdict::Accept => self.accept(row.symbol, quote, ctx),
            verdict @ (Verdict::AcceptResolved | Verdict::SuspectFirst | Verdict::SuspectNext) => {
                self.on_suspicion(row.symbol, quote, verdict, ctx);
            }
        }
        true
    }

    #[cold]
    fn bad_tick(&mut self, id: u32, cause: BadCause, ctx: &mut Context<'_>) -> bool {
        if id == UNKNOWN {
            self.unknown_ticks = self.unknown_ticks.saturating_add(1);
        } else if let Some(symbol) = self.symbol_mut(id) {
            let place = BadCause::ALL.iter().position(|one| *one == cause).unwrap_or(0);
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
                let due = ctx.now.boot_ns.saturating_add(self.config.limits.jump_confirm_ns);
                if let Some(symbol) = usize::try_from(id).ok().and_then(|at| self.symbols.get_mut(at)) {
                    symbol.jump.set(&mut self.queue, Due::Jump(id), due);
                }
                ctx.out.push(jump(Action::Pause, id, ctx));
            }
            Verdict::SuspectNext => {}
            Verdict::AcceptResolved | Verdict::Accept => self.resolve_jump(id, quote, ctx),
        }
    }

    fn resolve_jump(&mut self, id: u32, quote: Quote, ctx: &mut Context<'_>) {
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.jump.clear();
            symbol.filter.suspect = None;
        }
        ctx.out.push(jump(Action::Release, id, ctx));
        self.accept(id, quote, ctx);
    }

    /// Nobody confirmed or discarded the suspect in time: the latest counts.
    pub fn on_jump_deadline(&mut self, id: u32, ctx: &mut Context<'_>) {
        if let Some(quote) = self.symbol(id).and_then(|symbol| symbol.filter.suspect) {
            self.resolve_jump(id, quote, ctx);
        }
    }

    /// Processes an accepted quote: it marks, ends staleness, is tested for its spread and perhaps sampled.
    #[inline]
    fn accept(&mut self, id: u32, quote: Quote, ctx: &mut Context<'_>) {
        let snapshots = self.equity.snapshots;
        let now = ctx.now.boot_ns;
        let bucket = self.bucket;
        let Some(symbol) = usize::try_from(id).ok().and_then(|at| self.symbols.get_mut(at)) else { return };
        let is_first = symbol.filter.accepted.is_none();
        symbol.filter.accepted = Some(quote);
        symbol.priced_at = Some(now);
        symbol.ticked = snapshots;
        let mut step = price_anomaly::Step {
            limits: &self.config.limits,
            queue: &mut self.queue,
            session: &mut symbol.session,
            bucket,
        };
        symbol.spread.on_tick(quote.spread(), id, &mut step, ctx);
        let (is_exposed, is_leg, is_stale) = (!symbol.sums.is_empty(), !symbol.leg_of.is_empty(), symbol.is_stale);
        if is_exposed || is_leg || is_stale || is_first {
            self.mark(id, is_exposed, is_first, ctx);
        }
    }

    fn mark(&mut self, id: u32, is_exposed: bool, is_first: bool, ctx: &mut Context<'_>) {
        let now = ctx.now.boot_ns;
        if is_first && self.has_foreign() {
            self.find_routes(ctx.names);
            for at in 0..self.exposed.len() {
                if let Some(user) = self.exposed.get(at).copied() {
                    self.revalue(user);
                }
            }
            self.watch_ages(ctx);
        }
        if is_exposed {
            self.revalue(id);
        }
        self.revalue_users(id);
        let matters = self.matters(id);
        let due = now.saturating_add(self.config.limits.price_age_max_ns).saturating_add(1);
        let Some(symbol) = usize::try_from(id).ok().and_then(|at| self.symbols.get_mut(at)) else { return };
        if matters {
            symbol.stale.set(&mut self.queue, Due::Stale(id), due);
        }
        if symbol.is_stale {
            symbol.is_stale = false;
            self.stale_count = self.stale_count.saturating_sub(1);
            self.step.is_dirty = true;
            ctx.out.push(Finding {
                symbol: Some(ctx.names.name(id).to_string()),
                ..Finding::new(Trigger::Input, Action::Release, Code::PriceStale)
            });
        }
    }

    /// The quiet time of a symbol's spread is over.
    pub fn on_spread_hold(&mut self, id: u32, ctx: &mut Context<'_>) {
        let bucket = self.bucket;
        let Some(symbol) = usize::try_from(id).ok().and_then(|at| self.symbols.get_mut(at)) else { return };
        let mut step = price_anomaly::Step {
            limits: &self.config.limits,
            queue: &mut self.queue,
            session: &mut symbol.session,
            bucket,
        };
        symbol.spread.on_deadline(id, &mut step, ctx);
    }
}

fn jump(action: Action, id: u32, ctx: &Context<'_>) -> Finding {
    Finding {
        symbol: Some(ctx.names.name(id).to_string()),
        ..Finding::new(Trigger::Input, action, Code::PriceJump)
    }
}
