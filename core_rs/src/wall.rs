//! A wall clock that jumps: durations never notice, and a day changes at most once.

use crate::account::Account;
use crate::calendar::NS_PER_S;
use crate::context::Context;
use crate::day::Day;
use crate::types::Now;

/// A step of the wall against the boot clock above which the wall is not trusted.
const JUMP_NS: i64 = 2 * NS_PER_S;
/// How long the wall must agree with the broker's clock before it is trusted again.
const AGREE_NS: i64 = 120 * NS_PER_S;
/// A drift below this moves no deadline.
const SLEW_NS: i64 = NS_PER_S / 1000;

/// Watches the distance of the two clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallWatch {
    offset: Option<i64>,
    doubted: bool,
    agreed_since: Option<i64>,
}

/// What a look at the clocks says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallEvent {
    /// Nothing new.
    Steady,
    /// The distance changed: deadlines of the calendar move.
    Moved,
}

impl WallWatch {
    /// Returns whether the wall is doubted.
    pub const fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// Compares the clocks with the last look.
    #[inline]
    pub fn look(&mut self, now: Now) -> WallEvent {
        let offset = now.wall_ns.saturating_sub(now.boot_ns);
        let Some(known) = self.offset else {
            self.offset = Some(offset);
            return WallEvent::Steady;
        };
        let moved = offset.saturating_sub(known).saturating_abs();
        if moved < SLEW_NS {
            return WallEvent::Steady;
        }
        self.offset = Some(offset);
        if moved > JUMP_NS {
            self.doubted = true;
            self.agreed_since = None;
        }
        WallEvent::Moved
    }

    /// Takes the broker's clock; returns true when the wall is trusted again.
    pub fn agree(&mut self, broker_ns: i64, now: Now) -> bool {
        if !self.doubted {
            return false;
        }
        if broker_ns.saturating_sub(now.wall_ns).saturating_abs() > JUMP_NS {
            self.agreed_since = None;
            return false;
        }
        let since = *self.agreed_since.get_or_insert(now.boot_ns);
        if now.boot_ns.saturating_sub(since) < AGREE_NS {
            return false;
        }
        self.doubted = false;
        self.agreed_since = None;
        true
    }
}

impl Account {
    /// The wall moved against the boot clock: the day's deadline follows it.
    pub fn on_wall_moved(&mut self, now: Now, is_doubted: bool) {
        self.wall_is_doubted = is_doubted;
        self.schedule_rollover(now);
    }

    /// Keeps the day that ends under a doubted clock beside the new one.
    pub fn keep_earlier_day(&mut self, before: Day) {
        if self.wall_is_doubted && self.earlier_day.is_none() {
            self.earlier_day = Some(before);
        }
    }

    /// The wall is trusted again: a day that began too early ends, one that began rightly stands alone.
    pub fn on_wall_trusted(&mut self, ctx: &mut Context<'_>) {
        self.wall_is_doubted = false;
        if let Some(earlier) = self.earlier_day.take() {
            if ctx.now.wall_ns < self.day.taken_ns {
                self.day = earlier;
                self.last_rollover = self.day.taken_ns;
            }
            self.step.is_dirty = true;
        }
        self.schedule_rollover(ctx.now);
    }
}
