//! Commands, and the one way down from a halt: as `control.py` and `lifting.py`.

use edgeguard_core::operator::Rebase;
use edgeguard_core::page::{PageWriter, Words as _, word};
use edgeguard_core::trading_state::{ACCOUNT, Checks, Flatten};
use edgeguard_core::types::{Now as EngineNow, Origin};

use super::{Guard, Killed, Pending, Turn, UNACKNOWLEDGED};
use crate::faults::Fault;
use crate::memory_page::PageRef;
use crate::network::{Command, Link, Order, Packet, Verb};
use crate::plants::Plant;
use crate::world::{Event, LEASE_NS, MS, SECOND, World};

const COMMAND_AGE_NS: i64 = 30 * SECOND;

impl World {
    /// As `Control._answer`: what was seen before, or is old, changes nothing.
    pub(super) fn on_command(&mut self, guard: &mut Guard, command: &Command) -> Turn {
        let is_new = guard.nonces.insert(command.nonce);
        let age = (self.now().wall_ns - command.t_ns).abs();
        self.tell(|| format!("command {command:?} new {is_new}"));
        let is_current = age <= COMMAND_AGE_NS || command.verb == Verb::Halt;
        if !(is_new && is_current || self.planted(Plant::NonceIgnored)) {
            return Ok(());
        }
        match command.verb {
            Verb::Halt => self.halt(guard, "manual"),
            Verb::Resume => self.on_resume(guard, command, is_new),
            Verb::Acknowledge => {
                self.check.acknowledged(self.t);
                self.release(guard, UNACKNOWLEDGED)
            }
            Verb::EndPauses => self.end_pauses(guard),
            Verb::Rebaseline => self.rebaseline(guard),
        }
    }

    fn end_pauses(&mut self, guard: &mut Guard) -> Turn {
        let held: Vec<String> = guard
            .account()
            .map(|one| {
                let ends =
                    |cause: &String, trigger: &str| trigger != "storage" && cause != UNACKNOWLEDGED;
                one.pauses
                    .iter()
                    .filter(|(cause, pause)| pause.held && ends(cause, &pause.trigger))
                    .map(|(cause, _)| cause.clone())
                    .collect()
            })
            .unwrap_or_default();
        for cause in held {
            self.release(guard, &cause)?;
        }
        let flags = guard
            .engine
            .release_pause("A", None, self.wall_and_boot(), Origin::default());
        self.obey(guard, flags.unwrap_or_default())
    }

    /// Takes the present equity for the day's and the peak's.
    fn rebaseline(&mut self, guard: &mut Guard) -> Turn {
        let cents = self.broker.equity;
        let text = format!("{}.{:02}", cents / 100, cents % 100);
        let rebase = Rebase {
            peak: Some(&text),
            day: Some(&text),
            transfers: None,
            provenance: "operator",
        };
        let flags = guard
            .engine
            .rebaseline("A", rebase, self.wall_and_boot(), Origin::default());
        guard.is_rebased = true;
        self.was_rebased = true;
        guard.is_breached = false;
        self.obey(guard, flags.unwrap_or_default())
    }

    fn wall_and_boot(&self) -> EngineNow {
        let now = self.now();
        let boot_ns = if self.planted(Plant::WallDurations) {
            now.wall_ns
        } else {
            now.boot_ns
        };
        EngineNow {
            wall_ns: now.wall_ns,
            boot_ns,
        }
    }

    /// As `Lifting.resume`.
    fn on_resume(&mut self, guard: &mut Guard, command: &Command, is_new: bool) -> Turn {
        if guard.pending.is_some() {
            return Ok(());
        }
        self.look_at_word(guard)?;
        let is_right = self.is_right(guard, command) && is_new;
        let mut checks = self.checks(guard, command);
        let mut halt_id = command.halt_id.clone();
        if self.planted(Plant::ResumeUnchecked) || (self.planted(Plant::NonceIgnored) && !is_new) {
            checks = Checks {
                operator: "x".to_owned(),
                reason: "x".to_owned(),
                snapshot_fresh: true,
                storage_trusted: true,
                identity_good: true,
                firing: Vec::new(),
            };
            halt_id = guard.standing().map_or(halt_id, |(id, _)| id);
            let _ = guard
                .trading
                .flattened(ACCOUNT, &halt_id, Flatten::FlatVerified);
        }
        let actions = match guard.trading.resume(&halt_id, &checks) {
            Ok(actions) => actions,
            Err(refusals) => {
                self.tell(|| format!("refused {refusals:?}"));
                return Ok(());
            }
        };
        if is_right {
            self.check.resumed(&halt_id);
            self.check.resume_begun();
        }
        guard.pending = Some(Pending {
            halt_id: halt_id.clone(),
            accepted_at: self.t,
            manual: guard.page.manual(),
            halt_file: self.disk.halt_file,
            is_right,
        });
        self.act(guard, actions)?;
        guard.rules.await_resume(&halt_id, guard.number);
        self.strike_beside();
        self.micro()?;
        if self.planted(Plant::ResumeBeforeDisk) {
            self.resume_written(guard, &halt_id, true)?;
        }
        Ok(())
    }

