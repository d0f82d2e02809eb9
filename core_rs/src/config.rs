//! The configuration as the engine uses it: parsed once, every fault reported at once.

use jiff::civil::Time;

use crate::calendar::{NS_PER_S, Zone};
use crate::config_file::{FileAccount, FileConfig, FileLimits};
use crate::decimal::Decimal;
use crate::error::CoreError;
use crate::facts::FactLayer;
use crate::session::Rule;

/// Decimals of the engine's fine money unit: 1e-20 of a currency unit.
pub const FINE_SCALE: u8 = 20;
/// Largest number of samples that one baseline may hold.
pub const SAMPLES_MAX: i64 = 4_000_000;
const NS_PER_MS: i64 = 1_000_000;

/// A threshold: its exact value and the text that lines print.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// Exact value.
    pub value: Decimal,
    /// As the configuration writes it.
    pub text: String,
}

/// From what the day's loss is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named like the configuration's values")]
pub enum DailyReference {
    MaxBalanceEquity,
    Balance,
    Equity,
    InitialBalance,
}

/// How the first reference is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named like the configuration's values")]
pub enum FirstReference {
    History,
    Snapshot,
    Operator,
}

/// How the peak moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named like the configuration's values")]
pub enum DrawdownMode {
    TrailingEquity,
    Static,
    TrailingEodBalance,
}

/// `[account.limits]`, parsed. Durations are nanoseconds.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named like the configuration's keys")]
pub struct Limits {
    pub daily_loss: Threshold,
    pub daily_reference: DailyReference,
    pub daily_base_is_initial: bool,
    pub rollover_time: Time,
    pub rollover_zone: Zone,
    pub first_reference: FirstReference,
    pub total_drawdown: Threshold,
    pub drawdown_mode: DrawdownMode,
    pub lock_at: Option<Decimal>,
    pub connection_lost: Threshold,
    pub connection_lost_ns: i64,
    pub errors_per_minute: usize,
    pub errors_text: String,
    pub confirm_reported: bool,
    pub confirm_ns: i64,
    pub spread_multiple: Threshold,
    pub spread_clear_multiple: Decimal,
    pub spread_clear_ns: i64,
    pub spread_window_ns: i64,
    pub spread_sample_ns: i64,
    pub spread_samples_min: usize,
    pub spread_confirm_ticks: i64,
    pub spread_freeze_max_ns: i64,
    pub jump_frac: Decimal,
    pub jump_confirm_ns: i64,
    pub releases_per_hour: usize,
    pub price_age_max_ns: i64,
    pub diverge_frac: Decimal,
    pub errors_not_counted: Vec<String>,
}

/// One account.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// Account id.
    pub id: String,
    /// Currency of the account.
    pub currency: String,
    /// Decimals of a minor unit.
    pub currency_digits: u8,
    /// Initial balance in minor units.
    pub initial_minor: i128,
    /// Its limits.
    pub limits: Limits,
}

/// One configured symbol.
#[derive(Clone, Debug)]
pub struct SymbolConfig {
    /// Name.
    pub name: String,
    /// The facts that the file supplies.
    pub facts: FactLayer,
    /// Normal spread before the baseline is armed.
    pub normal_points: Option<i64>,
    /// Smallest normal.
    pub floor_points: i64,
    /// When it trades.
    pub session: Rule,
    /// Loss limit of its own.
    pub daily_loss: Option<Threshold>,
}

/// One feed.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// Name.
    pub name: String,
    /// Account; empty for every account.
    pub account: String,
    /// Symbols; empty for all.
    pub symbols: Vec<String>,
    /// Whether losing it halts.
    pub required: bool,
    /// Whether it sends heartbeats.
    pub heartbeat: bool,
}

/// One strategy.
#[derive(Clone, Debug)]
pub struct StrategyConfig {
    /// Name.
    pub name: String,
    /// Magic numbers.
    pub magic: Vec<i64>,
    /// Loss limit of its own.
    pub daily_loss: Option<Threshold>,
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Accounts in the file's order.
    pub accounts: Vec<AccountConfig>,
    /// Symbols in the file's order.
    pub symbols: Vec<SymbolConfig>,
    /// Feeds.
    pub feeds: Vec<FeedConfig>,
    /// Strategies in the file's order.
    pub strategies: Vec<StrategyConfig>,
}

/// Collects every fault instead of stopping at the first.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<String>,
}

impl Faults {
    /// Notes a fault: `<field> must <requirement>, was <value>`.
    pub fn add(&mut self, field: &str, requirement: &str, value: &str) {
        self.list.push(format!("{field} must {requirement}, was {value}"));
    }

    /// Notes a finished sentence about a field.
    pub fn say(&mut self, field: &str, sentence: &str) {
        self.list.push(format!("{field} {sentence}"));
    }

    /// Returns the value when nothing was noted.
    ///
    /// # Errors
    /// All faults.
    pub fn finish<T>(self, value: T) -> Result<T, CoreError> {
        if self.list.is_empty() { Ok(value) } else { Err(CoreError::Config(self.list)) }
    }

