//! The trading state of one account: a pure machine from `(now, event)` to actions.
//!
//! `STARTING -> ACTIVE <-> PAUSED -> HALTED`. A halt is latched: nothing but the resume of its own id
//! lifts it, and its first id and time never change. Beside the account, strategies and symbols have
//! states of their own. No clock is read and nothing is written here.

mod resume;
mod types;

use std::collections::{BTreeMap, VecDeque};

pub use resume::Refusals;
pub use types::{ACCOUNT, Action, Change, Checks, Flatten, Halt, Now, Pause, Scope, State};

use crate::page::{FLAG_HOLE, FLAG_NOT_DURABLE, FLAG_SCOPES, RESUMED_MAX, StateWord};

/// The broker is told again to flatten what is not proven flat, at most this often, nanoseconds.
pub const FLATTEN_AGAIN_NS: i64 = 5_000_000_000;
/// Scopes that one account may have; more close the account.
pub const SCOPES_MAX: usize = crate::page::SCOPES_MAX;
/// Code of the pause that a lost message causes.
pub const HOLE: &str = "HOLE";
/// Code of the pause of a start that an operator must acknowledge.
pub const UNACKNOWLEDGED: &str = "UNACKNOWLEDGED";

/// One account's state; see the module.
#[derive(Clone, Debug, Default)]
pub struct TradingState {
    conditions: BTreeMap<String, bool>,
    scopes: BTreeMap<String, Scope>,
    resumed: VecDeque<String>,
    resuming: Option<String>,
    severity: u8,
    state_seq: u32,
    shown: Option<Shown>,
}

/// What others can see; a difference is a change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    state: State,
    severity: u8,
    flatten: Flatten,
    flags: u8,
    scopes: Vec<(String, State)>,
}

impl TradingState {
    /// Makes an account that is STARTING until each of `conditions` has been reported good.
    #[must_use]
    pub fn new(conditions: &[String]) -> Self {
        let mut state = Self::default();
        for name in conditions {
            state.conditions.insert(name.clone(), false);
        }
        state.scopes.insert(ACCOUNT.to_owned(), Scope::default());
        state.shown = Some(state.show());
        state
    }

    /// Takes back a halt that storage or the page remembered. It is flattened again at once.
    pub fn restore_halt(&mut self, now: Now, scope: &str, halt: Halt) -> Vec<Action> {
        let durable = halt.durable;
        let actions = self.halt(now, scope, halt);
        if durable && let Some(kept) = self.scopes.get_mut(scope).and_then(|s| s.halt.as_mut()) {
            kept.durable = true;
        }
        self.settle(actions)
    }

    /// Takes back a scope that was resumed, so that gates which have it latched see it active.
    pub fn restore_scope(&mut self, scope: &str) {
        if self.scopes.len() < SCOPES_MAX {
            self.scopes.entry(scope.to_owned()).or_default();
        }
        self.shown = Some(self.show());
    }

    /// Takes back a halt that was resumed lately; oldest first.
    pub fn restore_resumed(&mut self, halt_id: &str) {
        self.remember_resumed(halt_id);
    }

    /// A start condition is good. It never goes back: what goes bad after the start is a pause.
    pub fn met(&mut self, condition: &str) -> Vec<Action> {
        if let Some(known) = self.conditions.get_mut(condition) {
            *known = true;
        }
        self.settle(Vec::new())
    }

