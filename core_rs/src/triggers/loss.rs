//! Loss limits: daily loss, total drawdown and the limits of strategies and symbols share this state.

use crate::config::Threshold;
use crate::context::Context;
use crate::deadline::{Due, Queue, Timer};
use crate::decimal::{format_scaled, pow10};
use crate::decision::{Finding, ratio_text};
use crate::types::{Action, Code, Status, Trigger};

/// Percent of the limit at which a warning is printed, highest first.
const BANDS: [i128; 2] = [80, 50];

/// What one limit reads at one equity, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Loss, below zero for a gain.
    pub loss: i128,
    /// What the loss is a fraction of.
    pub base: i128,
    /// Reference or peak without transfers, as lines print it.
    pub reference: i128,
    /// Whether the limit is broken.
    pub breach: bool,
}

impl Reading {
    /// Returns the reading of `loss > threshold x base`; a base or an equity of zero or less is a breach.
    pub fn new(loss: i128, base: i128, equity: i128, limit: &Threshold) -> Self {
        let breach = base <= 0 || equity <= 0 || exceeds(loss, base, limit, 100);
        Self {
            loss,
            base,
            reference: base,
            breach,
        }
    }
}

impl Reading {
    /// Returns the reading with the larger share lost.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        if self.breach != other.breach {
            return if self.breach { self } else { other };
        }
        let (left, right) = (
            self.loss.saturating_mul(other.base),
            other.loss.saturating_mul(self.base),
        );
        if right > left { other } else { self }
    }
}

/// Returns whether `loss / base > threshold x percent / 100`, exactly.
pub fn exceeds(loss: i128, base: i128, limit: &Threshold, percent: i128) -> bool {
    let unit = pow10(u32::from(limit.value.scale())).unwrap_or(i128::MAX);
    let left = loss.saturating_mul(unit).saturating_mul(100);
    let right = limit
        .value
        .mantissa()
        .saturating_mul(base)
        .saturating_mul(percent);
    left > right
}

/// Returns the largest equity at which `start - equity > threshold x base x percent / 100`.
fn last_exceeding(start: i128, base: i128, limit: &Threshold, percent: i128) -> i128 {
    let unit = pow10(u32::from(limit.value.scale()))
        .unwrap_or(i128::MAX)
        .saturating_mul(100);
    let share = limit
        .value
        .mantissa()
        .saturating_mul(base)
        .saturating_mul(percent);
    start
        .saturating_sub(share.checked_div_euclid(unit).unwrap_or(0))
        .saturating_sub(1)
}

/// How the equity of an evaluation came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The broker's own figure is judged: at a snapshot, or alone while marked equity is untrusted.
    pub is_reported: bool,
    /// Marked equity can be trusted.
    pub is_trusted: bool,
    /// A snapshot that answers an earlier breach.
    pub is_fresh: bool,
    /// How long a breach by marked equity waits for the broker's figure; `None` halts at once.
    pub confirm_ns: Option<i64>,
}

/// Who owns a limit.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Which trigger prints.
    pub trigger: Trigger,
    /// Its code.
    pub code: Code,
    /// `account`, `strategy:NAME` or `symbol:NAME`.
    pub scope: String,
    /// Rank of the scope in the order of lines.
    pub rank: u32,
    /// Number of the trigger within its account, for its deadline.
    pub number: u32,
    /// The limit.
    pub limit: Threshold,
    /// Decimals of a minor unit.
    pub digits: u8,
}

/// One loss limit's state.
#[derive(Clone, Debug)]
pub struct LossTrigger {
    owner: Owner,
    status: Status,
    armed: [bool; 2],
    timer: Timer,
    overdue: bool,
    last: Option<Reading>,
}

