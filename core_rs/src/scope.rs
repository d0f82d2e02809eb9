//! Loss limits of strategies and symbols.
//!
//! The result of a scope is the money of its closing deals since the day's reference plus the floating
//! profit of its positions (the snapshot's profit and swap, and the change since). Its loss is the result
//! at the reference minus the result now; the base is the account's.

use crate::account::Account;
use crate::book::Sums;
use crate::config::{AccountConfig, Config};
use crate::day::to_minor;
use crate::names::{Names, UNKNOWN};
use crate::triggers::loss::{LossTrigger, Owner, Reading, exceeds};
use crate::types::{Code, Trigger};

/// Which positions belong to a scope.
#[derive(Clone, Debug)]
pub enum Members {
    /// Positions with one of these magic numbers.
    Magic(Vec<i64>),
    /// Positions of this symbol.
    Symbol(u32),
}

/// One strategy or symbol with a limit.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Its positions.
    pub members: Members,
    /// Place of its trigger among the account's losses.
    pub loss: usize,
    /// Money of its closing deals since the reference, in fine units.
    pub realised: i128,
    /// Money of its closing deals up to the last snapshot, since the reference, in fine units.
    pub realised_reported: i128,
    /// Profit and swap of its positions in the last snapshot, in fine units.
    pub floating_reported: i128,
    /// Its result at the day's reference, in minor units.
    pub at_reference: i128,
    /// Profit and swap of the snapshot that its positions still carry, in fine units.
    pub carried: i128,
    /// Sums of its positions by symbol.
    pub cells: Vec<(u32, Sums)>,
}

impl Scope {
    /// Returns whether a deal or position belongs to the scope.
    pub fn contains(&self, symbol: u32, magic: i64) -> bool {
        match &self.members {
            Members::Magic(list) => list.contains(&magic),
            Members::Symbol(id) => *id == symbol,
        }
    }
}

/// Builds the account's loss triggers: daily loss, total drawdown, strategies in config order, symbols by name.
pub fn build(
    account: &AccountConfig,
    all: &Config,
    names: &Names,
) -> (Vec<LossTrigger>, Vec<Scope>) {
    let limits = &account.limits;
    let owner =
        |trigger, code, scope: String, number: u32, limit: &crate::config::Threshold| Owner {
            trigger,
            code,
            scope,
            rank: number.saturating_sub(1),
            number,
            limit: limit.clone(),
            digits: account.currency_digits,
        };
    let daily = owner(
        Trigger::DailyLoss,
        Code::DailyLossExceedsMax,
        "account".into(),
        0,
        &limits.daily_loss,
    );
    let drawdown = owner(
        Trigger::TotalDrawdown,
        Code::TotalDrawdownExceedsMax,
        "account".into(),
        1,
        &limits.total_drawdown,
    );
    let mut losses = vec![LossTrigger::new(daily), LossTrigger::new(drawdown)];
    let mut scopes = Vec::new();
    let mut symbols: Vec<_> = all
        .symbols
        .iter()
        .filter(|symbol| symbol.daily_loss.is_some())
        .collect();
    symbols.sort_by(|a, b| a.name.cmp(&b.name));
    let strategies = all.strategies.iter().map(|strategy| {
        (
            format!("strategy:{}", strategy.name),
            Members::Magic(strategy.magic.clone()),
            &strategy.daily_loss,
        )
    });
    let symbols = symbols.into_iter().map(|symbol| {
        let id = names.lookup(symbol.name.as_bytes());
        (
            format!("symbol:{}", symbol.name),
            Members::Symbol(id),
            &symbol.daily_loss,
        )
    });
    for (scope, members, limit) in strategies.chain(symbols) {
        let Some(limit) = limit else { continue };
        let number = u32::try_from(losses.len()).unwrap_or(UNKNOWN);
        scopes.push(Scope {
            members,
            loss: losses.len(),
            realised: 0,
            realised_reported: 0,
            floating_reported: 0,
            at_reference: 0,
            carried: 0,
            cells: Vec::new(),
        });
        losses.push(LossTrigger::new(owner(
            Trigger::DailyLoss,
            Code::DailyLossExceedsMax,
            scope,
            number,
            limit,
        )));
    }
    (losses, scopes)
}

