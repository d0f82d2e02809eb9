//! References of the loss limits: the day's and the peak, with the transfers since each.

use crate::account::Account;
use crate::config::{DailyReference, DrawdownMode, FINE_SCALE, FirstReference, Limits};
use crate::context::Context;
use crate::decimal::{Decimal, div_half_even, pow10};
use crate::decision::Finding;
use crate::triggers::loss::{Reading, exceeds};
use crate::types::{Action, Code, Trigger};

/// A little more than the longest day that a change of summer time makes.
const LONGEST_DAY_NS: i64 = 91_800_000_000_000;

/// The reference of the running day.
#[derive(Clone, Debug, Default)]
pub struct Day {
    /// Reference in minor units; `None` until it is known.
    pub reference: Option<i128>,
    /// Transfers since the reference, in fine units.
    pub transfers: i128,
    /// Wall time at which the reference was taken.
    pub taken_ns: i64,
    /// How the reference came about.
    pub provenance: String,
}

/// The peak of the drawdown.
#[derive(Clone, Debug, Default)]
pub struct Peak {
    /// Peak in minor units; `None` until it is known.
    pub peak: Option<i128>,
    /// Transfers since the peak, in fine units.
    pub transfers: i128,
    /// Wall time at which the peak was taken.
    pub taken_ns: i64,
    /// How the peak came about.
    pub provenance: String,
}

/// Rounds fine units half-even to minor units.
#[inline]
pub fn to_minor(fine: i128, currency_digits: u8) -> i128 {
    let unit = pow10(u32::from(FINE_SCALE.saturating_sub(currency_digits))).unwrap_or(1);
    div_half_even(fine, unit)
}

/// Turns minor units into fine units.
pub fn to_fine(minor: i128, currency_digits: u8) -> i128 {
    let unit = pow10(u32::from(FINE_SCALE.saturating_sub(currency_digits))).unwrap_or(1);
    minor.saturating_mul(unit)
}

impl Day {
    /// Reads the limit at an equity in minor units; `None` until the reference is known.
    pub fn reading(
        &self,
        equity: i128,
        initial: i128,
        limits: &Limits,
        digits: u8,
    ) -> Option<Reading> {
        let reference = self.reference?;
        let base = if limits.daily_base_is_initial {
            initial
        } else {
            reference
        };
        let loss = reference
            .saturating_add(to_minor(self.transfers, digits))
            .saturating_sub(equity);
        Some(Reading {
            reference,
            ..Reading::new(loss, base, equity, &limits.daily_loss)
        })
    }
}

impl Peak {
    /// Reads the limit at an equity in minor units; `None` until the peak is known.
    pub fn reading(&self, equity: i128, limits: &Limits, digits: u8) -> Option<Reading> {
        let peak = self.peak?;
        let own = equity.saturating_sub(to_minor(self.transfers, digits));
        let loss = peak.saturating_sub(own);
        let mut reading = Reading::new(loss, peak, equity, &limits.total_drawdown);
        if let Some(lock_at) = limits.lock_at {
            let below = Decimal::new(own, digits).compare(lock_at).is_lt();
            let is_exceeded = exceeds(loss, peak, &limits.total_drawdown, 100);
            reading.breach = peak <= 0 || equity <= 0 || (is_exceeded && below);
        }
        Some(reading)
    }
}

impl Account {
    /// Returns balance and the judged equity of the present state, in minor units.
    fn state_minor(&self) -> (i128, i128) {
        let digits = self.config.currency_digits;
        (
            to_minor(self.equity.balance, digits),
            to_minor(self.used_equity(), digits),
        )
    }

    /// Returns the largest equity in minor units that is below `lock_at`, transfers included.
    pub fn lock_floor(&self) -> Option<i128> {
        let digits = self.config.currency_digits;
        let lock_at = self.config.limits.lock_at?;
        let transfers = to_minor(self.peak.transfers, digits);
        let unit = pow10(u32::from(lock_at.scale()))?;
        let scaled = lock_at.mantissa().checked_mul(pow10(u32::from(digits))?)?;
        Some(
            crate::decimal::div_ceil(scaled, unit)
                .saturating_sub(1)
                .saturating_add(transfers),
        )
    }

