//! Marked equity: the change of each symbol since the snapshot, converted, and whether it can be trusted.

use crate::account::{Account, Currency};
use crate::book::Sums;
use crate::context::Context;
use crate::names::Names;
use crate::convert::{Leg, Pair, Rate, Route, exact, find_route, snapped};
use crate::day::{to_fine, to_minor};
use crate::deadline::Due;
use crate::decision::Finding;
use crate::facts::{FactLayer, Unit};
use crate::price::power_of_ten;
use crate::triggers::loss::{Evidence, Reading};
use crate::types::{Action, Code, Trigger};

impl Account {
    /// Returns marked equity in fine units.
    #[inline]
    pub fn marked(&self) -> i128 {
        self.equity.anchor.saturating_add(self.equity.floating)
    }

    /// Returns marked equity where trusted, else reported.
    #[inline]
    pub fn used_equity(&self) -> i128 {
        if self.is_trusted() { self.marked() } else { self.equity.reported }
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
        self.symbols.iter().any(|symbol| symbol.is_stale && (!symbol.hot.sums.is_empty() || self.converts(&symbol.leg_of)))
    }

    fn converts(&self, leg_of: &[usize]) -> bool {
        leg_of.iter().any(|at| self.currencies.get(*at).is_some_and(|currency| !currency.users.is_empty()))
    }