    /// Reads a decimal.
    pub fn decimal(&mut self, field: &str, text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap_or_else(|_| {
            self.add(field, "be a decimal number", text);
            Decimal::new(1, 0)
        })
    }

    /// Reads a decimal that is not below zero.
    pub fn threshold(&mut self, field: &str, text: &str) -> Threshold {
        let value = self.decimal(field, text);
        if value.mantissa() < 0 {
            self.add(field, "be at least 0", text);
        }
        Threshold { value, text: text.to_string() }
    }

    /// Reads seconds as nanoseconds.
    pub fn seconds(&mut self, field: &str, text: &str) -> i64 {
        let value = self.decimal(field, text);
        match value.to_scaled_exact(9).and_then(|ns| i64::try_from(ns).ok()) {
            Some(ns) if (0..=1_000_000_000 * NS_PER_S).contains(&ns) => ns,
            _ => {
                self.add(field, "be at least 0 seconds, with at most 9 decimals", text);
                NS_PER_S
            }
        }
    }

    fn milliseconds(&mut self, field: &str, value: i64) -> i64 {
        if !(0..=1_000_000_000).contains(&value) {
            self.add(field, "be in 0..1000000000 ms", &value.to_string());
        }
        value.saturating_mul(NS_PER_MS)
    }

    fn count(&mut self, field: &str, value: i64, max: i64) -> usize {
        if !(0..=max).contains(&value) {
            self.add(field, &format!("be in 0..{max}"), &value.to_string());
        }
        usize::try_from(value).unwrap_or(0)
    }
}

impl Config {
    /// Parses the JSON of the model.
    ///
    /// # Errors
    /// `CoreError::Config` with every fault found.
    pub fn from_json(json: &[u8]) -> Result<Self, CoreError> {
        let file: FileConfig = serde_json::from_slice(json)
            .map_err(|error| CoreError::config(format!("config must be the model's JSON, was: {error}")))?;
        let mut faults = Faults::default();
        let accounts = file.account.iter().map(|account| parse_account(account, &mut faults)).collect::<Vec<_>>();
        if accounts.is_empty() || accounts.len() > 256 {
            faults.add("account", "be in 1..256 accounts", &accounts.len().to_string());
        }
        let symbols = file.symbol.iter().map(|symbol| crate::facts::parse_symbol(symbol, &mut faults)).collect();
        let strategies = file
            .strategy
            .iter()
            .map(|strategy| StrategyConfig {
                name: strategy.name.clone(),
                magic: strategy.magic.clone(),
                daily_loss: strategy.limits.as_ref().map(|limits| {
                    faults.threshold(&format!("strategy.{}.limits.daily_loss", strategy.name), &limits.daily_loss)
                }),
            })
            .collect();
        let feeds = file
            .feed
            .into_iter()
            .map(|feed| FeedConfig {
                name: feed.name,
                account: feed.account,
                symbols: feed.symbols,
                required: feed.required,
                heartbeat: feed.heartbeat,
            })
            .collect();
        faults.finish(Self { accounts, symbols, feeds, strategies })
    }
}

fn parse_account(file: &FileAccount, faults: &mut Faults) -> AccountConfig {
    let prefix = format!("account.{}", file.id);
    let initial = faults.decimal(&format!("{prefix}.initial_balance"), &file.initial_balance);
    let digits = file.currency_digits;
    if digits > 8 {
        faults.add(&format!("{prefix}.currency_digits"), "be in 0..8", &digits.to_string());
    }
    let limits = parse_limits(&prefix, &file.limits, faults);
    if let Some(lock_at) = limits.lock_at {
        let keep = subtract_from_one(limits.total_drawdown.value);
        let floor = keep.and_then(|keep| initial.mul(keep));
        if floor.is_some_and(|floor| lock_at.compare(floor).is_lt()) {
            let text = file.limits.lock_at.as_deref().unwrap_or_default();
            faults.add(&format!("{prefix}.limits.lock_at"), "be at least the first floor", text);
        }
    }
    AccountConfig {
        id: file.id.clone(),
        currency: file.currency.clone(),
        currency_digits: digits,
        initial_minor: initial.to_scaled(digits).unwrap_or(0),
        limits,
    }
}

fn subtract_from_one(value: Decimal) -> Option<Decimal> {
    let one = Decimal::new(1, 0).to_scaled(value.scale())?;
    Some(Decimal::new(one.checked_sub(value.mantissa())?, value.scale()))
}