    /// Faults that are worth most while a resume is on its way to disk strike there and not only by chance.
    fn strike_beside(&mut self) {
        if self.has(Fault::WordBeside) && self.rng.chance(500) {
            self.word_in = Some(self.rng.range(0, 12) as u32);
        }
        if self.has(Fault::Beside) && self.rng.chance(600) {
            self.fire(Fault::Beside);
            let packet = Packet::Command(Command {
                verb: Verb::Halt,
                nonce: u64::MAX - self.t as u64,
                t_ns: self.now().wall_ns,
                operator: "bob",
                halt_id: String::new(),
            });
            let delay = self.rng.range(0, 3 * MS);
            self.at(delay, Event::ToGuard(packet));
        } else if self.has(Fault::CleanStop) && self.rng.chance(200) {
            let delay = self.rng.range(0, 3 * MS);
            self.at(delay, Event::Fault(Fault::CleanStop));
        }
        if self.has(Fault::PowerLoss) && self.rng.chance(300) {
            let delay = self.rng.range(0, 8 * MS);
            self.at(delay, Event::Fault(Fault::PowerLoss));
        }
    }

    /// The judge's own reading of a resume's conditions.
    fn is_right(&self, guard: &Guard, command: &Command) -> bool {
        let account = guard.account();
        let is_flat = account.is_some_and(|one| one.flatten == Flatten::FlatVerified);
        !command.operator.trim().is_empty()
            && guard
                .standing()
                .is_some_and(|(id, _)| id == command.halt_id)
            && is_flat
            && self.t - self.check.read_at <= 3 * crate::world::AGE_NS
    }

    fn checks(&self, guard: &mut Guard, command: &Command) -> Checks {
        let boot_ns = self.now().boot_ns;
        let firing = guard.engine.would_fire("A").unwrap_or_default();
        Checks {
            operator: command.operator.to_owned(),
            reason: "fixed".to_owned(),
            snapshot_fresh: guard.fresh.is_fresh(boot_ns),
            storage_trusted: !guard.has_storage_fault(),
            identity_good: guard
                .account()
                .is_none_or(|one| !one.pauses.contains_key("identity")),
            firing: firing
                .iter()
                .map(|one| one.trigger.name().to_owned())
                .collect(),
        }
    }

    /// As `Lifting._on_written`.
    pub(super) fn resume_written(
        &mut self,
        guard: &mut Guard,
        halt_id: &str,
        is_written: bool,
    ) -> Turn {
        let Some(pending) = guard.pending.take_if(|pending| pending.halt_id == halt_id) else {
            return Ok(());
        };
        let is_good = guard.trading.is_resuming(halt_id)
            && is_written
            && self.clear_manual(guard, &pending)?;
        self.tell(|| format!("resume of {halt_id} written {is_written} good {is_good}"));
        if !is_good {
            let actions = guard.trading.resume_failed(halt_id);
            return self.act(guard, actions);
        }
        self.micro()?;
        let flags = guard
            .engine
            .resume("A", self.wall_and_boot(), Origin::default());
        self.note_cleared();
        guard.seen_word = 0;
        for word in std::mem::take(&mut guard.words) {
            guard.page.push_resumed(word);
        }
        let actions = guard.trading.resume_durable(halt_id);
        guard.was_lowered = true;
        self.judge_lowering(halt_id, pending.is_right);
        self.check.lifted(pending.accepted_at);
        guard.stood = None;
        self.obey(guard, flags.unwrap_or_default())?;
        self.send(Link::Broker, Event::ToBroker(Order::Stop));
        self.act(guard, actions.unwrap_or_default())
    }

    fn clear_manual(&mut self, guard: &mut Guard, pending: &Pending) -> Result<bool, Killed> {
        self.micro()?;
        let is_same = guard.page.manual() == pending.manual;
        if self.planted(Plant::WordPlainClear) && is_same {
            self.micro()?;
            guard.mapped.store(word::MANUAL, 0);
        }
        self.micro()?;
        let is_cleared = self.planted(Plant::WordPlainClear) && is_same
            || guard.page.clear_manual(pending.manual);
        self.micro()?;
        if !is_cleared || (guard.page.manual() != 0 && !self.planted(Plant::WordPlainClear)) {
            return Ok(false);
        }
        if self.disk.halt_file != pending.halt_file {
            return Ok(false);
        }
        self.disk.halt_file = None;
        self.micro()?;
        Ok(true)
    }

    /// As `Guard._renew_page`: a new page in the place of one that was removed.
    pub(super) fn renew_page(&mut self, guard: &mut Guard) -> Turn {
        let page = self.page.clone().unwrap_or_else(|| PageRef::new(self.boot));
        self.page = Some(page.clone());
        let manual = guard.mapped.load(word::MANUAL);
        guard.page = PageWriter::begin(page.clone(), LEASE_NS as u64, guard.epoch as u64);
        guard.mapped = page;
        guard.pushed.clear();
        self.micro()?;
        self.write_page(guard);
        // A word on the page that is gone was seen, and is a halt by now.
        self.check.word_seen(self.t, manual);
        Ok(())
    }
}
