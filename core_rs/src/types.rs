//! The small vocabulary of the engine: triggers, actions, sides and profit modes.

/// What a decision is about; the order is the order of lines at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Loss of the day above its limit.
    DailyLoss,
    /// Loss since the peak above its limit.
    TotalDrawdown,
    /// A source is silent for too long.
    ConnectionLost,
    /// Too many errors in a minute.
    ErrorRate,
    /// A spread far above normal.
    PriceAnomaly,
    /// The engine cannot trust what it sees.
    Input,
}

impl Trigger {
    /// All triggers in the order of lines.
    pub const ALL: [Self; 6] = [
        Self::DailyLoss,
        Self::TotalDrawdown,
        Self::ConnectionLost,
        Self::ErrorRate,
        Self::PriceAnomaly,
        Self::Input,
    ];

    /// Returns the name as decision lines print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DailyLoss => "daily_loss",
            Self::TotalDrawdown => "total_drawdown",
            Self::ConnectionLost => "connection_lost",
            Self::ErrorRate => "error_rate",
            Self::PriceAnomaly => "price_anomaly",
            Self::Input => "input",
        }
    }

    /// Returns the trigger of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.name() == name)
    }
}

/// What a decision does; the order is the order of lines at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A pause ends.
    Release,
    /// A limit comes near; nothing is blocked.
    Warn,
    /// New risk is blocked.
    Pause,
    /// Everything is closed and trading stops until a resume.
    Halt,
}

impl Action {
    /// Returns the name as decision lines print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Warn => "warn",
            Self::Pause => "pause",
            Self::Halt => "halt",
        }
    }
}

/// The stable code of a decision, without its `_WARN_..` or `_CLEARED` ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The day's loss is above its limit.
    DailyLossExceedsMax,
    /// The loss since the peak is above its limit.
    TotalDrawdownExceedsMax,
    /// A source gave no proof for too long.
    ConnectionLost,
    /// More errors than allowed within a minute.
    ErrorRateExceedsMax,
    /// A spread above its multiple of normal.
    SpreadExceedsMax,
    /// A price far from the last accepted one.
    PriceJump,
    /// A price that matters is too old.
    PriceStale,
    /// An account line without a usable balance or equity.
    EquityUntrusted,
    /// The reference of the running day is not known.
    DayStartUnknown,
}

impl Code {
    /// Returns the code as decision lines print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DailyLossExceedsMax => "DAILY_LOSS_EXCEEDS_MAX",
            Self::TotalDrawdownExceedsMax => "TOTAL_DRAWDOWN_EXCEEDS_MAX",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::ErrorRateExceedsMax => "ERROR_RATE_EXCEEDS_MAX",
            Self::SpreadExceedsMax => "SPREAD_EXCEEDS_MAX",
            Self::PriceJump => "PRICE_JUMP",
            Self::PriceStale => "PRICE_STALE",
            Self::EquityUntrusted => "EQUITY_UNTRUSTED",
            Self::DayStartUnknown => "DAY_START_UNKNOWN",
        }
    }
}

/// The state of one trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing in force.
    #[default]
    Clear,
    /// A pause is in force.
    Paused,
    /// Halted; only an operator's resume clears it.
    Halted,
}

/// Direction of a position or deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Long; valued at the bid.
    Buy,
    /// Short; valued at the ask.
    Sell,
}

/// What a deal does to its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Opens or adds.
    In,
    /// Closes, wholly or in part.
    Out,
    /// Closes and opens the rest on the other side.
    InOut,
    /// Closes against an opposite position.
    OutBy,
}

/// How profit is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfitMode {
    /// Price difference x contract size x lots.
    Contract,
    /// Price difference x lots x tick value / tick size.
    TickValue,
}

impl ProfitMode {
    /// Returns the profit rule of a calculation mode, `None` for an unknown one.
    pub fn of_calc_mode(name: &str) -> Option<Self> {
        match name {
            "FOREX" | "FOREX_NO_LEVERAGE" | "CFD" | "CFDINDEX" | "CFDLEVERAGE" | "EXCH_STOCKS" => {
                Some(Self::Contract)
            }
            "FUTURES" | "EXCH_FUTURES" => Some(Self::TickValue),
            _ => None,
        }
    }
}

/// The two clocks of one call: the wall for the calendar, the boot clock for every duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since the Unix epoch.
    pub wall_ns: i64,
    /// Nanoseconds of `CLOCK_BOOTTIME`; in a replay the wall itself.
    pub boot_ns: i64,
}

impl Now {
    /// Returns the wall's reading at a boot time, as the two clocks stand now.
    pub const fn wall_at(self, boot_ns: i64) -> i64 {
        self.wall_ns
            .saturating_add(boot_ns.saturating_sub(self.boot_ns))
    }

    /// Returns the boot clock's reading at a wall time, as the two clocks stand now.
    pub const fn boot_at(self, wall_ns: i64) -> i64 {
        self.boot_ns
            .saturating_add(wall_ns.saturating_sub(self.wall_ns))
    }
}

/// Where an event came from: a registered source and its line or sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Id of a registered source name.
    pub source: u32,
    /// Line of a file, counted from 1, or a message's sequence number.
    pub line: u64,
}
