//! `_core.Lease`: how long a remote gate trusts an echo, as Python sees it.

use edgeguard_core::lease::{Beat, Lease};
use edgeguard_core::page::Code;
use pyo3::prelude::*;

use crate::panics::Whole;
use crate::state::to_state;

/// `(epoch, state_seq, state, hole, halt_id, resumed)`.
type BeatWords = (i64, i64, String, bool, String, Vec<String>);

fn to_beat((epoch, state_seq, state, hole, halt_id, resumed): BeatWords) -> PyResult<Beat> {
    Ok(Beat {
        epoch,
        state_seq,
        state: to_state(&state)?,
        hole,
        halt_id,
        resumed,
    })
}

/// A remote gate's lease.
#[pyclass(name = "Lease", module = "edgeguard._core")]
#[derive(Debug)]
pub(crate) struct PyLease {
    inner: Whole<Lease>,
}

#[pymethods]
impl PyLease {
    #[new]
    fn py_new(lease_ns: i64) -> PyResult<Self> {
        let inner = Whole::make("Lease.new", || Ok(Lease::new(lease_ns)))?;
        Ok(Self { inner })
    }

    #[pyo3(name = "on_echo")]
    fn py_on_echo(&mut self, sent_ns: i64, now_ns: i64, beat: BeatWords) -> PyResult<bool> {
        let beat = to_beat(beat)?;
        self.inner.run("Lease.on_echo", |lease| {
            lease.on_echo(sent_ns, now_ns, beat)
        })
    }

    #[pyo3(name = "on_push")]
    fn py_on_push(&mut self, now_ns: i64, beat: BeatWords) -> PyResult<bool> {
        let beat = to_beat(beat)?;
        self.inner
            .run("Lease.on_push", |lease| lease.on_push(now_ns, &beat))
    }

    #[pyo3(name = "is_told")]
    fn py_is_told(&mut self) -> PyResult<bool> {
        self.inner.run("Lease.is_told", |lease| lease.is_told())
    }

    #[pyo3(name = "check")]
    fn py_check(&mut self, now_ns: i64) -> PyResult<&'static str> {
        self.inner
            .run("Lease.check", |lease| match lease.check(now_ns) {
                Code::Open => "OPEN",
                Code::Halted => "HALTED",
                Code::Paused => "PAUSED",
                Code::Starting => "STARTING",
                Code::Stale => "STALE",
                Code::Missing => "MISSING",
                Code::Hole => "HOLE",
                Code::WrongAccount => "WRONG_ACCOUNT",
                Code::Scope => "SCOPE",
            })
    }

    #[pyo3(name = "latched")]
    fn py_latched(&mut self) -> PyResult<Vec<String>> {
        self.inner.run("Lease.latched", |lease| {
            lease.latched().iter().cloned().collect()
        })
    }
}
