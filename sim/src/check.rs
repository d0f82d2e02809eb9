//! The promises, judged from outside: what the world knows to be true against what gates answer.

use edgeguard_core::page::Code;
use edgeguard_core::start::LatchRecord;
use edgeguard_core::trading_state::State;

use crate::faults::Fault;
use crate::gates::Side;
use crate::guard::Guard;
use crate::plants::Plant;
use crate::world::{AGE_NS, LEASE_NS, MS, World};

/// A gate must be closed this long after a trip.
const CLOSED_NS: i64 = LEASE_NS + 100 * MS;
/// Oldest data on which a gate may be open: the lag of the answer that set the measure, the age on top of
/// it, the age until its absence is noticed, and the lease until a gate hears of it.
const DATA_NS: i64 = 3 * AGE_NS + LEASE_NS + 200 * MS;

/// A reason to be closed that only a valid resume takes away.
#[derive(Clone, Debug)]
struct Duty {
    trip_at: i64,
    /// A manual word holds the local gate at once, the other one when the guard has seen it.
    remote_at: i64,
    word: u64,
    said_durable: bool,
    /// Power was lost before the disk had it: an operator's acknowledgement replaces the resume.
    lost_at: Option<i64>,
}

/// What was found to be broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub promise: &'static str,
    pub at: i64,
    pub text: String,
}

/// The judge's own knowledge of one history.
#[derive(Debug, Default)]
pub struct Check {
    duties: Vec<Duty>,
    pending: Option<i64>,
    pub found: Option<Violation>,
    last_beat_at: i64,
    last_echo_at: i64,
    /// True time since which each gate is open without a break.
    open_since: [Option<i64>; 2],
    pub slowest_close: i64,
    acknowledged_at: i64,
    must_acknowledge: Option<u64>,
    /// Boot time of the last proof of the terminal that the guard has heard, while its engine is armed.
    pub proof_boot: Option<i64>,
    /// The engine has halted for it, and waits for a resume.
    pub is_lost: bool,
    /// True time before which data do not cover a message that was lost.
    pub hole_at: Option<i64>,
    /// True time of the read behind the last accepted snapshot.
    pub read_at: i64,
}

impl Check {
    pub fn violate(&mut self, promise: &'static str, at: i64, text: String) {
        if self.found.is_none() {
            self.found = Some(Violation { promise, at, text });
        }
    }

    /// A halt was decided; it counts from the first thing that is done about it.
    pub const fn decided(&mut self, at: i64) {
        self.pending = Some(at);
    }

    /// Something was done about what was decided.
    pub fn acted(&mut self) {
        if let Some(at) = self.pending.take() {
            self.duties.push(Duty { trip_at: at, remote_at: at, word: 0, said_durable: false, lost_at: None });
        }
    }

    /// The guard died: what it had decided and not begun is gone with it.
    pub const fn forget_decision(&mut self) {
        self.pending = None;
    }

    /// Somebody set the manual word: the local gate reads it, the other one hears of it.
    pub fn word_set(&mut self, at: i64, word: u64) {
        self.duties.push(Duty { trip_at: at, remote_at: i64::MAX, word, said_durable: false, lost_at: None });
    }

    /// The guard has done what a manual word asks for.
    pub fn word_seen(&mut self, at: i64, word: u64) {
        for duty in self.duties.iter_mut().filter(|duty| duty.word == word && word != 0) {
            duty.remote_at = duty.remote_at.min(at);
        }
    }

    /// Somebody was told HALTED, DURABLE.
    pub fn said_durable(&mut self) {
        for duty in self.duties.iter_mut().filter(|duty| duty.word == 0) {
            duty.said_durable = true;
        }
    }

    /// A resume is on its way to disk: what was durable is so no more, should the resume be void.
    pub fn resume_begun(&mut self) {
        for duty in &mut self.duties {
            duty.said_durable = false;
        }
    }

    /// A resume that was accepted at `at` lowered the latch: later reasons stand.
    pub fn lifted(&mut self, at: i64) {
        self.duties.retain(|duty| duty.trip_at > at);
    }

