//! Status as JSON: equity, limits with their distance, states, sources, symbols and counters.

mod states;

use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::day::to_minor;
use crate::decimal::{Decimal, div_ceil, format_scaled, pow10};
use crate::decision::{ratio_text, seconds_text};
use crate::engine::Engine;
use crate::names::Names;
use crate::triggers::loss::LossTrigger;
use crate::triggers::price_input::{BadCause, Quote};
use crate::types::{Now, Status, Trigger};

/// Decimals of printed distances.
const PLACES: u8 = 8;
const NS_PER_MS: i64 = 1_000_000;

impl Engine {
    /// Returns the status document.
    pub fn status(&mut self) -> Vec<u8> {
        self.status_of(None)
    }

    /// Returns the status document with all accounts, or with the one of this id alone: none where nobody bears it.
    pub fn status_of(&mut self, only: Option<&str>) -> Vec<u8> {
        let now = self.now;
        let names = &self.names;
        let accounts: Vec<Value> = self
            .accounts
            .iter_mut()
            .filter(|account| only.is_none_or(|id| account.config.id == id))
            .map(|account| account_status(account, names, now))
            .collect();
        let counters = self.counters;
        let bad: Map<String, Value> = self
            .bad_by_publisher
            .iter()
            .map(|(publisher, count)| (self.publishers.name(*publisher).to_string(), json!(count)))
            .map(|(name, count)| {
                (
                    if name.starts_with("feed:") {
                        name
                    } else {
                        format!("feed:{name}")
                    },
                    count,
                )
            })
            .collect();
        let document = json!({
            "index": self.index,
            "wall_doubted": self.wall.is_doubted(),
            "accounts": accounts,
            "bad_by_source": bad,
            "counters": {
                "ticks": counters.ticks,
                "malformed": counters.malformed,
                "unknown_account": counters.unknown_account,
                "ignored": counters.ignored,
                "holes": counters.holes,
                "tick_holes": counters.tick_holes,
            },
        });
        document.to_string().into_bytes()
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Clear => "clear",
        Status::Paused => "paused",
        Status::Halted => "halted",
    }
}

fn account_status(account: &mut Account, names: &Names, now: Now) -> Value {
    let digits = account.config.currency_digits;
    let known = account.equity.snapshots > 0;
    let money = |fine: i128| known.then(|| format_scaled(to_minor(fine, digits), digits));
    let text = |minor: Option<i128>| minor.map(|minor| format_scaled(minor, digits));
    let mut document = json!({
        "id": account.config.id,
        "equity_marked": money(account.marked()),
        "equity_reported": money(account.equity.reported),
        "equity_used": money(account.used_equity()),
        "balance": money(account.equity.balance),
        "trusted": account.is_trusted(),
        "diverges": account.diverges(),
        "day": {
            "reference": text(account.day.reference),
            "transfers": format_scaled(to_minor(account.day.transfers, digits), digits),
            "taken_ns": account.day.taken_ns,
            "provenance": account.day.provenance,
            "started_ns": account.day_start(),
            "ends_ns": account.rollover_wall,
        },
        "peak": {
            "value": text(account.peak.peak),
            "transfers": format_scaled(to_minor(account.peak.transfers, digits), digits),
            "taken_ns": account.peak.taken_ns,
            "provenance": account.peak.provenance,
        },
        "no_stop_loss": account.book.all().iter().filter(|one| !one.has_stop).map(|one| one.ticket).collect::<Vec<_>>(),
        "positions": account.book.all().len(),
        "unknown_symbol_ticks": account.unknown_ticks,
    });
    let limits = limits(account, now);
    let parts = [
        ("limits", limits),
        ("states", states::states(account, names)),
        ("sources", sources(account, now)),
        ("symbols", symbols(account, names)),
    ];
    if let Some(map) = document.as_object_mut() {
        for (key, value) in parts {
            map.insert(key.to_string(), value);
        }
    }
    document
}

fn distance(threshold: &str, value: Option<&str>) -> Option<String> {
    let (limit, value) = (
        Decimal::parse(threshold.as_bytes()).ok()?,
        Decimal::parse(value?.as_bytes()).ok()?,
    );
    let left = limit
        .to_scaled(PLACES)?
        .checked_sub(value.to_scaled(PLACES)?)?;
    Some(format_scaled(left, PLACES))
}

fn limit(value: Option<&str>, threshold: &str) -> Value {
    let distance = distance(threshold, value);
    json!({ "value": value, "threshold": threshold, "distance": distance })
}

fn limit_name(loss: &LossTrigger) -> String {
    let owner = loss.owner();
    match owner.scope.as_str() {
        "account" => owner.trigger.name().to_string(),
        scope => format!("{} {scope}", owner.trigger.name()),
    }
}

