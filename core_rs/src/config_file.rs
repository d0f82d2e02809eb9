//! The configuration as it arrives: the JSON of `edgeguard/config/model.py`, with its defaults.

use serde::Deserialize;

/// The parts of the file that the engine reads.
#[derive(Clone, Debug, Deserialize)]
pub struct FileConfig {
    /// `[[account]]`.
    pub account: Vec<FileAccount>,
    /// `[[symbol]]`.
    #[serde(default)]
    pub symbol: Vec<FileSymbol>,
    /// `[[feed]]`.
    #[serde(default)]
    pub feed: Vec<FileFeed>,
    /// `[[strategy]]`.
    #[serde(default)]
    pub strategy: Vec<FileStrategy>,
}

/// `[[account]]`.
#[derive(Clone, Debug, Deserialize)]
pub struct FileAccount {
    /// Account id.
    pub id: String,
    /// Currency of the account.
    pub currency: String,
    /// Decimals of a minor unit.
    #[serde(default = "two")]
    pub currency_digits: u8,
    /// Money at the very start.
    pub initial_balance: String,
    /// `[account.limits]`.
    #[serde(default)]
    pub limits: FileLimits,
}

/// `[account.limits]`; the fields are those of the model, decimals as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[allow(
    missing_docs,
    reason = "the keys are documented once, in config/*.toml and the model"
)]
pub struct FileLimits {
    pub daily_loss: String,
    pub daily_reference: String,
    pub daily_base: String,
    pub rollover_time: String,
    pub rollover_zone: String,
    pub first_reference: String,
    pub total_drawdown: String,
    pub drawdown_mode: String,
    pub lock_at: Option<String>,
    pub connection_lost_s: String,
    pub errors_per_minute: i64,
    pub confirm: String,
    pub confirm_ms: i64,
    pub spread_multiple: String,
    pub spread_clear_multiple: String,
    pub spread_clear_s: String,
    pub spread_window_s: String,
    pub spread_sample_ms: i64,
    pub spread_samples_min: i64,
    pub spread_confirm_ticks: i64,
    pub spread_freeze_max_s: String,
    pub jump_frac: String,
    pub jump_confirm_ms: i64,
    pub releases_per_hour: i64,
    pub price_age_max_s: String,
    pub diverge_frac: String,
    pub errors_not_counted: Vec<String>,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            daily_loss: "0.03".into(),
            daily_reference: "max_balance_equity".into(),
            daily_base: "reference".into(),
            rollover_time: "17:00".into(),
            rollover_zone: "America/New_York".into(),
            first_reference: "history".into(),
            total_drawdown: "0.06".into(),
            drawdown_mode: "trailing_equity".into(),
            lock_at: None,
            connection_lost_s: "60".into(),
            errors_per_minute: 10,
            confirm: "reported".into(),
            confirm_ms: 500,
            spread_multiple: "5".into(),
            spread_clear_multiple: "2.5".into(),
            spread_clear_s: "30".into(),
            spread_window_s: "3600".into(),
            spread_sample_ms: 250,
            spread_samples_min: 240,
            spread_confirm_ticks: 1,
            spread_freeze_max_s: "900".into(),
            jump_frac: "0.02".into(),
            jump_confirm_ms: 500,
            releases_per_hour: 3,
            price_age_max_s: "600".into(),
            diverge_frac: "0.005".into(),
            errors_not_counted: Vec::new(),
        }
    }
}

/// `[symbol.limits]` and `[strategy.limits]`.
#[derive(Clone, Debug, Deserialize)]
pub struct FileScopeLimits {
    /// Loss limit of the scope as a fraction of the account's base.
    pub daily_loss: String,
}

/// `[[symbol]]`; what is absent comes from the terminal or a tape.
#[derive(Clone, Debug, Deserialize)]
#[allow(
    missing_docs,
    reason = "the keys are documented once, in config/*.toml and the model"
)]
pub struct FileSymbol {
    pub name: String,
    #[serde(default)]
    pub digits: Option<i64>,
    #[serde(default)]
    pub contract_size: Option<String>,
    #[serde(default)]
    pub calc_mode: Option<String>,
    #[serde(default)]
    pub currency_base: Option<String>,
    #[serde(default)]
    pub currency_profit: Option<String>,
    #[serde(default)]
    pub tick_size: Option<String>,
    #[serde(default)]
    pub tick_value: Option<String>,
    #[serde(default)]
    pub spread_normal_points: Option<i64>,
    #[serde(default = "one")]
    pub spread_floor_points: i64,
    #[serde(default)]
    pub session: Option<OneOrMany>,
    #[serde(default)]
    pub holidays: Vec<String>,
    #[serde(default)]
    pub limits: Option<FileScopeLimits>,
}

/// A text or a list of texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Returns the texts as a list.
    pub fn list(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Many(list) => list.clone(),
        }
    }
}

/// `[[feed]]`.
#[derive(Clone, Debug, Deserialize)]
pub struct FileFeed {
    /// Name of the feed.
    pub name: String,
    /// Its account; empty for every account.
    #[serde(default)]
    pub account: String,
    /// Its symbols; empty for every configured symbol.
    #[serde(default)]
    pub symbols: Vec<String>,
    /// Whether losing it halts.
    #[serde(default = "yes")]
    pub required: bool,
    /// Whether it sends heartbeats.
    #[serde(default)]
    pub heartbeat: bool,
}

/// `[[strategy]]`.
#[derive(Clone, Debug, Deserialize)]
pub struct FileStrategy {
    /// Name of the strategy.
    pub name: String,
    /// Its magic numbers.
    pub magic: Vec<i64>,
    /// `[strategy.limits]`.
    #[serde(default)]
    pub limits: Option<FileScopeLimits>,
}

const fn two() -> u8 {
    2
}

const fn yes() -> bool {
    true
}

const fn one() -> i64 {
    1
}