    pub fn acknowledged(&mut self, at: i64) {
        self.acknowledged_at = at;
        self.must_acknowledge = None;
        self.duties.retain(|duty| duty.lost_at.is_none_or(|lost| lost > at));
    }

    /// A run that had been open ended without its own will.
    pub const fn died_unclean(&mut self, boot: u64, was_active: bool) {
        if was_active {
            self.must_acknowledge = Some(boot);
        }
    }

    /// A run that took over from one of this boot ended by its own will.
    pub fn ended_clean(&mut self, boot: u64) {
        if self.must_acknowledge == Some(boot) {
            self.must_acknowledge = None;
        }
    }

    pub const fn must_acknowledge(&self) -> Option<u64> {
        self.must_acknowledge
    }

    /// The run is open again: what was before it is settled.
    pub const fn is_open_again(&mut self) {
        self.must_acknowledge = None;
    }

    pub fn has_duty(&self) -> bool {
        !self.duties.is_empty()
    }

    /// Power is lost: a halt that somebody was told is durable must be on disk.
    ///
    /// A run whose mark is on no copy was never open, and nothing that knows of it outlives power loss.
    pub fn power_lost(&mut self, at: i64, on_disk: bool, is_resuming: bool, is_marked: bool) {
        if on_disk {
            return;
        }
        if !is_marked {
            self.duties.retain(|duty| duty.said_durable || duty.lost_at.is_some());
        }
        // A word that no guard has seen was nowhere but in memory; the command writes the HALT file too.
        self.duties.retain(|duty| duty.word == 0 || duty.remote_at != i64::MAX);
        let mut is_broken = false;
        for duty in self.duties.iter_mut().filter(|duty| duty.lost_at.is_none()) {
            is_broken |= duty.said_durable && !is_resuming;
            duty.lost_at = Some(at);
        }
        if is_broken {
            self.violate("P1", at, "a halt that was DURABLE is on no copy after power loss".to_owned());
        }
    }

    /// A start without a page asks an operator, as after power loss.
    pub const fn page_lost(&mut self) {
        if self.must_acknowledge.is_some() {
            self.must_acknowledge = Some(0);
        }
    }

    pub const fn beat(&mut self, at: i64) {
        self.last_beat_at = at;
    }

    pub fn echoed(&mut self, sent_at: i64) {
        self.last_echo_at = self.last_echo_at.max(sent_at);
    }

    /// A gate said that risk may be opened.
    fn judge_open(&mut self, side: Side, at: i64) {
        let since = *self.open_since[side as usize].get_or_insert(at);
        for duty in &self.duties {
            let trip_at = if side == Side::Local { duty.trip_at } else { duty.remote_at };
            if since <= trip_at {
                self.slowest_close = self.slowest_close.max(at.saturating_sub(trip_at));
            }
        }
        let late = self.duties.iter().find(|duty| {
            let trip_at = if side == Side::Local { duty.trip_at } else { duty.remote_at };
            at > trip_at.saturating_add(CLOSED_NS)
        });
        if let Some(duty) = late {
            let promise = if since <= duty.trip_at { "P2" } else { "P1" };
            let text = format!("{side:?} gate open {} ms after a trip", (at - duty.trip_at) / MS);
            self.violate(promise, at, text);
        }
        let word_at = if side == Side::Local { self.last_beat_at } else { self.last_echo_at };
        if at - word_at > LEASE_NS + 2 * MS {
            self.violate("P3", at, format!("{side:?} gate open {} ms after the guard's last word", (at - word_at) / MS));
        }
        if at - self.read_at > DATA_NS {
            self.violate("P9", at, format!("{side:?} gate open on data {} ms old", (at - self.read_at) / MS));
        }
        if self.hole_at.is_some_and(|hole| at - hole > CLOSED_NS) {
            self.violate("P9", at, format!("{side:?} gate open over a lost message"));
        }
    }
}