impl LossTrigger {
    /// Starts clear.
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            status: Status::Clear,
            armed: [true; 2],
            timer: Timer::default(),
            overdue: false,
            last: None,
        }
    }

    /// Returns the owner.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Returns the state; a pause is a breach that waits for its confirmation.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Returns the last reading.
    pub const fn last(&self) -> Option<Reading> {
        self.last
    }

    /// Makes both bands ready again.
    pub const fn rearm(&mut self) {
        self.armed = [true; 2];
    }

    /// Clears everything: an operator resumed.
    pub const fn clear(&mut self) {
        self.status = Status::Clear;
        self.overdue = false;
        self.timer.clear();
        self.rearm();
    }

    /// Returns the deadline of a breach that waits.
    pub const fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }

    /// Notes that the confirmation did not come in time; the evaluation of this step decides.
    pub const fn on_deadline(&mut self) {
        self.overdue = true;
    }

    /// Judges one reading.
    pub fn judge(
        &mut self,
        reading: Reading,
        evidence: Evidence,
        queue: &mut Queue,
        ctx: &mut Context<'_>,
    ) {
        self.last = Some(reading);
        let overdue = core::mem::take(&mut self.overdue);
        if self.status == Status::Halted {
            return;
        }
        self.rearm_at(reading);
        match (reading.breach, self.status) {
            (true, Status::Clear) => match evidence.confirm_ns {
                Some(wait) if !evidence.is_reported => self.pause(reading, wait, queue, ctx),
                _ => self.halt(reading, ctx),
            },
            (true, _) => {
                if evidence.is_reported || overdue {
                    self.halt(reading, ctx);
                }
            }
            (false, Status::Clear) => self.warn(reading, ctx),
            (false, _) => {
                if evidence.is_fresh || (overdue && evidence.is_trusted) {
                    self.release(reading, ctx);
                    self.warn(reading, ctx);
                } else if overdue {
                    self.halt(reading, ctx);
                }
            }
        }
    }

    /// Returns bounds of equity in minor units, exclusive, between which this trigger does nothing: it neither
    /// breaks, warns nor re-arms a band.
    pub fn inert(&self, reading: Reading, equity: i128, lock_floor: Option<i128>) -> (i128, i128) {
        if self.status == Status::Halted {
            return (i128::MIN, i128::MAX);
        }
        // loss = start - equity.
        let start = reading.loss.saturating_add(equity);
        let limit = &self.owner.limit;
        let mut low = i128::MIN;
        let mut high = i128::MAX;
        if self.status == Status::Clear {
            let mut broken = last_exceeding(start, reading.base, limit, 100);
            if let Some(floor) = lock_floor {
                broken = broken.min(floor);
            }
            low = broken.max(0);
        }
        for (armed, band) in self.armed.iter().zip(BANDS) {
            if *armed && self.status == Status::Clear {
                low = low.max(last_exceeding(start, reading.base, limit, band));
            } else if !*armed {
                high = high
                    .min(last_exceeding(start, reading.base, limit, band / 2).saturating_add(1));
            }
        }
        (low, high)
    }

    /// Returns whether a breach at this reading would fire.
    pub fn finding(&self, action: Action, reading: Reading) -> Finding {
        Finding {
            value: ratio_text(reading.loss, reading.base),
            threshold: Some(self.owner.limit.text.clone()),
            reference: Some(format_scaled(reading.reference, self.owner.digits)),
            scope: self.owner.scope.clone(),
            scope_rank: self.owner.rank,
            ..Finding::new(self.owner.trigger, action, self.owner.code)
        }
    }

    fn pause(&mut self, reading: Reading, wait_ns: i64, queue: &mut Queue, ctx: &mut Context<'_>) {
        self.status = Status::Paused;
        *ctx.fresh_read = true;
        let due = ctx.now.boot_ns.saturating_add(wait_ns).saturating_add(1);
        self.timer.set(queue, Due::Confirm(self.owner.number), due);
        ctx.out.push(self.finding(Action::Pause, reading));
    }

    fn halt(&mut self, reading: Reading, ctx: &mut Context<'_>) {
        self.status = Status::Halted;
        self.timer.clear();
        ctx.out.push(self.finding(Action::Halt, reading));
    }

    fn release(&mut self, reading: Reading, ctx: &mut Context<'_>) {
        self.status = Status::Clear;
        self.timer.clear();
        ctx.out.push(self.finding(Action::Release, reading));
    }

    /// A band re-arms when the value is at most half of it.
    fn rearm_at(&mut self, reading: Reading) {
        for (armed, band) in self.armed.iter_mut().zip(BANDS) {
            *armed |= !exceeds(reading.loss, reading.base, &self.owner.limit, band / 2);
        }
    }

    fn warn(&mut self, reading: Reading, ctx: &mut Context<'_>) {
        let mut newest = 0;
        for (armed, band) in self.armed.iter_mut().zip(BANDS) {
            if exceeds(reading.loss, reading.base, &self.owner.limit, band) {
                if *armed {
                    newest = newest.max(band);
                }
                *armed = false;
            }
        }
        if newest > 0 {
            let band = u8::try_from(newest).unwrap_or(0);
            ctx.out.push(Finding {
                band,
                ..self.finding(Action::Warn, reading)
            });
        }
    }
}
