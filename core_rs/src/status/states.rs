//! Everything that is in force on an account now.

use serde_json::{Value, json};

use crate::account::Account;
use crate::names::Names;
use crate::types::{Code, Status, Trigger};

/// One thing in force.
struct State<'a> {
    trigger: Trigger,
    code: Code,
    scope: &'a str,
    status: Status,
    is_sticky: bool,
    symbol: Option<&'a str>,
    source: Option<&'a str>,
}

impl<'a> State<'a> {
    const fn new(trigger: Trigger, code: Code, status: Status) -> Self {
        Self {
            trigger,
            code,
            scope: "account",
            status,
            is_sticky: false,
            symbol: None,
            source: None,
        }
    }

    const fn of_symbol(trigger: Trigger, code: Code, symbol: &'a str) -> Self {
        let mut state = Self::new(trigger, code, Status::Paused);
        state.symbol = Some(symbol);
        state
    }

    fn json(&self) -> Value {
        json!({
            "trigger": self.trigger.name(),
            "code": self.code.name(),
            "scope": self.scope,
            "status": super::word(self.status),
            "sticky": self.is_sticky,
            "symbol": self.symbol,
            "source": self.source,
        })
    }
}

/// Returns all states of an account but the clear ones, in the order of lines.
pub(super) fn states(account: &Account, names: &Names) -> Value {
    let mut all = Vec::new();
    losses(account, &mut all);
    sources(account, &mut all);
    let errors = &account.errors;
    all.push(State {
        is_sticky: errors.is_sticky(),
        ..State::new(
            Trigger::ErrorRate,
            Code::ErrorRateExceedsMax,
            errors.status(),
        )
    });
    symbols(account, names, &mut all);
    let paused = |is_on: bool| if is_on { Status::Paused } else { Status::Clear };
    let untrusted = paused(account.is_untrusted);
    all.push(State::new(Trigger::Input, Code::EquityUntrusted, untrusted));
    let unknown = paused(account.is_day_unknown);
    all.push(State::new(Trigger::Input, Code::DayStartUnknown, unknown));
    all.retain(|state| state.status != Status::Clear);
    Value::Array(all.iter().map(State::json).collect())
}

fn losses<'a>(account: &'a Account, all: &mut Vec<State<'a>>) {
    for loss in &account.losses {
        let owner = loss.owner();
        all.push(State {
            scope: &owner.scope,
            ..State::new(owner.trigger, owner.code, loss.status())
        });
    }
}

fn sources<'a>(account: &'a Account, all: &mut Vec<State<'a>>) {
    for source in &account.sources {
        all.push(State {
            source: Some(source.name()),
            ..State::new(
                Trigger::ConnectionLost,
                Code::ConnectionLost,
                source.status(),
            )
        });
    }
}

fn symbols<'a>(account: &Account, names: &'a Names, all: &mut Vec<State<'a>>) {
    for (id, symbol) in (0u32..).zip(&account.symbols) {
        let name = names.name(id);
        all.push(State {
            status: symbol.spread.status(),
            is_sticky: symbol.spread.is_sticky(),
            ..State::of_symbol(Trigger::PriceAnomaly, Code::SpreadExceedsMax, name)
        });
        if symbol.suspect.is_some() {
            all.push(State::of_symbol(Trigger::Input, Code::PriceJump, name));
        }
        if symbol.is_stale {
            all.push(State::of_symbol(Trigger::Input, Code::PriceStale, name));
        }
    }
}
