//! Time as a gate asks for it: exact nanoseconds, and a cheap stamp that says that hardly any passed.
//!
//! The engine reads no clock. A gate runs inside somebody else's process, so it has to.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

/// Longest time that a [`Tick`] is taken to last, in nanoseconds. The kernel renews its coarse clocks
/// at every timer interrupt, each 1 to 10 ms; when the processor that does so is held up, another takes
/// over after five of them. What is left is twice the longest of that.
pub const TICK_NS_MAX: u64 = 100_000_000;
/// Coarsest clock whose ticks are used at all, in nanoseconds (`CONFIG_HZ = 100`).
const RESOLUTION_NS_MAX: i64 = 10_000_000;

/// The kernel's coarse monotonic and wall clocks at one instant.
///
/// Two equal ticks were read within [`TICK_NS_MAX`] of each other, without a suspend in between: a
/// suspend moves the wall clock against the monotonic one, and so does a step of the wall clock. Reading
/// both takes a quarter of the time that an exact clock takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    monotonic: (i64, i64),
    wall: (i64, i64),
}

impl Tick {
    /// Makes a tick of two stamps, seconds and nanoseconds each.
    #[must_use]
    pub const fn new(monotonic: (i64, i64), wall: (i64, i64)) -> Self {
        Self { monotonic, wall }
    }

    /// Returns whether the other is the same, as the derived equality does in twice the instructions.
    #[inline]
    pub(super) const fn is(&self, other: &Self) -> bool {
        (self.monotonic.0 ^ other.monotonic.0)
            | (self.monotonic.1 ^ other.monotonic.1)
            | (self.wall.0 ^ other.wall.0)
            | (self.wall.1 ^ other.wall.1)
            == 0
    }
}

/// What a reader of a page asks of time. A function that returns `CLOCK_BOOTTIME` is one, without ticks.
pub trait Clock {
    /// Returns `CLOCK_BOOTTIME` in nanoseconds.
    fn boot_ns(&self) -> u64;

    /// Returns the tick of this instant, `None` where there is no such clock: every check is exact then.
    fn tick(&self) -> Option<Tick> {
        None
    }
}

impl<F: Fn() -> u64> Clock for F {
    fn boot_ns(&self) -> u64 {
        self()
    }
}

/// The host's clocks, through the vDSO.
#[derive(Clone, Copy, Debug)]
pub struct HostClock {
    has_ticks: bool,
}

impl HostClock {
    /// Looks at how coarse the host's coarse clocks are.
    #[must_use]
    pub fn new() -> Self {
        let is_fine = |id| {
            let resolution = clock_getres(id);
            resolution.tv_sec == 0 && (1..=RESOLUTION_NS_MAX).contains(&resolution.tv_nsec)
        };
        Self {
            has_ticks: is_fine(ClockId::MonotonicCoarse) && is_fine(ClockId::RealtimeCoarse),
        }
    }

    /// Returns clocks that are read exactly at every check.
    #[must_use]
    pub const fn exact() -> Self {
        Self { has_ticks: false }
    }
}

impl Default for HostClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for HostClock {
    fn boot_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(nanoseconds)
    }

    #[inline]
    fn tick(&self) -> Option<Tick> {
        if !self.has_ticks {
            return None;
        }
        let pair = |stamp: Timespec| (stamp.tv_sec, stamp.tv_nsec);
        Some(Tick::new(
            pair(clock_gettime(ClockId::MonotonicCoarse)),
            pair(clock_gettime(ClockId::RealtimeCoarse)),
        ))
    }
}
