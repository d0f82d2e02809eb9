//! Price anomaly: a spread above its multiple of normal pauses, until it was quiet for long enough.

use crate::config::Limits;
use crate::context::{Context, ReleaseBudget};
use crate::deadline::{Due, Queue, Timer};
use crate::decision::{Finding, ratio_text};
use crate::session::Session;
use crate::triggers::normal::{Bounds, Bucket, NormalFacts};
use crate::types::{Action, Code, Now, Status, Trigger};
use crate::window::Window;

/// One symbol's spread on one account.
#[derive(Clone, Debug)]
pub struct SpreadWatch {
    facts: NormalFacts,
    window: Window,
    status: Status,
    sticky: bool,
    budget: ReleaseBudget,
    bounds: Option<Bounds>,
    bounds_until: i64,
    next_sample: i64,
    profile_now: Option<i64>,
    profile_until: i64,
    run: i64,
    paused_at: i64,
    frozen: Option<Bounds>,
    hold_since: Option<i64>,
    timer: Timer,
}

impl SpreadWatch {
    /// Starts without samples.
    pub fn new(facts: NormalFacts, limits: &Limits) -> Self {
        Self {
            facts,
            window: Window::new(limits.spread_window_ns, limits.spread_sample_ns),
            status: Status::Clear,
            sticky: false,
            budget: ReleaseBudget::new(limits.releases_per_hour),
            bounds: None,
            bounds_until: i64::MIN,
            next_sample: i64::MIN,
            profile_now: None,
            profile_until: i64::MAX,
            run: 0,
            paused_at: 0,
            frozen: None,
            hold_since: None,
            timer: Timer::default(),
        }
    }

    /// Takes a learned profile.
    pub fn set_profile(&mut self, buckets: Vec<Option<u32>>) {
        self.facts.profile = buckets;
        self.profile_until = i64::MIN;
        self.bounds_until = i64::MIN;
    }

    /// Returns the state.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Returns whether the pause in force needs an operator.
    pub const fn is_sticky(&self) -> bool {
        self.sticky
    }

    /// Returns the normal of the last evaluation; `None` while not armed.
    pub fn normal(&self) -> Option<i64> {
        self.bounds.map(|bounds| bounds.normal)
    }

    /// Returns whether anomalous ticks are being counted.
    pub const fn is_counting(&self) -> bool {
        self.run != 0
    }

    /// Returns the largest spread that is not anomalous.
    pub fn anomalous_above(&self) -> i64 {
        self.bounds
            .map_or(i64::MAX, |bounds| bounds.anomalous_above)
    }

    /// Returns the boot time from which an ordinary tick needs `on_tick`.
    pub fn slow_from(&self) -> i64 {
        self.bounds_until.min(self.next_sample)
    }

    /// Returns the samples.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// Takes samples back from storage, oldest first.
    pub fn restore(&mut self, samples: impl Iterator<Item = (i64, i64)>, limits: &Limits) {
        for (at, spread) in samples {
            if at >= self.next_sample {
                self.window.push(at, spread);
                self.next_sample = interval_end(at, limits.spread_sample_ns);
            }
        }
        self.bounds_until = i64::MIN;
    }

    /// Ends the pause by an operator's word.
    pub fn clear(&mut self) {
        self.status = Status::Clear;
        self.sticky = false;
        self.run = 0;
        self.hold_since = None;
        self.timer.clear();
        self.budget.reset();
        self.bounds_until = i64::MIN;
    }

