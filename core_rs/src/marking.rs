//! Marked equity: the change of each symbol since the snapshot, converted, and whether it can be trusted.

use crate::account::Account;
use crate::book::Sums;
use crate::convert::{Leg, Rate, Route, exact, snapped};
use crate::facts::Unit;

impl Account {
    /// Returns marked equity in fine units.
    #[inline]
    pub fn marked(&self) -> i128 {
        self.equity.anchor.saturating_add(self.equity.floating)
    }

    /// Returns marked equity where trusted, else reported.
    #[inline]
    pub fn used_equity(&self) -> i128 {
        if self.is_trusted() {
            self.marked()
        } else {
            self.equity.reported
        }
    }

    /// Returns whether marked equity can be trusted.
    #[inline]
    pub fn is_trusted(&self) -> bool {
        !self.is_untrusted
            && self.equity.missing == 0
            && self.equity.unmarkable == 0
            && (self.stale_count == 0 || !self.any_stale_matters())
    }

    #[cold]
    fn any_stale_matters(&self) -> bool {
        self.symbols.iter().any(|symbol| {
            symbol.is_stale && (!symbol.hot.sums.is_empty() || self.converts(&symbol.leg_of))
        })
    }

    fn converts(&self, leg_of: &[usize]) -> bool {
        leg_of.iter().any(|at| {
            self.currencies
                .get(*at)
                .is_some_and(|currency| !currency.users.is_empty())
        })
    }

    /// Returns whether the age of a symbol's price matters: it has a position or converts one.
    #[inline]
    pub fn matters(&self, id: u32) -> bool {
        self.symbol(id).is_some_and(|symbol| {
            !symbol.hot.sums.is_empty()
                || (!symbol.leg_of.is_empty() && self.converts(&symbol.leg_of))
        })
    }

    /// Returns the converted change of some positions of a symbol; `None` when no route leads to the account currency.
    pub fn value_of(&self, id: u32, sums: &Sums) -> Option<i128> {
        let symbol = self.symbol(id)?;
        if symbol.hot.ticked != self.equity.snapshots {
            return Some(0);
        }
        let (Some(quote), Some(facts)) = (symbol.hot.accepted(), &symbol.facts) else {
            return Some(0);
        };
        let change = sums.change(quote);
        if change == 0 {
            return Some(0);
        }
        match (&self.currencies.get(symbol.currency)?.route, facts.unit) {
            // A tick value is money of the account already.
            (_, unit @ Unit::Ratio(..)) => Some(snapped(change, unit, &[])),
            (Route::Own, Unit::Fine(unit)) => Some(exact(change, unit)),
            (Route::Legs(legs), unit @ Unit::Fine(_)) => match legs.as_slice() {
                [one] => Some(snapped(change, unit, &[self.rate(*one)?])),
                [one, two] => Some(snapped(change, unit, &[self.rate(*one)?, self.rate(*two)?])),
                _ => None,
            },
            (Route::None, Unit::Fine(_)) => None,
        }
    }

    fn rate(&self, leg: Leg) -> Option<Rate> {
        let symbol = self.symbol(leg.symbol)?;
        let double_mid = symbol.hot.accepted()?.double_mid();
        Some(Rate {
            double_mid,
            digits: symbol.facts.as_ref()?.digits,
            inverse: leg.inverse,
        })
    }

    /// Brings a symbol's part of the equity up to date.
    #[inline]
    pub fn revalue(&mut self, id: u32) {
        let Some(symbol) = self.symbol(id) else {
            return;
        };
        let value = self.value_of(id, &symbol.hot.sums);
        let (before, was_missing) = (symbol.hot.part, symbol.is_missing);
        let part = value.unwrap_or(0);
        self.equity.floating = self
            .equity
            .floating
            .saturating_sub(before)
            .saturating_add(part);
        self.equity.missing = self
            .equity
            .missing
            .saturating_sub(u32::from(was_missing))
            .saturating_add(u32::from(value.is_none()));
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.hot.part = part;
            symbol.is_missing = value.is_none();
        }
        if was_missing != value.is_none() {
            self.step.is_dirty = true;
        }
        self.touch();
    }

    /// Marked equity moved: it is judged when it left the bounds within which nothing happens.
    #[inline]
    pub fn touch(&mut self) {
        if self.equity.floating <= self.inert.0 || self.equity.floating >= self.inert.1 {
            self.step.is_dirty = true;
        }
    }

    /// Brings what the short way of a symbol's ticks reads in line with everything else.
    pub fn refresh(&mut self, id: u32) {
        let is_exact = self
            .symbol(id)
            .and_then(|symbol| symbol.facts.as_ref().zip(Some(symbol.currency)))
            .is_some_and(|(facts, currency)| {
                matches!(facts.unit, Unit::Fine(unit) if i64::try_from(unit).is_ok())
                    && self
                        .currencies
                        .get(currency)
                        .is_some_and(|one| one.route == Route::Own)
            });
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.refresh(is_exact);
        }
    }

    /// The same for every symbol.
    pub fn refresh_all(&mut self) {
        for id in 0..u32::try_from(self.symbols.len()).unwrap_or(0) {
            self.refresh(id);
        }
    }

    /// Brings every symbol up to date whose profit is converted over this one.
    #[cold]
    pub fn revalue_users(&mut self, leg: u32) {
        let mut at = 0;
        while let Some(currency) = self
            .symbol(leg)
            .and_then(|symbol| symbol.leg_of.get(at).copied())
        {
            let mut user = 0;
            while let Some(id) = self
                .currencies
                .get(currency)
                .and_then(|one| one.users.get(user).copied())
            {
                self.revalue(id);
                user = user.saturating_add(1);
            }
            at = at.saturating_add(1);
        }
    }

    /// Brings every symbol with positions up to date, and those that had some.
    pub fn revalue_exposed(&mut self) {
        for at in 0..self.symbols.len() {
            let has_value = self.symbols.get(at).is_some_and(|symbol| {
                !symbol.hot.sums.is_empty() || symbol.hot.part != 0 || symbol.is_missing
            });
            if let (true, Ok(id)) = (has_value, u32::try_from(at)) {
                self.revalue(id);
            }
        }
    }
}
