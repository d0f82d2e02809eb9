//! What an operator may do: resume, re-base, end pauses, announce planned work.

use crate::account::Account;
use crate::context::Context;
use crate::day::to_fine;
use crate::decimal::Decimal;
use crate::decision::{Decision, Finding, seconds_text};
use crate::engine::{Engine, Flags};
use crate::error::CoreError;
use crate::types::{Action, Code, Now, Origin, Status, Trigger};

/// New references that an operator, or the deal history, supplies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rebase<'a> {
    /// New peak, as exact decimal text.
    pub peak: Option<&'a str>,
    /// New reference of the day, as exact decimal text.
    pub day: Option<&'a str>,
    /// Transfers since that reference, signed exact decimal text; none where it is of now.
    pub transfers: Option<&'a str>,
    /// Who says so.
    pub provenance: &'a str,
}

impl Engine {
    fn place(&self, account: &str) -> Result<usize, CoreError> {
        self.accounts
            .iter()
            .position(|one| one.config.id == account)
            .ok_or_else(|| {
                CoreError::Argument(format!("account must be configured, was {account}"))
            })
    }

    /// Returns the required feed of an account that has been silent for longest beyond `limit_ns`, without
    /// closed hours, and for how long: without progress of its feeds a guard must let nothing through.
    ///
    /// # Errors
    /// `CoreError::Argument` for an account that is not configured.
    pub fn silent_feed(
        &mut self,
        account: &str,
        limit_ns: i64,
        now: Now,
    ) -> Result<Option<(&str, i64)>, CoreError> {
        let at = self.place(account)?;
        Ok(self
            .accounts
            .get_mut(at)
            .and_then(|account| account.silent_feed(limit_ns, now)))
    }

    /// Clears every halt and every sticky pause of an account and judges it anew.
    ///
    /// # Errors
    /// `CoreError::Argument` for an account that is not configured.
    pub fn resume(&mut self, account: &str, now: Now, origin: Origin) -> Result<Flags, CoreError> {
        let at = self.place(account)?;
        self.move_clock(now, origin);
        self.on_account(at, now, origin, Account::resume);
        self.finish_step();
        self.refresh_due();
        Ok(self.flags())
    }

    /// Ends pauses by an operator's word: all, or those of one trigger.
    ///
    /// # Errors
    /// `CoreError::Argument` for an unknown account or trigger.
    pub fn release_pause(
        &mut self,
        account: &str,
        trigger: Option<&str>,
        now: Now,
        origin: Origin,
    ) -> Result<Flags, CoreError> {
        let at = self.place(account)?;
        let wanted = match trigger {
            None => None,
            Some(name) => Some(Trigger::named(name).ok_or_else(|| {
                CoreError::Argument(format!("trigger must be one of the six, was {name}"))
            })?),
        };
        self.move_clock(now, origin);
        self.on_account(at, now, origin, |account, ctx| {
            account.end_pauses(wanted, false, ctx);
        });
        self.finish_step();
        self.refresh_due();
        Ok(self.flags())
    }

    /// Sets the peak, the day's reference, or both; transfers count from now.
    ///
    /// # Errors
    /// `CoreError::Argument` for an unknown account, a text that is no amount, or when nothing is given.
    pub fn rebaseline(
        &mut self,
        account: &str,
        rebase: Rebase<'_>,
        now: Now,
        origin: Origin,
    ) -> Result<Flags, CoreError> {
        let at = self.place(account)?;
        let digits = self
            .accounts
            .get(at)
            .map_or(2, |account| account.config.currency_digits);
        let peak = rebase
            .peak
            .map(|text| minor("peak", text, digits))
            .transpose()?;
        let day = rebase
            .day
            .map(|text| minor("day", text, digits))
            .transpose()?;
        let transfers = rebase
            .transfers
            .map(|text| signed_minor("transfers", text, digits))
            .transpose()?
            .map_or(0, |minor| to_fine(minor, digits));
        if peak.is_none() && day.is_none() {
            return Err(CoreError::Argument(
                "peak or day must be given, was neither".into(),
            ));
        }
        self.move_clock(now, origin);
        self.on_account(at, now, origin, |account, ctx| {
            account.rebase(
                peak,
                day.map(|day| (day, transfers)),
                rebase.provenance,
                ctx,
            );
        });
        self.finish_step();
        self.refresh_due();
        Ok(self.flags())
    }

    /// Suspends the engine's heartbeat deadline until a boot time; `None` ends the window.
    ///
    /// # Errors
    /// `CoreError::Argument` for an account that is not configured.
    pub fn set_maintenance(
        &mut self,
        account: &str,
        until_boot_ns: Option<i64>,
    ) -> Result<(), CoreError> {
        let at = self.place(account)?;
        let now = self.now;
        if let Some(account) = self.accounts.get_mut(at) {
            account.suspend_engine(until_boot_ns, now);
        }
        self.refresh_due();
        Ok(())
    }