    fn reference_of(&self, balance: i128, equity: i128) -> i128 {
        match self.config.limits.daily_reference {
            DailyReference::MaxBalanceEquity => balance.max(equity),
            DailyReference::Balance => balance,
            DailyReference::Equity => equity,
            DailyReference::InitialBalance => self.config.initial_minor,
        }
    }

    /// Sets the first references at the first valid snapshot, unless they were loaded or must be given.
    pub fn first_references(&mut self, ctx: &mut Context<'_>) {
        let (balance, equity) = self.state_minor();
        if self.peak.peak.is_none() {
            let initial = self.config.initial_minor;
            self.peak.peak = Some(match self.config.limits.drawdown_mode {
                DrawdownMode::TrailingEquity => initial.max(equity),
                DrawdownMode::Static | DrawdownMode::TrailingEodBalance => initial,
            });
            self.peak.taken_ns = ctx.now.wall_ns;
            self.peak.provenance = "first snapshot".into();
        }
        if self.day.reference.is_some() {
            return;
        }
        let is_open = !self.must_be_told
            && match self.config.limits.first_reference {
                FirstReference::Snapshot => true,
                FirstReference::History => !self.is_live,
                FirstReference::Operator => false,
            };
        if is_open {
            self.set_day(
                self.reference_of(balance, equity),
                ctx.now.wall_ns,
                "first snapshot",
            );
        } else if !self.is_day_unknown {
            self.is_day_unknown = true;
            ctx.out.push(Finding::new(
                Trigger::Input,
                Action::Pause,
                Code::DayStartUnknown,
            ));
        }
    }

    /// Returns the wall time at which the running day began.
    pub fn day_start(&self) -> i64 {
        let limits = &self.config.limits;
        let before = self.rollover_wall.saturating_sub(LONGEST_DAY_NS);
        limits
            .rollover_zone
            .next_day_start(before, limits.rollover_time)
    }

    /// Sets the day's reference and forgets the transfers before it.
    pub fn set_day(&mut self, reference: i128, taken_ns: i64, provenance: &str) {
        self.day = Day {
            reference: Some(reference),
            transfers: 0,
            taken_ns,
            provenance: provenance.into(),
        };
        self.take_scope_references();
    }

    /// A snapshot may raise a trailing peak.
    pub fn raise_peak(&mut self, wall_ns: i64) {
        if self.config.limits.drawdown_mode == DrawdownMode::TrailingEquity {
            let equity = to_minor(self.equity.reported, self.config.currency_digits);
            self.raise_peak_to(equity, wall_ns, "snapshot");
        }
    }

    fn raise_peak_to(&mut self, value: i128, wall_ns: i64, provenance: &str) {
        let transfers = to_minor(self.peak.transfers, self.config.currency_digits);
        if self
            .peak
            .peak
            .is_some_and(|peak| value > peak.saturating_add(transfers))
        {
            self.peak = Peak {
                peak: Some(value),
                transfers: 0,
                taken_ns: wall_ns,
                provenance: provenance.into(),
            };
        }
    }

    /// A new day: the last state before it becomes its reference; bands re-arm.
    pub fn on_rollover(&mut self, ctx: &mut Context<'_>) {
        let wall_ns = self.rollover_wall;
        self.last_rollover = wall_ns;
        if self.equity.snapshots > 0 {
            let (balance, equity) = self.state_minor();
            if !self.is_day_unknown {
                self.keep_earlier_day(self.day.clone());
                self.set_day(self.reference_of(balance, equity), wall_ns, "rollover");
            }
            if self.config.limits.drawdown_mode == DrawdownMode::TrailingEodBalance {
                self.raise_peak_to(balance, wall_ns, "rollover");
            }
            self.step.is_dirty = true;
        }
        for loss in &mut self.losses {
            loss.rearm();
        }
        self.errors.rearm();
        self.errors.review(&self.config.limits, ctx);
        self.schedule_rollover(ctx.now);
    }
}
