//! Whether an account's snapshots are fresh: pure, and the twin of `SnapshotWatch` in `edgeguard/guard`.
//!
//! Arrival alone proves nothing: a queue hands out old snapshots as if they were new. A snapshot counts
//! when it answers a read that was asked for lately, or when it is not later than such a one was, by the
//! publisher's own stamp.

use std::collections::VecDeque;

use crate::trading_state::Now;

/// Reads whose answers may still count.
const ASKED_MAX: usize = 64;

/// A step of the wall against the boot clock that makes every known lag worthless, nanoseconds.
const STEP_NS: i64 = 500_000_000;

/// What is looked at in a snapshot of the right account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The publisher's run.
    pub epoch: i64,
    /// The publisher's stamp.
    pub t_ns: i64,
    /// The read that it answers, 0 for none.
    pub request: i64,
    /// Balance and equity are there.
    pub has_money: bool,
}

/// Judges one account's snapshots.
#[derive(Clone, Debug)]
pub struct Freshness {
    age_max_ns: i64,
    request: i64,
    asked: VecDeque<(i64, i64)>,
    lag_ns: Option<i64>,
    offset_ns: Option<i64>,
    last: Option<Seen>,
    good_boot_ns: Option<i64>,
}

impl Freshness {
    /// Judges by an age; `first` is a number that no run before has used for a read.
    #[must_use]
    pub const fn new(age_max_ns: i64, first: i64) -> Self {
        Self {
            age_max_ns,
            request: first,
            asked: VecDeque::new(),
            lag_ns: None,
            offset_ns: None,
            last: None,
            good_boot_ns: None,
        }
    }

    /// Returns the number of a read that is asked for now.
    pub fn ask(&mut self, boot_ns: i64) -> i64 {
        self.request = self.request.saturating_add(1);
        if self.asked.len() >= ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((self.request, boot_ns));
        self.request
    }

    /// Takes in a snapshot of the right account; returns whether it is fresh.
    pub fn take(&mut self, seen: Seen, now: Now) -> bool {
        self.look(now);
        let lag_ns = now.wall_ns.saturating_sub(seen.t_ns);
        let is_answer = self.asked.iter().any(|(request, asked_ns)| {
            *request == seen.request && now.boot_ns.saturating_sub(*asked_ns) <= self.age_max_ns
        });
        let is_older = self
            .last
            .is_some_and(|last| last.epoch == seen.epoch && seen.t_ns <= last.t_ns);
        if is_older && !is_answer {
            return false;
        }
        if is_answer {
            self.lag_ns = Some(lag_ns);
        }
        let Some(base_ns) = self.lag_ns else {
            return false;
        };
        if lag_ns.saturating_sub(base_ns) > self.age_max_ns {
            return false;
        }
        // The smallest lag is nearest to the truth.
        self.lag_ns = Some(base_ns.min(lag_ns));
        self.last = Some(seen);
        if !seen.has_money {
            return false;
        }
        self.good_boot_ns = Some(now.boot_ns);
        true
    }

    /// Distrusts everything that was seen or asked for: the guard was away.
    pub fn forget(&mut self) {
        self.good_boot_ns = None;
        self.lag_ns = None;
        self.asked.clear();
    }

    /// Returns whether stamps say nothing until a read that is asked for has been answered.
    #[must_use]
    pub const fn needs_answer(&self) -> bool {
        self.lag_ns.is_none()
    }

    /// A wall clock that was set makes the lags before and after it incomparable.
    fn look(&mut self, now: Now) {
        let offset_ns = now.wall_ns.saturating_sub(now.boot_ns);
        let known_ns = self.offset_ns.replace(offset_ns).unwrap_or(offset_ns);
        if offset_ns.saturating_sub(known_ns).saturating_abs() > STEP_NS {
            self.lag_ns = None;
        }
    }

    /// Returns whether the last good snapshot is young enough.
    #[must_use]
    pub fn is_fresh(&self, boot_ns: i64) -> bool {
        self.good_boot_ns
            .is_some_and(|good| boot_ns.saturating_sub(good) <= self.age_max_ns)
    }
}

/// How old the progress of a part may be for a heartbeat or an echo to be earned, nanoseconds.
pub const PROGRESS_NS: i64 = 200_000_000;

/// Returns whether a word to a gate is earned by the guard itself: every part of it (the engine, the
/// journal's writer, the draining of its sockets) made progress lately, and the heart itself has looked
/// within a lease, so that a guard that was stopped speaks only after it has noticed that it was. Times are
/// `CLOCK_BOOTTIME` nanoseconds; `looked_ns` is the heart's last look. What the required feeds must have
/// done besides is [`crate::engine::Engine::silent_feed`].
#[must_use]
pub fn is_earned(boot_ns: i64, parts_ns: &[i64], looked_ns: i64, lease_ns: i64) -> bool {
    boot_ns.saturating_sub(looked_ns) < lease_ns
        && parts_ns
            .iter()
            .all(|part_ns| boot_ns.saturating_sub(*part_ns) <= PROGRESS_NS)
}
