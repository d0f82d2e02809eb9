//! The loss limits judged: once per step that changed anything, and the bounds within which nothing can.

use crate::account::Account;
use crate::context::Context;
use crate::day::{to_fine, to_minor};
use crate::triggers::loss::{Evidence, Reading};

impl Account {
    /// Reads daily loss and drawdown at an equity in minor units. Of two days' references, while a clock that
    /// jumped is not trusted, the stricter stands.
    pub fn account_readings(&self, equity: i128) -> (Option<Reading>, Option<Reading>) {
        let (limits, digits) = (&self.config.limits, self.config.currency_digits);
        let initial = self.config.initial_minor;
        let now = self.day.reading(equity, initial, limits, digits);
        let earlier = self
            .earlier_day
            .as_ref()
            .and_then(|day| day.reading(equity, initial, limits, digits));
        let daily = match (now, earlier) {
            (Some(now), Some(earlier)) => Some(now.stricter(earlier)),
            (now, earlier) => now.or(earlier),
        };
        (daily, self.peak.reading(equity, limits, digits))
    }

    /// Reads every loss limit at the present equity, in the order of the loss triggers.
    pub fn readings(&self) -> Vec<Option<Reading>> {
        let (daily, drawdown) =
            self.account_readings(to_minor(self.used_equity(), self.config.currency_digits));
        let mut all = vec![daily, drawdown];
        for at in 0..self.scopes.len() {
            all.push(self.scope_reading(at).map(|(_, reading)| reading));
        }
        all
    }

    /// Judges the loss limits when this step changed anything.
    #[inline]
    pub fn settle(&mut self, ctx: &mut Context<'_>) {
        let step = core::mem::take(&mut self.step);
        if step.is_dirty && self.equity.snapshots > 0 {
            self.judge(step.is_snapshot, step.is_fresh, ctx);
            self.inert = self.inert_bounds();
        }
    }

    /// Returns the bounds of the floating change, exclusive, between which no loss limit changes anything.
    fn inert_bounds(&self) -> (i128, i128) {
        if !self.scopes.is_empty() || self.earlier_day.is_some() {
            return (i128::MAX, i128::MIN);
        }
        if !self.is_trusted() {
            return (i128::MIN, i128::MAX);
        }
        let digits = self.config.currency_digits;
        let (daily, drawdown) = self.account_readings(to_minor(self.marked(), digits));
        let mut bounds = (i128::MIN, i128::MAX);
        let floors = [None, self.lock_floor()];
        for ((loss, reading), floor) in self.losses.iter().zip([daily, drawdown]).zip(floors) {
            if let Some(reading) = reading {
                let (low, high) = loss.inert(reading, to_minor(self.marked(), digits), floor);
                bounds = (bounds.0.max(low), bounds.1.min(high));
            }
        }
        let half = to_fine(1, digits) / 2;
        let low = if bounds.0 == i128::MIN {
            i128::MIN
        } else {
            to_fine(bounds.0, digits).saturating_add(half)
        };
        let high = if bounds.1 == i128::MAX {
            i128::MAX
        } else {
            to_fine(bounds.1, digits).saturating_sub(half)
        };
        // The anchor stands still until the next judgement.
        let anchor = self.equity.anchor;
        let floating = |bound: i128| match bound {
            i128::MIN | i128::MAX => bound,
            inner => inner.saturating_sub(anchor),
        };
        (floating(low), floating(high))
    }

    fn judge(&mut self, is_snapshot: bool, is_fresh: bool, ctx: &mut Context<'_>) {
        let is_trusted = self.is_trusted();
        let limits = &self.config.limits;
        let evidence = Evidence {
            is_reported: is_snapshot || !is_trusted,
            is_trusted,
            is_fresh,
            confirm_ns: limits.confirm_reported.then_some(limits.confirm_ns),
        };
        let (daily, drawdown) =
            self.account_readings(to_minor(self.used_equity(), self.config.currency_digits));
        for (loss, reading) in self.losses.iter_mut().zip([daily, drawdown]) {
            if let Some(reading) = reading {
                loss.judge(reading, evidence, &mut self.queue, ctx);
            }
        }
        for at in 0..self.scopes.len() {
            if let Some((place, reading)) = self.scope_reading(at)
                && let Some(loss) = self.losses.get_mut(place)
            {
                loss.judge(reading, evidence, &mut self.queue, ctx);
            }
        }
    }
}
