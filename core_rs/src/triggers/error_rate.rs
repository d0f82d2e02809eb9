//! Error rate: more than N counted errors within a sliding minute pause.

use std::collections::{BTreeSet, VecDeque};

use crate::config::Limits;
use crate::context::{Context, ReleaseBudget};
use crate::deadline::{Due, Queue, Timer};
use crate::decision::Finding;
use crate::types::{Action, Code, Status, Trigger};

/// How long an error stays in the window.
pub const WINDOW_NS: i64 = 60_000_000_000;
/// Largest number of (source, order) pairs that are remembered within a minute.
const PAIRS_MAX: usize = 65_536;
/// Largest number of errors that are remembered; above it the window is far over any limit.
const TIMES_MAX: usize = 262_144;
/// Percent of the limit at which a warning is printed, highest first.
const BANDS: [u8; 2] = [80, 50];

/// The errors of one account.
#[derive(Clone, Debug)]
pub struct ErrorRate {
    times: VecDeque<i64>,
    pairs: VecDeque<(i64, (u32, i64))>,
    known: BTreeSet<(u32, i64)>,
    status: Status,
    sticky: bool,
    budget: ReleaseBudget,
    armed: [bool; 2],
    timer: Timer,
    counted: u64,
}

impl ErrorRate {
    /// Starts with an empty window.
    pub fn new(limits: &Limits) -> Self {
        Self {
            times: VecDeque::with_capacity(limits.errors_per_minute.saturating_add(2).min(4_096)),
            pairs: VecDeque::new(),
            known: BTreeSet::new(),
            status: Status::Clear,
            sticky: false,
            budget: ReleaseBudget::new(limits.releases_per_hour),
            armed: [true; 2],
            timer: Timer::default(),
            counted: 0,
        }
    }

    /// Returns the state.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Returns whether the pause in force needs an operator.
    pub const fn is_sticky(&self) -> bool {
        self.sticky
    }

    /// Returns the errors in the window.
    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// Makes both bands ready again.
    pub const fn rearm(&mut self) {
        self.armed = [true; 2];
    }

    /// Ends the pause by an operator's word.
    pub fn clear(&mut self) {
        self.status = Status::Clear;
        self.sticky = false;
        self.timer.clear();
        self.budget.reset();
        self.rearm();
    }

    /// Counts an error at the present time unless its (source, order) is in the window already.
    pub fn count_error(
        &mut self,
        pair: Option<(u32, i64)>,
        limits: &Limits,
        queue: &mut Queue,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now.boot_ns;
        self.expire(now, limits);
        if let Some(pair) = pair {
            if !self.known.insert(pair) {
                return;
            }
            if self.pairs.len() >= PAIRS_MAX {
                self.forget_pair();
            }
            self.pairs.push_back((now, pair));
        }
        self.counted = self.counted.saturating_add(1);
        if self.times.len() >= TIMES_MAX {
            self.times.pop_front();
        }
        self.times.push_back(now);
        let max = limits.errors_per_minute;
        if self.times.len() > max {
            self.pause(limits, ctx);
        } else {
            self.warn(limits, ctx);
        }
        self.schedule(limits, queue);
    }

    /// Errors leave the window; a band re-arms when the count falls to half of it.
    fn expire(&mut self, now: i64, limits: &Limits) {
        while self
            .pairs
            .front()
            .is_some_and(|(at, ..)| now.saturating_sub(*at) >= WINDOW_NS)
        {
            self.forget_pair();
        }
        while self
            .times
            .front()
            .is_some_and(|at| now.saturating_sub(*at) >= WINDOW_NS)
        {
            self.times.pop_front();
        }
        let count = self.times.len().saturating_mul(200);
        for (armed, band) in self.armed.iter_mut().zip(BANDS) {
            *armed |= count <= limits.errors_per_minute.saturating_mul(usize::from(band));
        }
    }

    fn forget_pair(&mut self) {
        if let Some((_, pair)) = self.pairs.pop_front() {
            self.known.remove(&pair);
        }
    }

    fn pause(&mut self, limits: &Limits, ctx: &mut Context<'_>) {
        if self.status != Status::Clear {
            return;
        }
        self.status = Status::Paused;
        self.sticky = self.budget.is_spent(ctx.now.boot_ns);
        ctx.out.push(self.finding(Action::Pause, limits));
    }

    fn warn(&mut self, limits: &Limits, ctx: &mut Context<'_>) {
        let scaled = self.times.len().saturating_mul(100);
        let mut newest = 0;
        for (armed, band) in self.armed.iter_mut().zip(BANDS) {
            if scaled > limits.errors_per_minute.saturating_mul(usize::from(band)) {
                if *armed {
                    newest = newest.max(band);
                }
                *armed = false;
            }
        }
        if newest > 0 {
            ctx.out.push(Finding {
                band: newest,
                ..self.finding(Action::Warn, limits)
            });
        }
    }

    /// Prints a warning that is due without a new error: bands were just re-armed.
    pub fn review(&mut self, limits: &Limits, ctx: &mut Context<'_>) {
        self.expire(ctx.now.boot_ns, limits);
        if self.times.len() <= limits.errors_per_minute {
            self.warn(limits, ctx);
        }
    }

    /// Two instants matter: when the window no longer breaks the limit (a warning may be due), and when
    /// it holds at most half of it (the pause ends).
    fn schedule(&mut self, limits: &Limits, queue: &mut Queue) {
        let max = limits.errors_per_minute;
        let keep = if self.times.len() > max {
            max
        } else if self.status == Status::Paused && !self.sticky {
            max / 2
        } else {
            self.timer.clear();
            return;
        };
        let last = self
            .times
            .len()
            .checked_sub(keep.saturating_add(1))
            .and_then(|at| self.times.get(at));
        if let Some(at) = last {
            let due = at.saturating_add(WINDOW_NS);
            self.timer.set(queue, Due::ErrorRelease, due);
        }
    }

    /// Returns the deadline.
    pub const fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }

    /// Errors have left the window: the pause may end, or the limit is no longer broken.
    pub fn on_deadline(&mut self, limits: &Limits, queue: &mut Queue, ctx: &mut Context<'_>) {
        self.review(limits, ctx);
        let is_quiet = self.times.len() <= limits.errors_per_minute / 2;
        if self.status == Status::Paused && !self.sticky && is_quiet {
            self.status = Status::Clear;
            self.budget.spend(ctx.now.boot_ns);
            ctx.out.push(self.finding(Action::Release, limits));
        }
        self.schedule(limits, queue);
    }

    /// Returns a line of this trigger.
    pub fn finding(&self, action: Action, limits: &Limits) -> Finding {
        Finding {
            value: Some(self.times.len().to_string()),
            threshold: Some(limits.errors_text.clone()),
            ..Finding::new(Trigger::ErrorRate, action, Code::ErrorRateExceedsMax)
        }
    }
}
