//! The guard: the shipped machines, and a model of the shell that `edgeguard/guard` puts around them.

mod deeds;
mod life;
mod lifting;
mod market;
mod pushes;
mod start;
mod store;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use edgeguard_core::engine::Engine;
use edgeguard_core::freshness::Freshness;
use edgeguard_core::latch_rules::LatchRules;
use edgeguard_core::lease::Beat;
use edgeguard_core::page::PageWriter;
use edgeguard_core::trading_state::{ACCOUNT, Scope, TradingState};

use crate::memory_page::PageRef;
use crate::network::Packet;
use store::Writers;

/// Cause of the pause of a start that must be acknowledged.
const UNACKNOWLEDGED: &str = "unacknowledged";

/// The guard was killed in the middle of a turn.
#[derive(Clone, Copy, Debug)]
pub struct Killed;

/// What a turn comes to.
pub type Turn = Result<(), Killed>;

/// The guard's periodic duties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    Step,
    Look,
    Beat,
    Second,
    References,
}

/// A resume on its way to disk.
#[derive(Clone, Debug)]
struct Pending {
    halt_id: String,
    accepted_at: i64,
    manual: u64,
    halt_file: Option<u64>,
    is_right: bool,
}

/// One guard's process.
#[derive(Debug)]
pub struct Guard {
    pub pid: u32,
    pub epoch: i64,
    pub trading: TradingState,
    pub started_at: i64,
    /// The halt that stood after the last turn, and whether a resume has lowered it in this one.
    pub stood: Option<(String, i64)>,
    pub was_lowered: bool,
    /// The last snapshot that was accepted broke a limit.
    pub is_breached: bool,
    engine: Engine,
    page: PageWriter<PageRef>,
    mapped: PageRef,
    pushed: BTreeSet<String>,
    fresh: Freshness,
    asked_ns: i64,
    /// The read that covers a lost message, 0 while none is lost.
    hole_request: i64,
    rules: LatchRules,
    number: i64,
    writers: Writers,
    start_faults: bool,
    pending: Option<Pending>,
    nonces: BTreeSet<u64>,
    seen_word: u64,
    /// The manual words that stood since the last resume.
    words: Vec<u64>,
    seen_file: Option<u64>,
    flat_t_ns: i64,
    heard_ns: Option<i64>,
    stepped_ns: i64,
    looked_ns: i64,
    halts: u32,
    was_active: bool,
    shown: Option<Rc<Beat>>,
    day_cents: Option<i64>,
    waits_durable: bool,
    stopped_until: i64,
    stopped_at: i64,
    /// True time of the end of the last stop of a lease or more.
    pub away_at: i64,
    inbox: Vec<Packet>,
    /// When each life of the remote gate pinged last, boot ns.
    asked: BTreeMap<u32, i64>,
    due: Vec<Timer>,
    days: BTreeSet<i64>,
    is_rebased: bool,
    is_feed_silent: bool,
}

impl Guard {
    fn account(&self) -> Option<&Scope> {
        self.trading.scopes().get(ACCOUNT)
    }

    /// Returns id and time of the halt in force.
    pub fn standing(&self) -> Option<(String, i64)> {
        let halt = self.account()?.halt.as_ref()?;
        Some((halt.id.clone(), halt.t_ns))
    }

    /// Returns whether a start waits to be acknowledged, and whether other pauses wait for an operator.
    pub fn held_pauses(&self) -> (bool, bool) {
        let Some(account) = self.account() else {
            return (false, false);
        };
        let held = |is_start: bool| {
            account.pauses.iter().any(|(cause, pause)| {
                pause.held && pause.trigger != "storage" && (cause == UNACKNOWLEDGED) == is_start
            })
        };
        (held(true), held(false))
    }

    /// Returns whether the engine itself pauses: the day's start is not known to it.
    pub fn has_input_pause(&self) -> bool {
        self.account()
            .is_some_and(|one| one.pauses.values().any(|pause| pause.trigger == "input"))
    }

    pub const fn has_storage_fault(&self) -> bool {
        self.start_faults || self.writers.has_fault()
    }

    pub fn is_writing_resume(&self) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| self.trading.is_resuming(&pending.halt_id))
    }

    pub const fn is_stopped(&self, t: i64) -> bool {
        self.stopped_until > t
    }

    /// Returns what would help to understand a guard that is stuck.
    pub fn describe(&self) -> String {
        let pauses: Vec<&String> = self
            .account()
            .map(|one| one.pauses.keys().collect())
            .unwrap_or_default();
        let waiting: Vec<&str> = self.trading.waiting().collect();
        format!(
            "{:?} {:?} pauses {pauses:?} waiting {waiting:?}",
            self.trading.state(),
            self.standing()
        )
    }

    /// Returns the full state as an echo carries it.
    fn beat(&self) -> Rc<Beat> {
        let account = self.account();
        Rc::new(Beat {
            epoch: self.epoch,
            state_seq: i64::from(self.trading.word().state_seq),
            state: self.trading.state(),
            hole: account.is_some_and(|one| one.pauses.values().any(|pause| pause.code == "HOLE")),
            halt_id: self.standing().map(|(id, _)| id).unwrap_or_default(),
            resumed: self.trading.resumed().iter().cloned().collect(),
        })
    }
}