    /// Returns whether the age of a symbol's price matters: it has a position or converts one.
    #[inline]
    pub fn matters(&self, id: u32) -> bool {
        self.symbol(id).is_some_and(|symbol| {
            !symbol.hot.sums.is_empty() || (!symbol.leg_of.is_empty() && self.converts(&symbol.leg_of))
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
        Some(Rate { double_mid, digits: symbol.facts.as_ref()?.digits, inverse: leg.inverse })
    }

    /// Brings a symbol's part of the equity up to date.
    #[inline]
    pub fn revalue(&mut self, id: u32) {
        let Some(symbol) = self.symbol(id) else { return };
        let value = self.value_of(id, &symbol.hot.sums);
        let (before, was_missing) = (symbol.hot.part, symbol.is_missing);
        let part = value.unwrap_or(0);
        self.equity.floating = self.equity.floating.saturating_sub(before).saturating_add(part);
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
        let marked = self.marked();
        if marked <= self.inert.0 || marked >= self.inert.1 {
            self.step.is_dirty = true;
        }
    }

    /// Brings what the short way of a symbol's ticks reads in line with everything else.
    pub fn refresh(&mut self, id: u32) {
        let is_exact = self.symbol(id).and_then(|symbol| symbol.facts.as_ref().zip(Some(symbol.currency))).is_some_and(
            |(facts, currency)| {
                matches!(facts.unit, Unit::Fine(unit) if i64::try_from(unit).is_ok())
                    && self.currencies.get(currency).is_some_and(|one| one.route == Route::Own)
            },
        );
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
        while let Some(currency) = self.symbol(leg).and_then(|symbol| symbol.leg_of.get(at).copied()) {
            let mut user = 0;
            while let Some(id) = self.currencies.get(currency).and_then(|one| one.users.get(user).copied()) {
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

    /// Finds the routes of every currency anew: prices, facts or exposures changed.
    pub fn find_routes(&mut self, names: &Names) {
        for symbol in &mut self.symbols {
            symbol.leg_of.clear();
        }
        let pairs: Vec<Pair<'_>> = self
            .symbols
            .iter()
            .enumerate()
            .filter(|(_, symbol)| symbol.hot.accepted().is_some())
            .filter_map(|(at, symbol)| {
                let facts = symbol.facts.as_ref()?;
                Some(Pair { symbol: u32::try_from(at).ok()?, base: &facts.base, profit: &facts.profit })
            })
            .collect();
        let own = &self.config.currency;
        let routes: Vec<Route> = self
            .currencies
            .iter()
            .map(|currency| if currency.users.is_empty() && currency.name != *own { Route::None } else { find_route(&currency.name, own, &pairs, names) })
            .collect();
        for (at, route) in routes.into_iter().enumerate() {
            if let Route::Legs(legs) = &route {
                for leg in legs {
                    if let Some(symbol) = self.symbol_mut(leg.symbol) {
                        symbol.leg_of.push(at);
                    }
                }
            }
            if let Some(currency) = self.currencies.get_mut(at) {
                currency.route = route;
            }
        }
    }

    /// Returns whether any exposed currency is not the account's.
    pub fn has_foreign(&self) -> bool {
        self.currencies.iter().any(|currency| !currency.users.is_empty() && currency.route != Route::Own)
    }

    /// Lists the exposed symbols and the users of each currency anew, then the routes.
    pub fn rebuild_exposure(&mut self, names: &Names) {
        for currency in &mut self.currencies {
            currency.users.clear();
        }
        self.exposed.clear();
        for (at, symbol) in self.symbols.iter().enumerate() {
            if symbol.hot.sums.is_empty() {
                continue;
            }
            let Ok(id) = u32::try_from(at) else { continue };
            self.exposed.push(id);
            let is_converted = symbol.facts.as_ref().is_some_and(|facts| matches!(facts.unit, Unit::Fine(_)));
            if is_converted && let Some(currency) = self.currencies.get_mut(symbol.currency) {
                currency.users.push(id);
            }
        }
        self.find_routes(names);
    }

    /// Resolves the facts of every symbol.
    pub fn resolve_all(&mut self, names: &Names) {
        for at in 0..self.symbols.len() {
            if let Ok(id) = u32::try_from(at) {
                self.resolve(id, names);
            }
        }
        self.find_routes(names);
    }

    /// Takes facts of the terminal or a tape for a symbol.
    ///
    /// # Errors
    /// A sentence when the facts do not fit together; nothing changed then.
    pub fn update_facts(&mut self, id: u32, newer: &FactLayer, names: &Names) -> Result<(), String> {
        let Some(symbol) = self.symbol_mut(id) else { return Ok(()) };
        let mut terminal = symbol.terminal.clone();
        terminal.update(newer);
        let before = symbol.facts.clone();
        symbol.file.resolve(names.name(id), &terminal)?;
        symbol.terminal = terminal;
        self.resolve(id, names);
        let after = self.symbol(id).and_then(|symbol| symbol.facts.clone());
        if before != after {
            self.rescale(id, before.map(|facts| facts.digits), after.map(|facts| facts.digits));
            self.rebuild_exposure(names);
            self.revalue_exposed();
            self.step.is_dirty = true;
        }
        self.refresh_all();
        Ok(())
    }

    /// Prices that are kept in points follow a change of digits.
    fn rescale(&mut self, id: u32, before: Option<u8>, after: Option<u8>) {
        let (Some(before), Some(after)) = (before, after) else { return };
        if before == after {
            return;
        }
        let scaled = |points: i128| {
            crate::decimal::Decimal::new(points, before).to_scaled(after).unwrap_or(points)
        };
        let mut sums = Sums::default();
        for position in &mut self.book {
            if position.symbol == id {
                position.cost = scaled(position.cost);
                sums.add(position);
            }
        }
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.hot.sums = sums;
            symbol.hot.bid = i64::try_from(scaled(i128::from(symbol.hot.bid))).unwrap_or(symbol.hot.bid);
            symbol.hot.ask = i64::try_from(scaled(i128::from(symbol.hot.ask))).unwrap_or(symbol.hot.ask);
        }
    }

    fn resolve(&mut self, id: u32, names: &Names) {
        let Some(symbol) = self.symbol(id) else { return };
        let facts = symbol.file.resolve(names.name(id), &symbol.terminal).ok().flatten();
        let currency = facts.as_ref().map_or(usize::MAX, |facts| self.currency(&facts.profit));
        if let Some(symbol) = self.symbol_mut(id) {
            let digits = facts.as_ref().map(|facts| facts.digits);
            symbol.hot.digits = digits.unwrap_or(0);
            symbol.hot.scale = digits.and_then(power_of_ten).unwrap_or(f64::NAN);
            symbol.hot.unit = match facts.as_ref().map(|facts| facts.unit) {
                Some(Unit::Fine(unit)) => i64::try_from(unit).unwrap_or(0),
                Some(Unit::Ratio(..)) | None => 0,
            };
            symbol.facts = facts;
            symbol.currency = currency;
        }
    }

    fn currency(&mut self, name: &str) -> usize {
        if let Some(at) = self.currencies.iter().position(|currency| currency.name == name) {
            return at;
        }
        self.currencies.push(Currency { name: name.to_string(), route: Route::None, users: Vec::new() });
        self.currencies.len().saturating_sub(1)
    }

    /// Watches the age of every price that matters; one that is too old already pauses at once.
    pub fn watch_ages(&mut self, ctx: &mut Context<'_>) {
        for at in 0..self.symbols.len() {
            let Ok(id) = u32::try_from(at) else { continue };
            if self.matters(id) {
                self.watch_age(id, ctx);
            }
        }
    }

    fn watch_age(&mut self, id: u32, ctx: &mut Context<'_>) {
        let max = self.config.limits.price_age_max_ns.saturating_add(1);
        let now = ctx.now;
        let Some(symbol) = usize::try_from(id).ok().and_then(|at| self.symbols.get_mut(at)) else { return };
        if symbol.is_stale {
            return;
        }
        if symbol.hot.priced_at == i64::MIN {
            symbol.hot.priced_at = now.boot_ns;
        }
        let priced_at = symbol.hot.priced_at;
        let due = now.boot_at(symbol.session.after_open(now.wall_at(priced_at), max));
        if due > now.boot_ns {
            symbol.stale.set(&mut self.queue, Due::Stale(id), due);
            return;
        }
        symbol.is_stale = true;
        self.stale_count = self.stale_count.saturating_add(1);
        self.step.is_dirty = true;
        ctx.out.push(Finding {
            symbol: Some(ctx.names.name(id).to_string()),
            ..Finding::new(Trigger::Input, Action::Pause, Code::PriceStale)
        });
    }

    /// The age of a price fell due; it may have moved.
    pub fn on_stale_deadline(&mut self, id: u32, ctx: &mut Context<'_>) {
        if self.matters(id) {
            self.watch_age(id, ctx);
        }
    }

    /// Reads daily loss and drawdown at an equity in minor units. Of two days' references, while a clock that
    /// jumped is not trusted, the stricter stands.
    pub fn account_readings(&self, equity: i128) -> (Option<Reading>, Option<Reading>) {
        let (limits, digits) = (&self.config.limits, self.config.currency_digits);
        let initial = self.config.initial_minor;
        let now = self.day.reading(equity, initial, limits, digits);
        let earlier = self.earlier_day.as_ref().and_then(|day| day.reading(equity, initial, limits, digits));
        let daily = match (now, earlier) {
            (Some(now), Some(earlier)) => Some(now.stricter(earlier)),
            (now, earlier) => now.or(earlier),
        };
        (daily, self.peak.reading(equity, limits, digits))
    }

    /// Reads every loss limit at the present equity, in the order of the loss triggers.
    pub fn readings(&self) -> Vec<Option<Reading>> {
        let (daily, drawdown) = self.account_readings(to_minor(self.used_equity(), self.config.currency_digits));
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

    /// Returns the bounds of marked equity, exclusive, between which no loss limit changes anything.
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
        let low = if bounds.0 == i128::MIN { i128::MIN } else { to_fine(bounds.0, digits).saturating_add(half) };
        let high = if bounds.1 == i128::MAX { i128::MAX } else { to_fine(bounds.1, digits).saturating_sub(half) };
        (low, high)
    }

    fn judge(&mut self, is_snapshot: bool, is_fresh: bool, ctx: &mut Context<'_>) {
        let is_trusted = self.is_trusted();
        let limits = &self.config.limits;
        let evidence = Evidence { is_reported: is_snapshot || !is_trusted, is_trusted, is_fresh };
        let confirm = limits.confirm_reported.then_some(limits.confirm_ns);
        let (daily, drawdown) = self.account_readings(to_minor(self.used_equity(), self.config.currency_digits));
        for (loss, reading) in self.losses.iter_mut().zip([daily, drawdown]) {
            if let Some(reading) = reading {
                loss.judge(reading, evidence, confirm, &mut self.queue, ctx);
            }
        }
        for at in 0..self.scopes.len() {
            if let Some((place, reading)) = self.scope_reading(at)
                && let Some(loss) = self.losses.get_mut(place)
            {
                loss.judge(reading, evidence, confirm, &mut self.queue, ctx);
            }
        }
    }
}