    /// Returns the halts that would fire at once if the account were resumed now.
    ///
    /// # Errors
    /// `CoreError::Argument` for an account that is not configured.
    pub fn would_fire(&mut self, account: &str) -> Result<Vec<Decision>, CoreError> {
        let at = self.place(account)?;
        let now = self.now;
        let findings = self
            .accounts
            .get_mut(at)
            .map(|account| account.would_fire(now))
            .unwrap_or_default();
        let frame = crate::decision::Frame {
            index: self.index,
            now,
            account: at,
            account_id: account,
            source_file: "",
            origin: Origin::default(),
        };
        Ok(findings
            .into_iter()
            .map(|finding| finding.into_decision(&frame))
            .collect())
    }
}

fn signed_minor(field: &str, text: &str, digits: u8) -> Result<i128, CoreError> {
    Decimal::parse(text.as_bytes())
        .ok()
        .and_then(|decimal| decimal.to_scaled_exact(digits))
        .filter(|minor| to_fine(minor.saturating_abs(), digits) < i128::MAX / 4)
        .ok_or_else(|| {
            CoreError::Argument(format!(
                "{field} must be an amount with at most {digits} decimals, was {text}"
            ))
        })
}

fn minor(field: &str, text: &str, digits: u8) -> Result<i128, CoreError> {
    Decimal::parse(text.as_bytes())
        .ok()
        .and_then(|decimal| decimal.to_scaled_exact(digits))
        .filter(|minor| *minor > 0 && to_fine(*minor, digits) < i128::MAX / 4)
        .ok_or_else(|| {
            CoreError::Argument(format!(
                "{field} must be an amount above 0 with at most {digits} decimals, was {text}"
            ))
        })
}

impl Account {
    fn resume(&mut self, ctx: &mut Context<'_>) {
        for loss in &mut self.losses {
            if loss.status() == Status::Halted {
                loss.clear();
            }
            loss.rearm();
        }
        for (number, source) in (0u32..).zip(self.sources.iter_mut()) {
            source.clear(number, ctx.now, &self.config.limits, &mut self.queue);
        }
        self.errors.rearm();
        self.end_pauses(None, true, ctx);
        self.step.is_dirty = true;
    }

    /// Ends pauses of the error rate and of spreads; with `only_sticky` those that wait for an operator.
    fn end_pauses(&mut self, wanted: Option<Trigger>, only_sticky: bool, ctx: &mut Context<'_>) {
        let is_wanted = |trigger| wanted.is_none_or(|one| one == trigger);
        if is_wanted(Trigger::ErrorRate)
            && self.errors.status() == Status::Paused
            && (self.errors.is_sticky() || !only_sticky)
        {
            ctx.out
                .push(self.errors.finding(Action::Release, &self.config.limits));
            self.errors.clear();
        }
        if !is_wanted(Trigger::PriceAnomaly) {
            return;
        }
        for (id, symbol) in (0u32..).zip(self.symbols.iter_mut()) {
            let last = symbol.hot.ask.saturating_sub(symbol.hot.bid);
            let spread = &mut symbol.spread;
            if spread.status() == Status::Paused && (spread.is_sticky() || !only_sticky) {
                let name = ctx.names.name(id);
                ctx.out
                    .push(spread.finding(Action::Release, last, name, &self.config.limits));
                spread.clear();
            }
        }
        self.refresh_all();
    }

    fn rebase(
        &mut self,
        peak: Option<i128>,
        day: Option<(i128, i128)>,
        provenance: &str,
        ctx: &mut Context<'_>,
    ) {
        if let Some(peak) = peak {
            self.peak.peak = Some(peak);
            self.peak.transfers = 0;
            self.peak.taken_ns = ctx.now.wall_ns;
            self.peak.provenance = provenance.to_string();
        }
        if let Some((reference, transfers)) = day {
            self.set_day(reference, ctx.now.wall_ns, provenance);
            self.day.transfers = transfers;
            self.must_be_told = false;
            self.earlier_day = None;
            if self.is_day_unknown {
                self.is_day_unknown = false;
                ctx.out.push(Finding::new(
                    Trigger::Input,
                    Action::Release,
                    Code::DayStartUnknown,
                ));
            }
        }
        self.step.is_dirty = true;
    }

    fn suspend_engine(&mut self, until: Option<i64>, now: Now) {
        for (number, source) in (0u32..).zip(self.sources.iter_mut()) {
            if source.name() == "engine" {
                source.suspend(until, number, now, &mut self.queue);
            }
        }
    }

    fn would_fire(&mut self, now: Now) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.equity.snapshots > 0 {
            for (loss, reading) in self.losses.iter().zip(self.readings()) {
                if let Some(reading) = reading
                    && reading.breach
                {
                    found.push(loss.finding(Action::Halt, reading));
                }
            }
        }
        let limits = &self.config.limits;
        for source in &mut self.sources {
            let silence = source.silence(now);
            if source.is_armed() && source.is_due(now) && silence > limits.connection_lost_ns {
                found.push(Finding {
                    value: Some(seconds_text(silence)),
                    threshold: Some(limits.connection_lost.text.clone()),
                    reference: Some(source.name().to_string()),
                    ..Finding::new(Trigger::ConnectionLost, Action::Halt, Code::ConnectionLost)
                });
            }
        }
        found
    }
}