impl Account {
    /// Counts the money of a closing deal.
    pub fn realise(&mut self, symbol: u32, magic: i64, money: i128) {
        for scope in &mut self.scopes {
            if scope.contains(symbol, magic) {
                scope.realised = scope.realised.saturating_add(money);
            }
        }
    }

    /// Sums up each scope's positions anew: the book changed.
    pub fn rebuild_scopes(&mut self) {
        for scope in &mut self.scopes {
            scope.carried = 0;
            scope.cells.clear();
            for position in self.book.all() {
                if !scope.contains(position.symbol, position.magic) {
                    continue;
                }
                scope.carried = scope.carried.saturating_add(position.carried);
                let known = scope
                    .cells
                    .iter_mut()
                    .find(|(id, _)| *id == position.symbol);
                if let Some((_, sums)) = known {
                    sums.add(position);
                } else {
                    let mut sums = Sums::default();
                    sums.add(position);
                    scope.cells.push((position.symbol, sums));
                }
            }
        }
    }

    /// Notes what the broker says of each scope.
    pub fn report_scopes(&mut self) {
        for scope in &mut self.scopes {
            scope.realised_reported = scope.realised;
            scope.floating_reported = scope.carried;
        }
    }

    /// Takes the present results as those of the reference.
    pub fn take_scope_references(&mut self) {
        for at in 0..self.scopes.len() {
            if let Some(scope) = self.scopes.get_mut(at) {
                scope.realised = 0;
                scope.realised_reported = 0;
                scope.floating_reported = scope.carried;
            }
            let result = self.scope_result(at);
            if let Some(scope) = self.scopes.get_mut(at) {
                scope.at_reference = result;
            }
        }
    }

    /// Returns a scope's result in minor units.
    fn scope_result(&self, at: usize) -> i128 {
        if self.is_trusted() {
            return self.scope_marked(at);
        }
        let reported = self.scopes.get(at).map_or(0, |scope| {
            scope
                .realised_reported
                .saturating_add(scope.floating_reported)
        });
        to_minor(reported, self.config.currency_digits)
    }

    /// Returns a scope's result at the last accepted prices, in minor units.
    fn scope_marked(&self, at: usize) -> i128 {
        let Some(scope) = self.scopes.get(at) else {
            return 0;
        };
        let mut total = scope.realised.saturating_add(scope.carried);
        for (symbol, sums) in &scope.cells {
            total = total.saturating_add(self.value_of(*symbol, sums).unwrap_or(0));
        }
        to_minor(total, self.config.currency_digits)
    }

    /// Reads a scope's limit; `None` until the day's reference is known.
    pub fn scope_reading(&self, at: usize) -> Option<(usize, Reading)> {
        let reading = self.read_scope(at, self.scope_result(at))?;
        Some((self.scopes.get(at)?.loss, reading))
    }

    /// Reads a scope's limit at the last accepted prices, trusted or not.
    pub fn scope_reading_marked(&self, at: usize) -> Option<Reading> {
        self.read_scope(at, self.scope_marked(at))
    }

    fn read_scope(&self, at: usize, result: i128) -> Option<Reading> {
        let scope = self.scopes.get(at)?;
        let reference = self.day.reference?;
        let limit = &self.losses.get(scope.loss)?.owner().limit;
        let base = if self.config.limits.daily_base_is_initial {
            self.config.initial_minor
        } else {
            reference
        };
        let loss = scope.at_reference.saturating_sub(result);
        Some(Reading {
            loss,
            base,
            reference,
            breach: base <= 0 || exceeds(loss, base, limit, 100),
        })
    }
}