impl World {
    /// Judges one answer of a gate.
    pub fn note_answer(&mut self, side: Side, code: Code) {
        if self.story.is_some() && self.answered[side as usize] != Some(code) {
            self.answered[side as usize] = Some(code);
            self.tell(|| format!("{side:?} gate {code:?}"));
        }
        if code == Code::Open {
            self.check.judge_open(side, self.t);
            self.opened[side as usize] = true;
        } else {
            self.check.open_since[side as usize] = None;
        }
        self.digest = (self.digest ^ (code as u64 + 16 * side as u64)).wrapping_mul(0x0100_0000_01b3);
    }

    /// Judges the state that the guard has just put on its page.
    pub fn judge_page(&mut self, guard: &Guard) {
        if guard.trading.state() != State::Active {
            return;
        }
        let (file, row) = self.disk.synced();
        let is_marked = |record: Option<&LatchRecord>| {
            record.is_some_and(|record| record.run == guard.epoch && !record.is_clean)
        };
        let at = self.t;
        if !guard.has_storage_fault() && !(is_marked(file) && is_marked(row)) {
            self.check.violate("P4", at, "open before the mark of this run is on both copies".to_owned());
        }
        if self.check.read_at < guard.started_at {
            self.check.violate("P4", at, "open without a read of this run".to_owned());
        }
        if self.check.must_acknowledge().is_some_and(|boot| boot != self.boot) {
            self.check.violate("P4", at, "open after power loss and nobody acknowledged".to_owned());
        }
        self.check.is_open_again();
    }

    /// Judges a turn of the guard by what it knew before.
    pub fn judge_turn(&mut self, guard: &mut Guard) {
        let halt = guard.standing();
        if let (Some(before), Some(now)) = (&guard.stood, &halt)
            && before != now
        {
            let text = format!("halt {} became {} while it stood", before.0, now.0);
            self.check.violate("P8", self.t, text);
        }
        if guard.stood.is_some() && halt.is_none() && !guard.was_lowered {
            self.check.violate("P7", self.t, "the latch was lowered by no resume".to_owned());
        }
        if halt.is_some() && guard.trading.word().severity != 1 {
            self.check.violate("P8", self.t, "severity fell while a halt stood".to_owned());
        }
        guard.was_lowered = false;
        guard.stood = halt;
        if guard.is_breached && guard.stood.is_none() {
            self.check.violate("P9", self.t, "a broken limit was seen and nothing halted".to_owned());
        }
    }

    /// Judges the lowering of a latch.
    pub fn judge_lowering(&mut self, halt_id: &str, is_right: bool) {
        let at = self.t;
        if !is_right {
            self.check.violate("P7", at, "a resume without operator, id, flat or fresh data was taken".to_owned());
        }
        let holds = |record: Option<&LatchRecord>| {
            record.is_none_or(|record| record.halts.iter().any(|halt| halt.id == halt_id))
        };
        let (file, row) = self.disk.synced();
        if holds(file) || holds(row) {
            self.check.violate("P7", at, "a resume was announced before both copies had it".to_owned());
        }
    }

    /// The engine says that the terminal was lost; or it should have.
    pub fn judge_silence(&mut self, boot_ns: i64, is_decided: bool) {
        let Some(proof) = self.check.proof_boot.filter(|_| !self.check.is_lost) else { return };
        let silence = boot_ns - proof;
        if is_decided && silence <= crate::frames::LOST_NS {
            let text = format!("connection lost after {} ms of silence", silence / MS);
            self.check.violate("P12", self.t, text);
        }
        if !is_decided && silence > crate::frames::LOST_NS + 100 * MS {
            let text = format!("{} ms of silence and no connection lost", silence / MS);
            self.check.violate("P12", self.t, text);
        }
        self.check.is_lost |= is_decided;
    }

    /// Takes a fault into account: it happened, and in this state.
    pub fn fire(&mut self, fault: Fault) {
        self.fired[fault as usize] += 1;
        let state = match (&self.guard, self.in_turn) {
            (Some(guard), _) => guard.trading.state() as usize,
            (None, Some(state)) => state as usize,
            (None, None) => 4,
        };
        self.pairs[state] |= 1 << (fault as u64);
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.t < self.calm_at && self.plan.has(fault)
    }

    pub fn planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }
}