fn limits(account: &mut Account, now: Now) -> Value {
    let mut map = Map::new();
    let known = account.equity.snapshots > 0;
    for (loss, reading) in account.losses.iter().zip(account.readings()) {
        let (owner, name) = (loss.owner(), limit_name(loss));
        let value = reading
            .filter(|_| known)
            .and_then(|reading| ratio_text(reading.loss, reading.base));
        map.insert(name, limit(value.as_deref(), &owner.limit.text));
    }
    let silence = account
        .sources
        .iter_mut()
        .filter(|one| one.is_armed())
        .map(|one| one.silence(now))
        .max();
    let text = account.config.limits.connection_lost.text.clone();
    map.insert(
        Trigger::ConnectionLost.name().into(),
        limit(silence.map(seconds_text).as_deref(), &text),
    );
    let count = account.errors.count().to_string();
    map.insert(
        Trigger::ErrorRate.name().into(),
        limit(Some(&count), &account.config.limits.errors_text),
    );
    let worst = account
        .symbols
        .iter()
        .filter_map(|one| {
            let normal = i128::from(one.spread.normal()?).max(1);
            let unit = pow10(u32::from(PLACES))?;
            let spread = i128::from(one.hot.accepted()?.spread());
            Some(div_ceil(spread.checked_mul(unit)?, normal))
        })
        .max()
        .map(|scaled| format_scaled(scaled, PLACES));
    let text = account.config.limits.spread_multiple.text.clone();
    map.insert(
        Trigger::PriceAnomaly.name().into(),
        limit(worst.as_deref(), &text),
    );
    Value::Object(map)
}

fn sources(account: &mut Account, now: Now) -> Value {
    let rows = account.sources.iter_mut().map(|source| {
        let age = now.boot_ns.saturating_sub(source.last_proof()) / NS_PER_MS;
        json!({
            "name": source.name(),
            "armed": source.is_armed(),
            "age_ms": source.is_armed().then_some(age),
            "silence_s": source.is_armed().then(|| seconds_text(source.silence(now))),
            "status": word(source.status()),
        })
    });
    Value::Array(rows.collect())
}

/// Returns the price of a symbol at which each loss limit breaks that looks at positions of it, its spread as it
/// is: its bid where more is bought than sold, else its ask. `None` without positions.
fn what_would_trip(account: &mut Account, id: u32) -> Option<Value> {
    let (net, digits) = account.symbol(id).map(|symbol| {
        let digits = symbol.facts.as_ref().map_or(0, |facts| facts.digits);
        (symbol.hot.sums.net_volume(), digits)
    })?;
    account.sums_under(id, 0)?;
    let mut map = Map::new();
    map.insert("side".into(), json!(if net > 0 { "bid" } else { "ask" }));
    for which in 0..account.losses.len() {
        let (Some(loss), Some(_)) = (account.losses.get(which), account.sums_under(id, which))
        else {
            continue;
        };
        let name = limit_name(loss);
        let price = account.trip(id, which).map(|trip| {
            let points = if net > 0 {
                trip.quote.bid
            } else {
                trip.quote.ask
            };
            format_scaled(i128::from(points), digits)
        });
        map.insert(name, json!(price));
    }
    Some(Value::Object(map))
}

fn symbols(account: &mut Account, names: &Names) -> Value {
    let mut rows = Vec::new();
    for id in 0..u32::try_from(account.symbols.len()).unwrap_or(0) {
        let trips = what_would_trip(account, id);
        let Some(symbol) = account.symbol(id) else {
            continue;
        };
        let digits = symbol.facts.as_ref().map_or(0, |facts| facts.digits);
        let price = |points: i64| format_scaled(i128::from(points), digits);
        let bad: Map<String, Value> = BadCause::ALL
            .iter()
            .zip(symbol.bad)
            .map(|(cause, count)| (cause.name().to_string(), json!(count)))
            .collect();
        rows.push(json!({
            "name": names.name(id),
            "digits": symbol.facts.as_ref().map(|facts| facts.digits),
            "bid": symbol.hot.accepted().map(|quote| price(quote.bid)),
            "ask": symbol.hot.accepted().map(|quote| price(quote.ask)),
            "spread": symbol.hot.accepted().map(Quote::spread),
            "normal": symbol.spread.normal(),
            "armed": symbol.spread.normal().is_some(),
            "samples": symbol.spread.window().len(),
            "paused": symbol.spread.status() == Status::Paused,
            "stale": symbol.is_stale,
            "suspect": symbol.suspect.is_some(),
            "bad": bad,
            "what_would_trip": trips,
        }));
    }
    Value::Array(rows)
}

impl Account {
    /// Returns whether marked and reported equity differ by more than the configured share; it only alarms.
    pub fn diverges(&self) -> bool {
        let gap = self
            .marked()
            .saturating_sub(self.equity.reported)
            .saturating_abs();
        let share = self.config.limits.diverge_frac;
        let digits = self.config.currency_digits;
        let (gap, reported) = (
            to_minor(gap, digits),
            to_minor(self.equity.reported, digits).saturating_abs(),
        );
        let unit = pow10(u32::from(share.scale())).unwrap_or(i128::MAX);
        gap.saturating_mul(unit) > share.mantissa().saturating_mul(reported)
    }
}