    /// Halts a scope. On a scope that is halted already nothing changes but that a resume which is
    /// under way is void: the halt it would lift has a new reason.
    pub fn halt(&mut self, now: Now, scope: &str, halt: Halt) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.scopes.len() >= SCOPES_MAX && !self.scopes.contains_key(scope) {
            let text = format!("{scope}: more than {SCOPES_MAX} scopes, the account is halted");
            actions.push(Action::Alarm {
                code: "SCOPES_EXCEED_MAX",
                text,
            });
            actions.extend(self.halt(now, ACCOUNT, halt));
            return actions;
        }
        self.severity = 1;
        let (trigger, code) = (halt.trigger.clone(), halt.code.clone());
        let entry = self.scopes.entry(scope.to_owned()).or_default();
        if let Some(standing) = &mut entry.halt {
            if self.resuming.as_deref() == Some(standing.id.as_str()) {
                self.resuming = None;
                // The record on its way to disk leaves this halt out: nobody may call it durable.
                standing.durable = false;
                let text = format!("resume of {} is void, {code} came meanwhile", standing.id);
                actions.push(Action::Persist);
                actions.push(Action::Alarm {
                    code: "RESUME_VOID",
                    text,
                });
            }
            actions.insert(0, publish(Change::Halt, scope, &trigger, &code));
            return self.settle(actions);
        }
        let halt_id = halt.id.clone();
        entry.halt = Some(Halt {
            durable: false,
            ..halt
        });
        entry.flatten = Flatten::InProgress;
        entry.flatten_sent_ns = Some(now.boot_ns);
        actions.push(publish(Change::Halt, scope, &trigger, &code));
        actions.push(Action::Persist);
        actions.push(Action::Flatten {
            scope: scope.to_owned(),
            halt_id,
        });
        self.settle(actions)
    }

    /// Adds a cause to a scope's pauses; a cause that is known is kept as it began.
    pub fn pause(&mut self, scope: &str, cause: &str, pause: Pause) -> Vec<Action> {
        if self.scopes.len() >= SCOPES_MAX && !self.scopes.contains_key(scope) {
            return self.pause(ACCOUNT, &format!("{scope}/{cause}"), pause);
        }
        let entry = self.scopes.entry(scope.to_owned()).or_default();
        if let Some(known) = entry.pauses.get_mut(cause) {
            let is_raised = pause.held && !known.held;
            known.held |= pause.held;
            return if is_raised {
                vec![Action::Persist]
            } else {
                Vec::new()
            };
        }
        let mut actions = vec![publish(Change::Pause, scope, &pause.trigger, &pause.code)];
        if pause.held {
            actions.push(Action::Persist);
        }
        entry.pauses.insert(cause.to_owned(), pause);
        self.settle(actions)
    }

    /// Removes a cause; the pause ends when none is left.
    pub fn release(&mut self, scope: &str, cause: &str) -> Vec<Action> {
        let Some(gone) = self
            .scopes
            .get_mut(scope)
            .and_then(|entry| entry.pauses.remove(cause))
        else {
            return Vec::new();
        };
        let mut actions = vec![publish(Change::Release, scope, &gone.trigger, &gone.code)];
        if gone.held {
            actions.push(Action::Persist);
        }
        self.settle(actions)
    }

    /// A copy of the latch that holds the halt `halt_id` is on disk.
    pub fn persisted(&mut self, halt_id: &str) -> Vec<Action> {
        for halt in self
            .scopes
            .values_mut()
            .filter_map(|scope| scope.halt.as_mut())
        {
            if halt.id == halt_id {
                halt.durable = true;
            }
        }
        self.settle(Vec::new())
    }

    /// The broker's word on a scope's positions. Words on a scope that is not halted, or on behalf
    /// of another halt, change nothing.
    pub fn flattened(&mut self, scope: &str, halt_id: &str, status: Flatten) -> Vec<Action> {
        if let Some(entry) = self.scopes.get_mut(scope)
            && entry.halt.as_ref().is_some_and(|halt| halt.id == halt_id)
        {
            entry.flatten = status;
        }
        self.settle(Vec::new())
    }

    /// A fresh snapshot showed positions or orders on a scope. On a halted one that was flat they
    /// are flattened again, at a bounded rate, and alarmed.
    pub fn exposed(&mut self, now: Now, scope: &str) -> Vec<Action> {
        let Some(entry) = self.scopes.get_mut(scope) else {
            return Vec::new();
        };
        let Some(halt) = &entry.halt else {
            return Vec::new();
        };
        let is_new = matches!(entry.flatten, Flatten::FlatVerified | Flatten::None);
        if !is_new || !is_due(entry.flatten_sent_ns, now) {
            return Vec::new();
        }
        let text = format!(
            "{scope} is halted by {} and was flat, and has exposure again",
            halt.id
        );
        let halt_id = halt.id.clone();
        entry.flatten = Flatten::InProgress;
        entry.flatten_sent_ns = Some(now.boot_ns);
        self.settle(vec![
            Action::Flatten {
                scope: scope.to_owned(),
                halt_id,
            },
            Action::Alarm {
                code: "EXPOSURE_ON_HALTED",
                text,
            },
        ])
    }

    /// Time passes: brokers are told again about every halted scope that is not proven flat.
    pub fn tick(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        for (scope, entry) in &mut self.scopes {
            let Some(halt) = &entry.halt else { continue };
            if entry.flatten != Flatten::FlatVerified && is_due(entry.flatten_sent_ns, now) {
                entry.flatten_sent_ns = Some(now.boot_ns);
                let halt_id = halt.id.clone();
                actions.push(Action::Flatten {
                    scope: scope.clone(),
                    halt_id,
                });
            }
        }
        actions
    }

    /// Returns the account's state.
    #[must_use]
    pub fn state(&self) -> State {
        let account = self.scopes.get(ACCOUNT);
        if account.is_some_and(|entry| entry.halt.is_some()) {
            State::Halted
        } else if self.is_starting() {
            State::Starting
        } else {
            account.map_or(State::Starting, Scope::state)
        }
    }

    /// Returns the state word of the page.
    #[must_use]
    pub fn word(&self) -> StateWord {
        let shown = self.show();
        StateWord {
            state: shown.state.byte(),
            severity: shown.severity,
            flatten: shown.flatten.byte(),
            flags: shown.flags,
            state_seq: self.state_seq,
        }
    }

    /// Returns the word of each scope other than the account, as the page shows it beside `word`.
    pub fn scope_words(&self, word: StateWord) -> impl Iterator<Item = (&str, StateWord)> {
        self.scopes
            .iter()
            .filter(|(name, _)| *name != ACCOUNT)
            .map(move |(name, entry)| {
                let (state, flatten) = (entry.state().byte(), entry.flatten.byte());
                let shown = StateWord {
                    state,
                    flatten,
                    flags: 0,
                    ..word
                };
                (name.as_str(), shown)
            })
    }

    /// Returns the id of the account's halt, empty without one.
    #[must_use]
    pub fn halt_id(&self) -> &str {
        let halt = self.scopes.get(ACCOUNT).and_then(|row| row.halt.as_ref());
        halt.map_or("", |halt| halt.id.as_str())
    }

    /// Returns every scope with what is in force on it, the account's own among them.
    #[must_use]
    pub const fn scopes(&self) -> &BTreeMap<String, Scope> {
        &self.scopes
    }

    /// Returns the start conditions that are not good yet.
    pub fn waiting(&self) -> impl Iterator<Item = &str> {
        self.conditions
            .iter()
            .filter(|(_, good)| !**good)
            .map(|(name, _)| name.as_str())
    }

    /// Returns the halts that were resumed lately, oldest first.
    #[must_use]
    pub const fn resumed(&self) -> &VecDeque<String> {
        &self.resumed
    }

    fn is_starting(&self) -> bool {
        self.conditions.values().any(|good| !good)
    }

    fn remember_resumed(&mut self, halt_id: &str) {
        if self.resumed.len() >= RESUMED_MAX {
            self.resumed.pop_front();
        }
        self.resumed.push_back(halt_id.to_owned());
    }

    fn show(&self) -> Shown {
        let account = self.scopes.get(ACCOUNT);
        let state = self.state();
        let mut flags = 0;
        if account.is_some_and(|entry| entry.pauses.values().any(|pause| pause.code == HOLE)) {
            flags |= FLAG_HOLE;
        }
        if self
            .scopes
            .values()
            .filter_map(|entry| entry.halt.as_ref())
            .any(|halt| !halt.durable)
        {
            flags |= FLAG_NOT_DURABLE;
        }
        let scopes: Vec<(String, State)> = self
            .scopes
            .iter()
            .filter(|(name, _)| *name != ACCOUNT)
            .map(|(name, entry)| (name.clone(), entry.state()))
            .collect();
        if scopes.iter().any(|(_, state)| *state != State::Active) {
            flags |= FLAG_SCOPES;
        }
        Shown {
            state,
            severity: self.severity_of(state),
            flatten: account.map_or(Flatten::None, |entry| entry.flatten),
            flags,
            scopes,
        }
    }

    fn severity_of(&self, state: State) -> u8 {
        match state {
            State::Halted => 1,
            _ if self.severity == 1 => 1,
            State::Paused => 2,
            State::Starting | State::Active => 0,
        }
    }

    /// Puts the page first where anything visible changed, and counts the change.
    fn settle(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        let any_halt = self.scopes.values().any(|entry| entry.halt.is_some());
        self.severity = u8::from(any_halt);
        let shown = self.show();
        if self.shown.as_ref() != Some(&shown) {
            self.shown = Some(shown);
            self.state_seq = self.state_seq.wrapping_add(1);
            actions.insert(0, Action::Page);
        }
        actions
    }
}

/// Returns an announcement.
fn publish(change: Change, scope: &str, trigger: &str, code: &str) -> Action {
    Action::Publish {
        change,
        scope: scope.to_owned(),
        trigger: trigger.to_owned(),
        code: code.to_owned(),
    }
}

/// Returns whether the broker may be told again.
fn is_due(sent_ns: Option<i64>, now: Now) -> bool {
    sent_ns.is_none_or(|sent| now.boot_ns.saturating_sub(sent) >= FLATTEN_AGAIN_NS)
}
