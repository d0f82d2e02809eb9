//! The configuration as the engine uses it: parsed once, every fault reported at once.

mod faults;
mod limits;

pub use faults::Faults;

use std::sync::Arc;

use jiff::civil::Time;

use crate::calendar::Zone;
use crate::config_file::FileConfig;
use crate::decimal::Decimal;
use crate::error::CoreError;
use crate::facts::{FactLayer, parse_symbol};
use crate::session::Rule;

/// Decimals of the engine's fine money unit: 1e-20 of a currency unit.
pub const FINE_SCALE: u8 = 20;
/// Largest number of samples that one baseline may hold.
pub const SAMPLES_MAX: i64 = 4_000_000;

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
    pub session: Arc<Rule>,
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

impl Config {
    /// Parses the JSON of the model.
    ///
    /// # Errors
    /// `CoreError::Config` with every fault found.
    pub fn from_json(json: &[u8]) -> Result<Self, CoreError> {
        let file: FileConfig = serde_json::from_slice(json).map_err(|error| {
            CoreError::config(format!("config must be the model's JSON, was: {error}"))
        })?;
        let mut faults = Faults::default();
        let accounts = file
            .account
            .iter()
            .map(|account| limits::parse_account(account, &mut faults))
            .collect::<Vec<_>>();
        if accounts.is_empty() || accounts.len() > 256 {
            faults.add(
                "account",
                "be in 1..256 accounts",
                &accounts.len().to_string(),
            );
        }
        let mut symbols: Vec<SymbolConfig> = file
            .symbol
            .iter()
            .map(|symbol| parse_symbol(symbol, &mut faults))
            .collect();
        share_sessions(&mut symbols);
        let strategies = file
            .strategy
            .iter()
            .map(|strategy| StrategyConfig {
                name: strategy.name.clone(),
                magic: strategy.magic.clone(),
                daily_loss: strategy.limits.as_ref().map(|limits| {
                    faults.threshold(
                        &format!("strategy.{}.limits.daily_loss", strategy.name),
                        &limits.daily_loss,
                    )
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
        faults.finish(Self {
            accounts,
            symbols,
            feeds,
            strategies,
        })
    }
}

/// Symbols of the same session share one rule.
fn share_sessions(symbols: &mut [SymbolConfig]) {
    let mut known: Vec<Arc<Rule>> = Vec::new();
    for symbol in symbols {
        match known.iter().find(|rule| rule.key() == symbol.session.key()) {
            Some(rule) => symbol.session = Arc::clone(rule),
            None => known.push(Arc::clone(&symbol.session)),
        }
    }
}
