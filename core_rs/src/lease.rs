//! A remote gate's lease: the pure machine that turns echoes and pushes into an answer.
//!
//! The gate pings with its own clock and the guard echoes that stamp with the full state. A lease
//! runs from the stamp of the *ping*, so neither buffering nor the guard's clock can make an old
//! word look fresh. A lost lease closes and reopens on good echoes; a halt latches.
//!
//! A push is the guard's state unasked, sent when it closes. It has no stamp of this gate's clock, so
//! nobody knows its age: it closes and never opens, and proves nothing of the lease. What it closed
//! an echo opens whose ping left after the push had arrived: the guard made that one later.

use std::collections::VecDeque;

use crate::page::Code;
use crate::trading_state::State;

/// Echoes in a row that reopen a gate.
pub const GOOD_MIN: u32 = 3;
/// A gate that was lost for longer needs a handshake, nanoseconds.
pub const LOST_NS_MAX: i64 = 30_000_000_000;
/// Halts that one gate can have latched; more close it for good.
pub const LATCHED_MAX: usize = 64;

/// The guard's state as one echo carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The guard's run.
    pub epoch: i64,
    /// Counts changes of the state.
    pub state_seq: i64,
    /// The account's state.
    pub state: State,
    /// A hole is why it is paused.
    pub hole: bool,
    /// The halt in force, empty for none.
    pub halt_id: String,
    /// Halts resumed lately.
    pub resumed: Vec<String>,
}

impl Beat {
    /// Returns what this state alone says of the account.
    fn code(&self) -> Code {
        match self.state {
            State::Halted => Code::Halted,
            _ if self.hole => Code::Hole,
            State::Active => Code::Open,
            State::Paused => Code::Paused,
            State::Starting => Code::Starting,
        }
    }
}

/// What a push said, until an echo answers that was asked for after it had arrived.
#[derive(Clone, Debug)]
struct Told {
    epoch: i64,
    state_seq: i64,
    at_ns: i64,
    code: Code,
}

/// One gate's lease on one account.
#[derive(Clone, Debug, Default)]
pub struct Lease {
    length_ns: i64,
    beat: Option<Beat>,
    told: Option<Told>,
    sent_ns: i64,
    good: u32,
    closed_since_ns: Option<i64>,
    handshake_after_ns: Option<i64>,
    latched: VecDeque<String>,
}

impl Lease {
    /// Makes a closed lease of `lease_ns` nanoseconds.
    #[must_use]
    pub fn new(lease_ns: i64) -> Self {
        Self {
            length_ns: lease_ns,
            ..Self::default()
        }
    }

    /// Takes an echo of a ping that this gate sent at `sent_ns` and that arrived at `now_ns`, both
    /// on the gate's clock. Returns whether it was news: not older than what is known, not of a run
    /// that a later run has replaced, and not past its lease already.
    pub fn on_echo(&mut self, sent_ns: i64, now_ns: i64, beat: Beat) -> bool {
        let known = self.beat.as_ref().map_or(i64::MIN, |known| known.epoch);
        let is_fenced = self.newest().is_some_and(|(epoch, _)| beat.epoch < epoch);
        if is_fenced || (self.beat.is_some() && sent_ns <= self.sent_ns) {
            return false;
        }
        self.latched.retain(|halt| !beat.resumed.contains(halt));
        self.latch(&beat);
        if now_ns.saturating_sub(sent_ns) >= self.length_ns {
            return false;
        }
        let was_lost = self.is_lost(now_ns);
        if was_lost && self.closed_since_ns.is_none() {
            self.closed_since_ns = Some(self.sent_ns.saturating_add(self.length_ns));
        }
        let lost_ns = self
            .closed_since_ns
            .map_or(0, |since| now_ns.saturating_sub(since));
        let needs_handshake = self.beat.is_none() || beat.epoch > known || lost_ns > LOST_NS_MAX;
        if needs_handshake && self.handshake_after_ns.is_none_or(|_| beat.epoch > known) {
            // What is in flight was asked before this gate knew that it had to ask anew.
            self.handshake_after_ns = Some(now_ns);
            self.good = 0;
        }
        if was_lost {
            self.good = 0;
        }
        self.beat = Some(beat);
        self.sent_ns = sent_ns;
        self.told = self.told.take().filter(|told| sent_ns <= told.at_ns);
        match self.handshake_after_ns {
            Some(after_ns) if sent_ns < after_ns => {}
            _ => self.good = self.good.saturating_add(1),
        }
        if self.good >= GOOD_MIN {
            self.closed_since_ns = None;
            self.handshake_after_ns = None;
        }
        true
    }

    /// Takes a state that the guard sent unasked and that arrived at `now_ns` on the gate's clock; it
    /// can close alone. Returns whether it was news: not older than what is known.
    pub fn on_push(&mut self, now_ns: i64, beat: &Beat) -> bool {
        let (epoch, state_seq) = (beat.epoch, beat.state_seq);
        if self
            .newest()
            .is_some_and(|known| (epoch, state_seq) < known)
        {
            return false;
        }
        self.latch(beat);
        let code = match (beat.code(), &self.told) {
            // A push that leaves the account open does not take back what another has closed.
            (Code::Open, Some(told)) => told.code,
            (code, _) => code,
        };
        self.told = Some(Told {
            epoch,
            state_seq,
            at_ns: now_ns,
            code,
        });
        true
    }

    /// Returns whether a push stands: no echo that was asked for after it has arrived.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Answers whether the account may open risk at `now_ns`.
    #[must_use]
    pub fn check(&self, now_ns: i64) -> Code {
        if !self.latched.is_empty() {
            return Code::Halted;
        }
        let Some(beat) = &self.beat else {
            return Code::Missing;
        };
        if self.is_lost(now_ns) || self.good < GOOD_MIN {
            return Code::Stale;
        }
        match &self.told {
            Some(told) if told.code != Code::Open => told.code,
            _ => beat.code(),
        }
    }

    /// Returns the halts that this gate has seen and no resume has lifted.
    #[must_use]
    pub const fn latched(&self) -> &VecDeque<String> {
        &self.latched
    }

    fn is_lost(&self, now_ns: i64) -> bool {
        now_ns.saturating_sub(self.sent_ns) >= self.length_ns
    }

    /// Returns run and number of the newest state that is known.
    fn newest(&self) -> Option<(i64, i64)> {
        let echoed = self.beat.as_ref().map(|beat| (beat.epoch, beat.state_seq));
        let told = self.told.as_ref().map(|told| (told.epoch, told.state_seq));
        echoed.max(told)
    }

    fn latch(&mut self, beat: &Beat) {
        let is_halted = beat.state == State::Halted;
        let is_new = !self.latched.contains(&beat.halt_id);
        if is_halted && is_new && self.latched.len() < LATCHED_MAX {
            self.latched.push_back(beat.halt_id.clone());
        }
    }
}
