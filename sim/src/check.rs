//! The promises, judged from outside: what the world knows to be true against what gates answer.

use std::collections::BTreeSet;

use crate::gates::Side;
use crate::world::{AGE_NS, FEED_SILENCE_NS, LEASE_NS, MS};

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

/// One source, as the engine of the present run knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Boot time of its last word, while the engine is armed for it.
    pub boot: Option<i64>,
    /// The engine has halted for it, and waits for a resume.
    pub is_lost: bool,
}

/// The judge's own knowledge of one history.
#[derive(Debug, Default)]
pub struct Check {
    duties: Vec<Duty>,
    pending: Option<i64>,
    pub found: Option<Violation>,
    last_beat_at: i64,
    last_echo_at: i64,
    /// True time at which the guard sent the last push of a closed account that reached the gate before
    /// any later one did.
    last_push_at: i64,
    /// True time at which the guard sent the newest push that reached the gate.
    newest_push_at: i64,
    /// True time since which each gate is open without a break.
    pub open_since: [Option<i64>; 2],
    pub slowest_close: i64,
    /// True time at which a guard was last ACTIVE.
    pub active_at: i64,
    gate_life: u32,
    gate_halts: BTreeSet<String>,
    resumed: BTreeSet<String>,
    must_acknowledge: Option<u64>,
    /// What the guard's engine has heard of each of [`crate::frames::SOURCES`].
    pub heard: [Heard; 2],
    /// True time at which a guard last heard the required feed.
    pub feed_at: i64,
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
            self.duties.push(Duty {
                trip_at: at,
                remote_at: at,
                word: 0,
                said_durable: false,
                lost_at: None,
            });
        }
    }

    /// The guard died: what it had decided and not begun is gone with it.
    pub const fn forget_decision(&mut self) {
        self.pending = None;
    }

    /// Somebody set the manual word: the local gate reads it, the other one hears of it.
    pub fn word_set(&mut self, at: i64, word: u64) {
        self.duties.push(Duty {
            trip_at: at,
            remote_at: i64::MAX,
            word,
            said_durable: false,
            lost_at: None,
        });
    }

    /// The guard has done what a manual word asks for.
    pub fn word_seen(&mut self, at: i64, word: u64) {
        for duty in self
            .duties
            .iter_mut()
            .filter(|duty| duty.word == word && word != 0)
        {
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
        self.must_acknowledge = None;
        self.duties
            .retain(|duty| duty.lost_at.is_none_or(|lost| lost > at));
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
            self.duties
                .retain(|duty| duty.said_durable || duty.lost_at.is_some());
        }
        // A word that no guard has seen was nowhere but in memory; the command writes the HALT file too.
        self.duties
            .retain(|duty| duty.word == 0 || duty.remote_at != i64::MAX);
        let mut is_broken = false;
        for duty in self.duties.iter_mut().filter(|duty| duty.lost_at.is_none()) {
            is_broken |= duty.said_durable && !is_resuming;
            duty.lost_at = Some(at);
        }
        if is_broken {
            self.violate(
                "P1",
                at,
                "a halt that was DURABLE is on no copy after power loss".to_owned(),
            );
        }
    }

    /// A start without a page asks an operator, as after power loss.
    pub const fn page_lost(&mut self) {
        if self.must_acknowledge.is_some() {
            self.must_acknowledge = Some(0);
        }
    }

    /// A remote gate of this life has these halts latched.
    pub fn latched(&mut self, life: u32, halts: Vec<String>) {
        if self.gate_life != life {
            self.gate_life = life;
            self.gate_halts.clear();
        }
        self.gate_halts.extend(halts);
    }

    /// A resume of this halt was accepted.
    pub fn resumed(&mut self, halt_id: &str) {
        self.resumed.insert(halt_id.to_owned());
    }

    pub const fn beat(&mut self, at: i64) {
        self.last_beat_at = at;
    }

    pub fn echoed(&mut self, sent_at: i64) {
        self.last_echo_at = self.last_echo_at.max(sent_at);
    }

    /// A push reached the gate. One that a later one overtook says what is over: it closes nothing.
    pub fn pushed(&mut self, sent_at: i64, closes: bool) {
        if closes && sent_at >= self.newest_push_at {
            self.last_push_at = self.last_push_at.max(sent_at);
        }
        self.newest_push_at = self.newest_push_at.max(sent_at);
    }

    /// A gate said that risk may be opened.
    pub(super) fn judge_open(&mut self, side: Side, at: i64) {
        let since = *self.open_since[side as usize].get_or_insert(at);
        self.judge_duties(side, since, at);
        let word_at = if side == Side::Local {
            self.last_beat_at
        } else {
            self.last_echo_at
        };
        let hole_ns = self.hole_at.map_or(0, |hole| at - hole);
        let ages = [
            (
                "P3",
                at - word_at,
                LEASE_NS + 2 * MS,
                "after the guard's last word",
            ),
            (
                "P4",
                at - self.active_at,
                LEASE_NS + 2 * MS,
                "after a guard was last ACTIVE",
            ),
            (
                "P9",
                at - self.read_at,
                DATA_NS,
                "after the read that it rests on",
            ),
            ("P9", hole_ns, CLOSED_NS, "after a message was lost"),
            (
                "P9",
                at - self.feed_at,
                FEED_SILENCE_NS + CLOSED_NS,
                "after the required feed's last word",
            ),
        ];
        for (promise, age, age_max, what) in ages {
            if age > age_max {
                let text = format!("{side:?} gate open {} ms {what}", age / MS);
                self.violate(promise, at, text);
            }
        }
        if side == Side::Remote && self.last_push_at > self.last_echo_at {
            let text = "remote gate open and its newest word is a push that closes".to_owned();
            self.violate("P2", at, text);
        }
        if side == Side::Remote && !self.gate_halts.is_subset(&self.resumed) {
            let text = "remote gate open and a halt that it saw was never resumed".to_owned();
            self.violate("P1", at, text);
        }
    }

    /// No gate is open for longer than the bound on any reason to be closed.
    fn judge_duties(&mut self, side: Side, since: i64, at: i64) {
        let mut broken = None;
        for duty in &self.duties {
            let trip_at = match side {
                Side::Local => duty.trip_at,
                Side::Remote => duty.remote_at,
            };
            let open_ns = at.saturating_sub(trip_at);
            if since <= trip_at {
                self.slowest_close = self.slowest_close.max(open_ns);
            }
            if open_ns > CLOSED_NS {
                broken = Some((if since <= trip_at { "P2" } else { "P1" }, open_ns));
            }
        }
        if let Some((promise, open_ns)) = broken {
            let text = format!("{side:?} gate open {} ms after a trip", open_ns / MS);
            self.violate(promise, at, text);
        }
    }
}
