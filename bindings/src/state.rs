//! `_core.TradingState`: the state machine that decides, as Python sees it.

use edgeguard_core::reaction::{Ruling, decide, halt_id};
use edgeguard_core::trading_state::{
    Action, Checks, Flatten, Halt, Now, Pause, State, TradingState,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::panics::{Whole, caught};
use crate::reaction::{ShownTuple, event, shown, with_ruling};

/// `(kind, scope, first, second, third)`: `page`, `persist`; `publish` with change, trigger, code;
/// `flatten` with the halt id; `alarm` with code and text.
type ActionTuple = (&'static str, String, String, String, String);
/// What the page is to show, a halt event's bytes, and what else is to be done.
type Reacted = (Option<ShownTuple>, Option<Py<PyBytes>>, Vec<ActionTuple>);
/// `(id, t_ns, trigger, code, reason, durable)`.
type HaltTuple = (String, i64, String, String, String, bool);
/// `(cause, trigger, code, held, since_ns)`.
type PauseTuple = (String, String, String, bool, i64);
/// `(scope, state, flatten, halt, pauses)`.
type ScopeTuple = (
    String,
    &'static str,
    &'static str,
    Option<HaltTuple>,
    Vec<PauseTuple>,
);

fn to_tuple(action: Action) -> ActionTuple {
    let none = String::new;
    match action {
        Action::Page => ("page", none(), none(), none(), none()),
        Action::Persist => ("persist", none(), none(), none(), none()),
        Action::Publish {
            change,
            scope,
            trigger,
            code,
        } => ("publish", scope, change.name().to_owned(), trigger, code),
        Action::Flatten { scope, halt_id } => ("flatten", scope, halt_id, none(), none()),
        Action::Alarm { code, text } => ("alarm", none(), code.to_owned(), text, none()),
    }
}

fn to_tuples(actions: Vec<Action>) -> Vec<ActionTuple> {
    actions.into_iter().map(to_tuple).collect()
}

fn to_halt(halt: HaltTuple) -> Halt {
    let (id, t_ns, trigger, code, reason, durable) = halt;
    Halt {
        id,
        t_ns,
        trigger,
        code,
        reason,
        durable,
    }
}

fn to_now(now: (i64, i64)) -> Now {
    Now {
        wall_ns: now.0,
        boot_ns: now.1,
    }
}

pub(crate) fn to_state(name: &str) -> PyResult<State> {
    [State::Starting, State::Active, State::Paused, State::Halted]
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| {
            PyValueError::new_err(format!("state must be a trading state, was {name:?}"))
        })
}

fn to_flatten(name: &str) -> PyResult<Flatten> {
    [
        Flatten::None,
        Flatten::InProgress,
        Flatten::FlatVerified,
        Flatten::NotFlat,
    ]
    .into_iter()
    .find(|status| status.name() == name)
    .ok_or_else(|| PyValueError::new_err(format!("flatten must be a flatten status, was {name:?}")))
}

/// One account's trading state.
#[pyclass(name = "TradingState", module = "edgeguard._core")]
#[derive(Debug)]
pub(crate) struct PyTradingState {
    inner: Whole<TradingState>,
    changes: u64,
}

impl PyTradingState {
    /// Runs a call that changes nothing where it asks for no action, and counts it where it does.
    fn act(
        &mut self,
        call: &'static str,
        work: impl FnOnce(&mut TradingState) -> Vec<Action>,
    ) -> PyResult<Vec<ActionTuple>> {
        let actions = self.inner.run(call, work)?;
        self.changes = self.changes.wrapping_add(u64::from(!actions.is_empty()));
        Ok(to_tuples(actions))
    }

    /// Runs a call that may change the state, and counts it as one that did.
    fn change<R>(
        &mut self,
        call: &'static str,
        work: impl FnOnce(&mut TradingState) -> R,
    ) -> PyResult<R> {
        self.try_change(call, |trading| Ok(work(trading)))
    }

    /// Runs a call that may fail, and counts it as one that did change the state.
    fn try_change<R>(
        &mut self,
        call: &'static str,
        work: impl FnOnce(&mut TradingState) -> PyResult<R>,
    ) -> PyResult<R> {
        self.changes = self.changes.wrapping_add(1);
        self.inner.try_run(call, work)
    }
}

#[pymethods]
impl PyTradingState {
    #[new]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over what it converted"
    )]
    fn py_new(conditions: Vec<String>) -> PyResult<Self> {
        let inner = Whole::make("TradingState.new", || Ok(TradingState::new(&conditions)))?;
        Ok(Self { inner, changes: 0 })
    }

    #[pyo3(name = "restore_halt")]
    fn py_restore_halt(
        &mut self,
        now: (i64, i64),
        scope: &str,
        halt: HaltTuple,
    ) -> PyResult<Vec<ActionTuple>> {
        self.change("TradingState.restore_halt", |trading| {
            to_tuples(trading.restore_halt(to_now(now), scope, to_halt(halt)))
        })
    }

    #[pyo3(name = "restore_scope")]
    fn py_restore_scope(&mut self, scope: &str) -> PyResult<()> {
        self.change("TradingState.restore_scope", |trading| {
            trading.restore_scope(scope);
        })
    }

    #[pyo3(name = "restore_resumed")]
    fn py_restore_resumed(&mut self, halt_id: &str) -> PyResult<()> {
        self.change("TradingState.restore_resumed", |trading| {
            trading.restore_resumed(halt_id);
        })
    }

    #[pyo3(name = "met")]
    fn py_met(&mut self, condition: &str) -> PyResult<Vec<ActionTuple>> {
        self.act("TradingState.met", |trading| trading.met(condition))
    }

    #[pyo3(name = "halt")]
    fn py_halt(
        &mut self,
        now: (i64, i64),
        scope: &str,
        halt: HaltTuple,
    ) -> PyResult<Vec<ActionTuple>> {
        self.change("TradingState.halt", |trading| {
            to_tuples(trading.halt(to_now(now), scope, to_halt(halt)))
        })
    }

    #[pyo3(name = "pause")]
    fn py_pause(&mut self, scope: &str, pause: PauseTuple) -> PyResult<Vec<ActionTuple>> {
        self.act("TradingState.pause", |trading| {
            let (cause, trigger, code, held, since_ns) = pause;
            let pause = Pause {
                trigger,
                code,
                held,
                since_ns,
            };
            trading.pause(scope, &cause, pause)
        })
    }

    #[pyo3(name = "release")]
    fn py_release(&mut self, scope: &str, cause: &str) -> PyResult<Vec<ActionTuple>> {
        self.act("TradingState.release", |trading| {
            trading.release(scope, cause)
        })
    }

    #[pyo3(name = "release_held", signature = (scope, trigger=None))]
    fn py_release_held(
        &mut self,
        scope: &str,
        trigger: Option<&str>,
    ) -> PyResult<Vec<ActionTuple>> {
        self.act("TradingState.release_held", |trading| {
            trading.release_held(scope, trigger)
        })
    }

    #[pyo3(name = "persisted")]
    fn py_persisted(&mut self, halt_id: &str) -> PyResult<Vec<ActionTuple>> {
        self.change("TradingState.persisted", |trading| {
            to_tuples(trading.persisted(halt_id))
        })
    }

    #[pyo3(name = "flattened")]
    fn py_flattened(
        &mut self,
        scope: &str,
        halt_id: &str,
        status: &str,
    ) -> PyResult<Vec<ActionTuple>> {
        let status = to_flatten(status)?;
        self.change("TradingState.flattened", |trading| {
            to_tuples(trading.flattened(scope, halt_id, status))
        })
    }

    #[pyo3(name = "exposed")]
    fn py_exposed(&mut self, now: (i64, i64), scope: &str) -> PyResult<Vec<ActionTuple>> {
        self.act("TradingState.exposed", |trading| {
            trading.exposed(to_now(now), scope)
        })
    }

    #[pyo3(name = "tick")]
    fn py_tick(&mut self, now: (i64, i64)) -> PyResult<Vec<ActionTuple>> {
        self.act("TradingState.tick", |trading| trading.tick(to_now(now)))
    }

    /// Refusals, empty when the resume may be written; the actions are then to be taken.
    #[pyo3(name = "resume")]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over what it converted"
    )]
    fn py_resume(
        &mut self,
        halt_id: &str,
        operator: String,
        reason: String,
        good: (bool, bool, bool),
        firing: Vec<String>,
        dry: bool,
    ) -> PyResult<(Vec<String>, Vec<ActionTuple>)> {
        let (snapshot_fresh, storage_trusted, identity_good) = good;
        let checks = Checks {
            operator,
            reason,
            snapshot_fresh,
            storage_trusted,
            identity_good,
            firing,
        };
        self.change("TradingState.resume", |trading| {
            if dry {
                return (trading.resume_refusals(halt_id, &checks), Vec::new());
            }
            match trading.resume(halt_id, &checks) {
                Ok(actions) => (Vec::new(), to_tuples(actions)),
                Err(refusals) => (refusals, Vec::new()),
            }
        })
    }

    /// What the page is to show, the event's bytes, and what else is to be done.
    #[pyo3(name = "react")]
    fn py_react(
        &mut self,
        py: Python<'_>,
        decision: &Bound<'_, PyAny>,
        now: (i64, i64),
        tail: &str,
        run: (i64, i64),
    ) -> PyResult<Reacted> {
        self.try_change("TradingState.react", |trading| {
            with_ruling(decision, |ruling| {
                let (mut page, mut told, mut rest) = (None, None, Vec::new());
                for action in decide(trading, ruling, to_now(now), tail) {
                    match &action {
                        Action::Page => page = Some(shown(trading)),
                        Action::Publish {
                            change,
                            scope,
                            trigger,
                            code,
                        } if told.is_none() => {
                            let words = (
                                change.name(),
                                scope.as_str(),
                                trigger.as_str(),
                                code.as_str(),
                            );
                            told = Some(event(py, trading, (now.0, run), words, ruling));
                        }
                        Action::Publish { .. }
                        | Action::Persist
                        | Action::Flatten { .. }
                        | Action::Alarm { .. } => rest.push(to_tuple(action)),
                    }
                }
                (page, told, rest)
            })
        })
    }

    /// The bytes of a halt event about a change that no decision led to.
    #[pyo3(name = "event")]
    fn py_event(
        &mut self,
        py: Python<'_>,
        account: &str,
        t_ns: i64,
        run: (i64, i64),
        words: (&str, &str, &str, &str),
    ) -> PyResult<Py<PyBytes>> {
        let ruling = Ruling {
            account,
            ..Ruling::default()
        };
        self.inner.run("TradingState.event", |trading| {
            event(py, trading, (t_ns, run), words, &ruling)
        })
    }

    #[pyo3(name = "shown")]
    fn py_shown(&mut self) -> PyResult<ShownTuple> {
        self.inner
            .run("TradingState.shown", |trading| shown(trading))
    }

    #[staticmethod]
    #[pyo3(name = "halt_id")]
    fn py_halt_id(wall_ns: i64, tail: &str) -> PyResult<String> {
        caught("TradingState.halt_id", || Ok(halt_id(wall_ns, tail)))
    }

    #[pyo3(name = "is_resuming")]
    fn py_is_resuming(&mut self, halt_id: &str) -> PyResult<bool> {
        self.inner.run("TradingState.is_resuming", |trading| {
            trading.is_resuming(halt_id)
        })
    }

    #[pyo3(name = "resume_durable")]
    fn py_resume_durable(&mut self, halt_id: &str) -> PyResult<Option<Vec<ActionTuple>>> {
        self.change("TradingState.resume_durable", |trading| {
            trading.resume_durable(halt_id).map(to_tuples)
        })
    }

    #[pyo3(name = "resume_failed")]
    fn py_resume_failed(&mut self, halt_id: &str) -> PyResult<Vec<ActionTuple>> {
        self.change("TradingState.resume_failed", |trading| {
            to_tuples(trading.resume_failed(halt_id))
        })
    }

    /// How many calls may have changed what `scopes`, `resumed` and `is_resuming` tell: while it stays,
    /// none of it does. Snapshots and seconds without news, of which every account has many, count nothing.
    #[pyo3(name = "changes")]
    fn py_changes(&mut self) -> PyResult<u64> {
        let changes = self.changes;
        self.inner.run("TradingState.changes", |_| changes)
    }

    #[pyo3(name = "state")]
    fn py_state(&mut self) -> PyResult<&'static str> {
        self.inner
            .run("TradingState.state", |trading| trading.state().name())
    }

    #[pyo3(name = "word")]
    fn py_word(&mut self) -> PyResult<(u8, u8, u8, u8, u32)> {
        self.inner.run("TradingState.word", |trading| {
            let word = trading.word();
            (
                word.state,
                word.severity,
                word.flatten,
                word.flags,
                word.state_seq,
            )
        })
    }

    #[pyo3(name = "waiting")]
    fn py_waiting(&mut self) -> PyResult<Vec<String>> {
        self.inner.run("TradingState.waiting", |trading| {
            trading.waiting().map(str::to_owned).collect()
        })
    }

    #[pyo3(name = "resumed")]
    fn py_resumed(&mut self) -> PyResult<Vec<String>> {
        self.inner.run("TradingState.resumed", |trading| {
            trading.resumed().iter().cloned().collect()
        })
    }

    #[pyo3(name = "scopes")]
    fn py_scopes(&mut self) -> PyResult<Vec<ScopeTuple>> {
        self.inner.run("TradingState.scopes", |trading| {
            let rows = trading.scopes().iter().map(|(name, scope)| {
                let halt = scope.halt.clone().map(|halt| {
                    (
                        halt.id,
                        halt.t_ns,
                        halt.trigger,
                        halt.code,
                        halt.reason,
                        halt.durable,
                    )
                });
                let pauses = scope.pauses.iter().map(|(cause, pause)| {
                    let Pause {
                        trigger,
                        code,
                        held,
                        since_ns,
                    } = pause.clone();
                    (cause.clone(), trigger, code, held, since_ns)
                });
                let state = scope.state().name();
                (
                    name.clone(),
                    state,
                    scope.flatten.name(),
                    halt,
                    pauses.collect(),
                )
            });
            rows.collect()
        })
    }
}