fn parse_limits(prefix: &str, file: &FileLimits, faults: &mut Faults) -> Limits {
    let name = |key: &str| format!("{prefix}.limits.{key}");
    let window = faults.seconds(&name("spread_window_s"), &file.spread_window_s);
    let sample = faults.milliseconds(&name("spread_sample_ms"), file.spread_sample_ms);
    if sample < NS_PER_MS || window < NS_PER_MS || window / sample.max(1) > SAMPLES_MAX {
        faults.add(&name("spread_sample_ms"), "be at least 1 and give at most 4000000 samples", &file.spread_sample_ms.to_string());
    }
    Limits {
        daily_loss: faults.threshold(&name("daily_loss"), &file.daily_loss),
        daily_reference: choice(faults, &name("daily_reference"), &file.daily_reference, &DAILY_REFERENCES),
        daily_base_is_initial: choice(faults, &name("daily_base"), &file.daily_base, &DAILY_BASES),
        rollover_time: time_of_day(faults, &name("rollover_time"), &file.rollover_time),
        rollover_zone: zone(faults, &name("rollover_zone"), &file.rollover_zone),
        first_reference: choice(faults, &name("first_reference"), &file.first_reference, &FIRST_REFERENCES),
        total_drawdown: faults.threshold(&name("total_drawdown"), &file.total_drawdown),
        drawdown_mode: choice(faults, &name("drawdown_mode"), &file.drawdown_mode, &DRAWDOWN_MODES),
        lock_at: file.lock_at.as_ref().map(|text| faults.decimal(&name("lock_at"), text)),
        connection_lost: faults.threshold(&name("connection_lost_s"), &file.connection_lost_s),
        connection_lost_ns: faults.seconds(&name("connection_lost_s"), &file.connection_lost_s),
        errors_per_minute: faults.count(&name("errors_per_minute"), file.errors_per_minute, 100_000),
        errors_text: file.errors_per_minute.to_string(),
        confirm_reported: choice(faults, &name("confirm"), &file.confirm, &CONFIRMS),
        confirm_ns: faults.milliseconds(&name("confirm_ms"), file.confirm_ms),
        spread_multiple: faults.threshold(&name("spread_multiple"), &file.spread_multiple),
        spread_clear_multiple: faults.threshold(&name("spread_clear_multiple"), &file.spread_clear_multiple).value,
        spread_clear_ns: faults.seconds(&name("spread_clear_s"), &file.spread_clear_s),
        spread_window_ns: window,
        spread_sample_ns: sample.max(1),
        spread_samples_min: faults.count(&name("spread_samples_min"), file.spread_samples_min, SAMPLES_MAX),
        spread_confirm_ticks: i64::try_from(faults.count(&name("spread_confirm_ticks"), file.spread_confirm_ticks, 1_000_000)).unwrap_or(1),
        spread_freeze_max_ns: faults.seconds(&name("spread_freeze_max_s"), &file.spread_freeze_max_s),
        jump_frac: faults.threshold(&name("jump_frac"), &file.jump_frac).value,
        jump_confirm_ns: faults.milliseconds(&name("jump_confirm_ms"), file.jump_confirm_ms),
        releases_per_hour: faults.count(&name("releases_per_hour"), file.releases_per_hour, 1000),
        price_age_max_ns: faults.seconds(&name("price_age_max_s"), &file.price_age_max_s),
        diverge_frac: faults.threshold(&name("diverge_frac"), &file.diverge_frac).value,
        errors_not_counted: file.errors_not_counted.clone(),
    }
}

const DAILY_REFERENCES: [(&str, DailyReference); 4] = [
    ("max_balance_equity", DailyReference::MaxBalanceEquity),
    ("balance", DailyReference::Balance),
    ("equity", DailyReference::Equity),
    ("initial_balance", DailyReference::InitialBalance),
];
const DAILY_BASES: [(&str, bool); 2] = [("reference", false), ("initial_balance", true)];
const FIRST_REFERENCES: [(&str, FirstReference); 3] = [
    ("history", FirstReference::History),
    ("snapshot", FirstReference::Snapshot),
    ("operator", FirstReference::Operator),
];
const DRAWDOWN_MODES: [(&str, DrawdownMode); 3] = [
    ("trailing_equity", DrawdownMode::TrailingEquity),
    ("static", DrawdownMode::Static),
    ("trailing_eod_balance", DrawdownMode::TrailingEodBalance),
];
const CONFIRMS: [(&str, bool); 2] = [("reported", true), ("none", false)];

fn choice<T: Copy, const N: usize>(faults: &mut Faults, field: &str, text: &str, words: &[(&str, T); N]) -> T {
    for (word, value) in words {
        if *word == text {
            return *value;
        }
    }
    let list = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    faults.add(field, &format!("be one of {list}"), text);
    words[0].1
}

fn time_of_day(faults: &mut Faults, field: &str, text: &str) -> Time {
    let parsed = text.split_once(':').and_then(|(hour, rest)| {
        let (minute, second) = rest.split_once(':').unwrap_or((rest, "0"));
        Time::new(hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?, 0).ok()
    });
    parsed.unwrap_or_else(|| {
        faults.add(field, "be a time of day like 17:00", text);
        Time::MIN
    })
}

fn zone(faults: &mut Faults, field: &str, text: &str) -> Zone {
    Zone::named(text).unwrap_or_else(|| {
        faults.add(field, "be an IANA zone like America/New_York", text);
        Zone::utc()
    })
}
