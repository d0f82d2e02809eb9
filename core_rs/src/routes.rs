//! Which symbols have positions, in which currencies, and over which symbols those are converted.

use crate::account::{Account, Currency};
use crate::book::Sums;
use crate::convert::{Pair, Route, find_route};
use crate::decimal::Decimal;
use crate::facts::{FactLayer, Unit};
use crate::names::Names;
use crate::price::power_of_ten;

impl Account {
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
                Some(Pair {
                    symbol: u32::try_from(at).ok()?,
                    base: &facts.base,
                    profit: &facts.profit,
                })
            })
            .collect();
        let own = &self.config.currency;
        let routes: Vec<Route> = self
            .currencies
            .iter()
            .map(|currency| {
                if currency.users.is_empty() && currency.name != *own {
                    Route::None
                } else {
                    find_route(&currency.name, own, &pairs, names)
                }
            })
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
        self.currencies
            .iter()
            .any(|currency| !currency.users.is_empty() && currency.route != Route::Own)
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
            let is_converted = symbol
                .facts
                .as_ref()
                .is_some_and(|facts| matches!(facts.unit, Unit::Fine(_)));
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
    pub fn update_facts(
        &mut self,
        id: u32,
        newer: &FactLayer,
        names: &Names,
    ) -> Result<(), String> {
        let Some(symbol) = self.symbol_mut(id) else {
            return Ok(());
        };
        let mut terminal = FactLayer::clone(&symbol.terminal);
        terminal.update(newer);
        let before = symbol.facts.clone();
        symbol.file.resolve(names.name(id), &terminal)?;
        *symbol.terminal = terminal;
        self.resolve(id, names);
        let after = self.symbol(id).and_then(|symbol| symbol.facts.clone());
        self.has_new_symbol |= before.is_none() && after.is_some();
        if before != after {
            self.rescale(
                id,
                before.map(|facts| facts.digits),
                after.map(|facts| facts.digits),
            );
            self.rebuild_scopes();
            self.rebuild_exposure(names);
            self.revalue_exposed();
            self.step.is_dirty = true;
        }
        self.refresh_all();
        Ok(())
    }

    /// Prices that are kept in points follow a change of digits.
    fn rescale(&mut self, id: u32, before: Option<u8>, after: Option<u8>) {
        let (Some(before), Some(after)) = (before, after) else {
            return;
        };
        if before == after {
            return;
        }
        let scaled = |points: i128| {
            Decimal::new(points, before)
                .to_scaled(after)
                .unwrap_or(points)
        };
        let mut sums = Sums::default();
        for position in self.book.all_mut() {
            if position.symbol == id {
                position.cost = scaled(position.cost);
                sums.add(position);
            }
        }
        if let Some(symbol) = self.symbol_mut(id) {
            symbol.hot.sums = sums;
            symbol.hot.bid =
                i64::try_from(scaled(i128::from(symbol.hot.bid))).unwrap_or(symbol.hot.bid);
            symbol.hot.ask =
                i64::try_from(scaled(i128::from(symbol.hot.ask))).unwrap_or(symbol.hot.ask);
        }
    }

    fn resolve(&mut self, id: u32, names: &Names) {
        let Some(symbol) = self.symbol(id) else {
            return;
        };
        let facts = symbol
            .file
            .resolve(names.name(id), &symbol.terminal)
            .ok()
            .flatten();
        let currency = facts
            .as_ref()
            .map_or(usize::MAX, |facts| self.currency(&facts.profit));
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
        if let Some(at) = self
            .currencies
            .iter()
            .position(|currency| currency.name == name)
        {
            return at;
        }
        self.currencies.push(Currency {
            name: name.to_string(),
            route: Route::None,
            users: Vec::new(),
        });
        self.currencies.len().saturating_sub(1)
    }
}