    /// Returns the deadline of the quiet time.
    pub const fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }

    /// Evaluates an accepted tick, then perhaps takes it as a sample.
    #[inline]
    pub fn on_tick(
        &mut self,
        spread: i64,
        symbol: u32,
        step: &mut Step<'_>,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now.boot_ns;
        if self.status == Status::Clear {
            self.refresh(now, step);
            let quiet = self
                .bounds
                .is_none_or(|bounds| spread <= bounds.anomalous_above);
            if quiet {
                self.run = 0;
                if now >= self.next_sample {
                    self.sample(now, spread, step);
                }
                return;
            }
            self.anomalous(spread, symbol, step, ctx);
            return;
        }
        self.on_paused_tick(spread, symbol, step, ctx);
    }

    #[cold]
    fn anomalous(&mut self, spread: i64, symbol: u32, step: &Step<'_>, ctx: &mut Context<'_>) {
        self.run = self.run.saturating_add(1);
        if self.run < step.limits.spread_confirm_ticks {
            return;
        }
        self.status = Status::Paused;
        self.run = 0;
        self.paused_at = ctx.now.boot_ns;
        self.frozen = self.bounds;
        self.hold_since = None;
        self.sticky = self.budget.is_spent(ctx.now.boot_ns);
        ctx.out
            .push(self.finding(Action::Pause, spread, ctx.names.name(symbol), step.limits));
    }

    #[cold]
    fn on_paused_tick(
        &mut self,
        spread: i64,
        symbol: u32,
        step: &mut Step<'_>,
        ctx: &mut Context<'_>,
    ) {
        let now = ctx.now;
        let is_frozen = self.is_frozen(now.boot_ns, step.limits);
        if !is_frozen {
            self.refresh(now.boot_ns, step);
        }
        if self.bounds.is_some_and(|bounds| spread <= bounds.clear_at) {
            self.quiet_tick(symbol, now, step);
        } else {
            self.hold_since = None;
            self.timer.clear();
        }
        if !is_frozen && now.boot_ns >= self.next_sample {
            self.sample(now.boot_ns, spread, step);
        }
    }

    fn is_frozen(&self, now: i64, limits: &Limits) -> bool {
        now.saturating_sub(self.paused_at) < limits.spread_freeze_max_ns
    }

    /// The quiet time starts at a quiet tick within the session; closed time in it voids it.
    fn quiet_tick(&mut self, symbol: u32, now: Now, step: &mut Step<'_>) {
        if !step.session.at(now.wall_ns).0 {
            self.hold_since = None;
            self.timer.clear();
            return;
        }
        if let Some(since) = self.hold_since
            && was_open(step.session, since, now.boot_ns, now)
        {
            return;
        }
        self.hold_since = Some(now.boot_ns);
        if !self.sticky {
            let due = now.boot_ns.saturating_add(step.limits.spread_clear_ns);
            self.timer.set(step.queue, Due::SpreadHold(symbol), due);
        }
    }

    /// The quiet time is over: the pause ends unless the market was closed within it.
    pub fn on_deadline(
        &mut self,
        spread: i64,
        symbol: u32,
        step: &mut Step<'_>,
        ctx: &mut Context<'_>,
    ) {
        let Some(since) = self.hold_since.take() else {
            return;
        };
        let now = ctx.now;
        if self.status != Status::Paused || !was_open(step.session, since, now.boot_ns, now) {
            return;
        }
        if !self.is_frozen(now.boot_ns, step.limits) {
            self.refresh(now.boot_ns, step);
        }
        self.status = Status::Clear;
        self.run = 0;
        self.budget.spend(now.boot_ns);
        ctx.out
            .push(self.finding(Action::Release, spread, ctx.names.name(symbol), step.limits));
        self.bounds_until = i64::MIN;
    }

    /// Makes the bounds those of the present time.
    #[inline]
    fn refresh(&mut self, now: i64, step: &Step<'_>) {
        if now >= self.bounds_until {
            self.recompute(now, step);
        }
    }

    #[cold]
    fn recompute(&mut self, now: i64, step: &Step<'_>) {
        if now >= self.profile_until {
            self.profile_now = self.facts.profile_at(step.bucket.number);
            self.profile_until = if self.facts.profile.is_empty() {
                i64::MAX
            } else {
                step.bucket.until
            };
        }
        self.window.expire(now);
        self.rebound(step.limits);
    }

    /// Makes the bounds those of the window and the profile as they stand.
    #[inline]
    fn rebound(&mut self, limits: &Limits) {
        let is_armed = self.window.len() >= limits.spread_samples_min;
        let median = if is_armed {
            self.window.lower_median()
        } else {
            None
        };
        self.bounds_until = self.window.next_expiry().min(self.profile_until);
        let Some(known) = median.or(self.facts.configured).max(self.profile_now) else {
            self.bounds = if self.status == Status::Clear {
                None
            } else {
                self.frozen
            };
            return;
        };
        let normal = known.max(self.facts.floor);
        if self.bounds.is_none_or(|bounds| bounds.normal != normal) {
            self.bounds = Some(Bounds {
                normal,
                anomalous_above: limits.spread_multiple.value.floor_mul(normal),
                clear_at: limits.spread_clear_multiple.floor_mul(normal),
            });
        }
    }

    /// Evaluates and samples an ordinary tick of a symbol without a pause; returns false, with nothing
    /// but the window's age changed, when the tick is anomalous or the quarter hour has changed.
    #[inline]
    pub fn on_plain_tick(&mut self, now: i64, spread: i64, limits: &Limits) -> bool {
        if now >= self.profile_until {
            return false;
        }
        if now >= self.bounds_until {
            self.window.expire(now);
            self.rebound(limits);
        }
        if spread > self.anomalous_above() {
            return false;
        }
        if now >= self.next_sample {
            self.window.push(now, spread);
            self.next_sample = if now < self.next_sample.saturating_add(limits.spread_sample_ns) {
                self.next_sample.saturating_add(limits.spread_sample_ns)
            } else {
                interval_end(now, limits.spread_sample_ns)
            };
            self.rebound(limits);
        }
        true
    }

    fn sample(&mut self, now: i64, spread: i64, step: &Step<'_>) {
        self.window.push(now, spread);
        self.next_sample = interval_end(now, step.limits.spread_sample_ns);
        self.rebound(step.limits);
    }

    /// Returns a line of this trigger at a spread.
    pub fn finding(&self, action: Action, spread: i64, symbol: &str, limits: &Limits) -> Finding {
        let normal = self.normal().unwrap_or(0);
        Finding {
            value: ratio_text(i128::from(spread), i128::from(normal)),
            threshold: Some(limits.spread_multiple.text.clone()),
            reference: Some(normal.to_string()),
            symbol: Some(symbol.to_string()),
            ..Finding::new(Trigger::PriceAnomaly, action, Code::SpreadExceedsMax)
        }
    }
}

/// What an evaluation borrows from the account.
#[derive(Debug)]
pub struct Step<'a> {
    /// The account's limits.
    pub limits: &'a Limits,
    /// The account's deadlines.
    pub queue: &'a mut Queue,
    /// The symbol's session.
    pub session: &'a mut Session,
    /// The quarter hour of the week.
    pub bucket: Bucket,
}

fn was_open(session: &mut Session, since: i64, until: i64, now: Now) -> bool {
    let (from, to) = (now.wall_at(since), now.wall_at(until));
    session.is_always_open() || session.open_between(from, to) == to.saturating_sub(from)
}

/// The first instant of the next interval.
const fn interval_end(at: i64, width: i64) -> i64 {
    at.wrapping_div_euclid(width)
        .saturating_add(1)
        .saturating_mul(width)
}
