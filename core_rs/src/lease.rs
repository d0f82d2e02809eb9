//! A remote gate's lease: the pure machine that turns echoes into an answer.
//!
//! The gate pings with its own clock and the guard echoes that stamp with the full state. A lease
//! runs from the stamp of the *ping*, so neither buffering nor the guard's clock can make an old
//! word look fresh. A lost lease closes and reopens on good echoes; a halt latches.

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

/// One gate's lease on one account.
#[derive(Clone, Debug, Default)]
pub struct Lease {
    length_ns: i64,
    beat: Option<Beat>,
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
        if beat.epoch < known || (self.beat.is_some() && sent_ns <= self.sent_ns) {
            return false;
        }
        self.observe_halts(&beat);
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
        match beat.state {
            State::Halted => Code::Halted,
            _ if beat.hole => Code::Hole,
            State::Active => Code::Open,
            State::Paused => Code::Paused,
            State::Starting => Code::Starting,
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

    fn observe_halts(&mut self, beat: &Beat) {
        self.latched.retain(|halt| !beat.resumed.contains(halt));
        let is_halted = beat.state == State::Halted;
        let is_new = !self.latched.contains(&beat.halt_id);
        if is_halted && is_new && self.latched.len() < LATCHED_MAX {
            self.latched.push_back(beat.halt_id.clone());
        }
    }
}
