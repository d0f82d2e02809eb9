//! What the guard does when its trading state asks: page, publish, persist, flatten.

use std::rc::Rc;

use edgeguard_core::page::{Words as _, word};
use edgeguard_core::start::{LatchHalt, LatchPause, LatchRecord};
use edgeguard_core::trading_state::{ACCOUNT, Action, Halt, Now, Pause, State, TradingState};

use super::pushes::is_closing;
use super::{Guard, Killed, Turn};
use crate::faults::Fault;
use crate::network::{Link, Order};
use crate::plants::Plant;
use crate::world::{Event, World};

impl World {
    /// A point between two actions at which the guard may die, or another process may act.
    pub(super) fn micro(&mut self) -> Turn {
        match self.word_in {
            Some(0) => {
                self.word_in = None;
                self.set_manual_word(Fault::WordBeside);
            }
            Some(left) => self.word_in = Some(left - 1),
            None => {}
        }
        match &mut self.kill_in {
            Some(0) => Err(Killed),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn act(&mut self, guard: &mut Guard, actions: Vec<Action>) -> Turn {
        let is_closing = is_closing(&actions);
        for action in actions {
            self.micro()?;
            self.tell(|| format!("guard {} {action:?}", guard.pid));
            match action {
                Action::Page => self.show(guard),
                Action::Persist => self.persist(guard, false),
                Action::Flatten { halt_id, .. } => {
                    self.send(Link::Broker, Event::ToBroker(Order::Flatten(halt_id)));
                }
                Action::Publish { .. } | Action::Alarm { .. } => {}
            }
            self.check.acted();
        }
        if is_closing {
            self.micro()?;
            self.push(guard);
        }
        Ok(())
    }

    /// Stores the state on the page, unless a planted bug lets it wait for the disk.
    fn show(&mut self, guard: &mut Guard) {
        let is_late = self.planted(Plant::PersistFirst) && guard.trading.word().flags & 2 != 0;
        guard.waits_durable = is_late;
        if !is_late {
            self.write_page(guard);
        }
    }

    /// The disk has what the page waited for.
    pub(super) fn page_at_last(&mut self, guard: &mut Guard) -> Turn {
        if guard.waits_durable {
            self.micro()?;
            guard.waits_durable = false;
            self.write_page(guard);
        }
        Ok(())
    }

    /// As `GuardedAccount.write_page`: resumed halts first, then the state word.
    pub(super) fn write_page(&mut self, guard: &mut Guard) {
        for resumed in guard.trading.resumed().clone() {
            if guard.pushed.insert(resumed.clone()) {
                guard
                    .page
                    .push_resumed(edgeguard_core::page::hash_word(&resumed));
            }
        }
        let halt_id = guard.standing().map(|(id, _)| id).unwrap_or_default();
        guard.page.set_state(guard.trading.word(), &halt_id);
        guard.shown = Some(guard.beat());
        guard.was_active |= guard.trading.state() == State::Active;
        self.tell(|| format!("page {}", guard.describe()));
        self.judge_page(guard);
    }

    /// As `Latcher.persist`.
    pub(super) fn persist(&mut self, guard: &mut Guard, is_clean: bool) {
        let record = Rc::new(self.record(guard, is_clean));
        guard.rules.begun(
            record.number,
            record.halts.iter().map(|halt| halt.id.as_str()),
        );
        if self.planted(Plant::DurableTooEarly) {
            for halt in &record.halts {
                let _ = guard.trading.persisted(&halt.id);
            }
        }
        guard.writers.put(&record);
        self.start_writes(guard);
    }

    fn record(&self, guard: &mut Guard, is_clean: bool) -> LatchRecord {
        guard.number += 1;
        let mut record = LatchRecord {
            number: guard.number,
            run: guard.epoch,
            boot: format!("boot{}", self.boot),
            is_clean,
            ..LatchRecord::default()
        };
        let mut resumed: Vec<String> = guard.trading.resumed().iter().cloned().collect();
        for (scope, row) in guard.trading.scopes() {
            if let Some(halt) = &row.halt {
                if guard.trading.is_resuming(&halt.id) {
                    resumed.push(halt.id.clone());
                } else {
                    record.halts.push(latch_halt(scope, halt));
                }
            }
            record
                .pauses
                .extend(
                    row.pauses
                        .iter()
                        .filter(|(_, pause)| pause.held)
                        .map(|(cause, pause)| {
                            let Pause {
                                trigger,
                                code,
                                since_ns,
                                ..
                            } = pause.clone();
                            LatchPause {
                                account: "A".to_owned(),
                                scope: scope.clone(),
                                cause: cause.clone(),
                                trigger,
                                code,
                                since_ns,
                            }
                        }),
                );
        }
        record.resumed = resumed.into_iter().map(|id| ("A".to_owned(), id)).collect();
        record
    }

    /// Halts the account: everything starts in this very turn.
    pub(super) fn halt(&mut self, guard: &mut Guard, trigger: &str) -> Turn {
        if let Some(left) = self.kill_at_trip.take() {
            self.kill_in = Some(left);
            self.fire(Fault::KillAtTrip);
        }
        guard.halts += 1;
        let now = self.now();
        let halt = Halt {
            id: format!("H{}-{}", guard.pid, guard.halts),
            t_ns: now.wall_ns,
            trigger: trigger.to_owned(),
            code: "C".to_owned(),
            ..Halt::default()
        };
        self.check.decided(self.t);
        let actions = self.plant_on_halt(guard, now, halt);
        self.act(guard, actions)?;
        self.check.acted();
        Ok(())
    }

    fn plant_on_halt(&mut self, guard: &mut Guard, now: Now, halt: Halt) -> Vec<Action> {
        let standing = guard.standing().map(|(id, _)| id);
        let was_resuming = standing
            .as_ref()
            .is_some_and(|id| guard.trading.is_resuming(id));
        if self.planted(Plant::SecondHaltWins) && standing.is_some() {
            let mut trading = TradingState::new(&[]);
            let actions = trading.halt(now, ACCOUNT, halt);
            guard.trading = trading;
            return actions;
        }
        if self.planted(Plant::ResumeNotVoid) && was_resuming {
            return Vec::new();
        }
        let actions = guard.trading.halt(now, ACCOUNT, halt);
        if self.planted(Plant::DurableThroughVoid) && was_resuming {
            let _ = standing.map(|id| guard.trading.persisted(&id));
        }
        actions
    }

    pub(super) fn pause(&mut self, guard: &mut Guard, cause: &str, code: &str, held: bool) -> Turn {
        let pause = Pause {
            trigger: "guard".to_owned(),
            code: code.to_owned(),
            held,
            since_ns: self.now().wall_ns,
        };
        let actions = guard.trading.pause(ACCOUNT, cause, pause);
        self.act(guard, actions)
    }

    pub(super) fn release(&mut self, guard: &mut Guard, cause: &str) -> Turn {
        let actions = guard.trading.release(ACCOUNT, cause);
        self.act(guard, actions)
    }

    /// Asks the broker for a fresh read.
    pub(super) fn ask_read(&mut self, guard: &mut Guard) -> i64 {
        let boot_ns = self.now().boot_ns;
        guard.asked_ns = boot_ns;
        let request = guard.fresh.ask(boot_ns);
        self.send(Link::Broker, Event::ToBroker(Order::Read(request)));
        request
    }

    /// Somebody halts by the page alone: stores a word unlike the one that is there.
    pub fn set_manual_word(&mut self, fault: Fault) {
        let Some(page) = self.page.clone() else {
            return;
        };
        let before = page.load(word::MANUAL);
        self.fire(fault);
        let mut value = (self.t as u64).max(1);
        if value == before {
            value += 1;
        }
        self.tell(|| format!("manual word {value} over {before}"));
        if before == 0 || !self.planted(Plant::WordIfFree) {
            page.store(word::MANUAL, value);
        }
        self.check.word_set(self.t, value);
    }
}

fn latch_halt(scope: &str, halt: &Halt) -> LatchHalt {
    LatchHalt {
        account: "A".to_owned(),
        scope: scope.to_owned(),
        id: halt.id.clone(),
        t_ns: halt.t_ns,
        trigger: halt.trigger.clone(),
        code: halt.code.clone(),
    }
}
