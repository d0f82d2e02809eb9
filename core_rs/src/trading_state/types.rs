//! The words of the trading state: what it holds, what it is told and what it asks for.

use std::collections::BTreeMap;

/// Scope of everything that concerns the account as a whole.
pub const ACCOUNT: &str = "account";

/// Whether an account, a strategy or a symbol may open risk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Closed until every start condition is good.
    #[default]
    Starting,
    /// Open.
    Active,
    /// Closed to new risk, exits are let through; may release itself.
    Paused,
    /// Closed and latched until an operator's resume.
    Halted,
}

impl State {
    /// Returns the word that every wire, log and status uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Active => "ACTIVE",
            Self::Paused => "PAUSED",
            Self::Halted => "HALTED",
        }
    }

    /// Returns the state byte of the halt page.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Starting => 1,
            Self::Active => 2,
            Self::Paused => 3,
            Self::Halted => 4,
        }
    }
}

/// What is known of the closing of positions on a halted scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flatten {
    /// Nothing was asked for.
    #[default]
    None,
    /// The broker was told, and has not said how it ended.
    InProgress,
    /// Two fresh reads of the broker's agreed that nothing is left.
    FlatVerified,
    /// Something is left that could not be closed yet; the broker keeps trying.
    NotFlat,
}

impl Flatten {
    /// Returns the word that every wire, log and status uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::InProgress => "IN_PROGRESS",
            Self::FlatVerified => "FLAT_VERIFIED",
            Self::NotFlat => "NOT_FLAT",
        }
    }

    /// Returns the flatten byte of the halt page.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::None => 0,
            Self::InProgress => 1,
            Self::FlatVerified => 2,
            Self::NotFlat => 3,
        }
    }
}

/// The instant of an event: the wall for people, the boot clock for durations, both nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since the Unix epoch.
    pub wall_ns: i64,
    /// `CLOCK_BOOTTIME` nanoseconds.
    pub boot_ns: i64,
}

/// A halt in force. Its id and time never change while it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halt {
    /// Names the halt; a resume must repeat it.
    pub id: String,
    /// Wall nanoseconds of the trip.
    pub t_ns: i64,
    /// The trigger, or `manual`, `storage`, `start`.
    pub trigger: String,
    /// Stable code of the reason.
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// Whether one copy at least is on disk.
    pub durable: bool,
}

/// One cause of a pause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// The trigger, `input`, `guard` or `operator`.
    pub trigger: String,
    /// Stable code of the cause.
    pub code: String,
    /// Held pauses survive a restart and end by an operator's word alone.
    pub held: bool,
    /// Wall nanoseconds of its begin.
    pub since_ns: i64,
}

/// What is in force on one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The halt, if any.
    pub halt: Option<Halt>,
    /// Pauses by cause; the scope is paused while any is left.
    pub pauses: BTreeMap<String, Pause>,
    /// How the closing of its positions stands.
    pub flatten: Flatten,
    /// Boot nanoseconds at which the broker was last told to flatten.
    pub flatten_sent_ns: Option<i64>,
}

impl Scope {
    /// Returns the scope's own state, as if its account were active.
    #[must_use]
    pub fn state(&self) -> State {
        if self.halt.is_some() {
            State::Halted
        } else if self.pauses.is_empty() {
            State::Active
        } else {
            State::Paused
        }
    }
}

/// What a change is announced as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A scope is halted.
    Halt,
    /// A scope is paused.
    Pause,
    /// A cause of a pause is gone.
    Release,
    /// An operator lifted a halt.
    Resume,
}

impl Change {
    /// Returns the word that the halt event carries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::Pause => "pause",
            Self::Release => "release",
            Self::Resume => "resume",
        }
    }
}

/// What the shell must do now, in the order given; none waits for another to finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Store the state word, the halt id and the scopes on the page.
    Page,
    /// Publish a halt event and a state heartbeat.
    Publish {
        /// What changed.
        change: Change,
        /// Whose state changed.
        scope: String,
        /// The trigger of the change.
        trigger: String,
        /// Its code.
        code: String,
    },
    /// Write the latch to both of its copies.
    Persist,
    /// Tell the broker to close what the scope covers, and to prove it.
    Flatten {
        /// `account`, `strategy:NAME` or `symbol:NAME`.
        scope: String,
        /// The halt on whose behalf.
        halt_id: String,
    },
    /// Tell people.
    Alarm {
        /// Stable code.
        code: &'static str,
        /// One sentence.
        text: String,
    },
}

/// What a resume is judged by, beside the trading state itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// The operator's name.
    pub operator: String,
    /// The operator's reason.
    pub reason: String,
    /// A snapshot arrived within the configured age.
    pub snapshot_fresh: bool,
    /// Journal and latch take writes and were verified.
    pub storage_trusted: bool,
    /// Login, server, trade mode and currency are those of the configuration.
    pub identity_good: bool,
    /// Triggers that would fire at once, each as a sentence.
    pub firing: Vec<String>,
}
