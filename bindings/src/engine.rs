//! `edgeguard._core.Engine`: conversion only.

use std::collections::BTreeMap;

use edgeguard_core::engine::{Engine, Flags};
use edgeguard_core::error::CoreError;
use edgeguard_core::operator::Rebase;
use edgeguard_core::tick_file::About;
use edgeguard_core::tick_merge::Until;
use edgeguard_core::types::{Now, Origin};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::decision::PyDecision;
use crate::error::to_python;
use crate::panics::Whole;

/// What Python calls a moment, as the core knows it.
const fn at(wall_ns: i64, boot_ns: i64) -> Now {
    Now { wall_ns, boot_ns }
}

/// A signed line is what Python hands over fastest; there is no line below zero.
fn origin(source: u32, line: i64) -> Origin {
    Origin {
        source,
        line: u64::try_from(line).unwrap_or(0),
    }
}

/// The trigger engine of one guard or one replay.
#[pyclass(name = "Engine", module = "edgeguard._core")]
#[derive(Debug)]
pub(crate) struct PyEngine {
    inner: Whole<Engine>,
}

impl PyEngine {
    #[inline]
    fn run<T>(
        &mut self,
        py: Python<'_>,
        call: &'static str,
        work: impl FnOnce(&mut Engine) -> Result<T, CoreError>,
    ) -> PyResult<T> {
        self.inner.try_run(call, |engine| {
            work(engine).map_err(|error| to_python(py, &error))
        })
    }
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (config, config_hash, *, live, profiles = None))]
    fn py_new(
        py: Python<'_>,
        config: &[u8],
        config_hash: &str,
        live: bool,
        profiles: Option<BTreeMap<String, Vec<u8>>>,
    ) -> PyResult<Self> {
        let profiles = profiles.unwrap_or_default();
        let inner = Whole::make("Engine.new", || {
            Engine::new(config, config_hash, live, &profiles).map_err(|error| to_python(py, &error))
        })?;
        Ok(Self { inner })
    }

    #[pyo3(name = "on_frame")]
    fn py_on_frame(
        &mut self,
        py: Python<'_>,
        payload: &[u8],
        t_ns: i64,
        boot_ns: i64,
        source: u32,
        line: i64,
    ) -> PyResult<u32> {
        let now = at(t_ns, boot_ns);
        self.run(py, "Engine.on_frame", |engine| {
            engine
                .on_frame(payload, now, origin(source, line))
                .map(|Flags(bits)| bits)
        })
    }

    /// The place behind the last payload taken in the upper bits, the flags of that one in the lower eight.
    #[pyo3(name = "on_ticks")]
    fn py_on_ticks(
        &mut self,
        py: Python<'_>,
        payloads: &Bound<'_, PyList>,
        begin: usize,
        t_ns: i64,
        boot_ns: i64,
    ) -> PyResult<u64> {
        let now = at(t_ns, boot_ns);
        self.run(py, "Engine.on_ticks", |engine| {
            let (mut at, mut bits, end) = (begin, 0, payloads.len());
            while bits == 0
                && at < end
                && let Ok(payload) = payloads.get_item(at)
                && let Ok(payload) = payload.cast::<PyBytes>()
                && let Some(Flags(found)) = engine.on_ticks(payload.as_bytes(), now)
            {
                bits = found;
                at = at.saturating_add(1);
            }
            let place = u64::try_from(at).unwrap_or(u64::MAX >> 8);
            Ok(place << 8 | u64::from(bits & 0xff))
        })
    }

    #[pyo3(name = "heard")]
    fn py_heard(&mut self, py: Python<'_>) -> PyResult<Vec<(u32, i64)>> {
        self.run(py, "Engine.heard", |engine| Ok(engine.heard()))
    }

    #[pyo3(name = "advance", signature = (t_ns, boot_ns, source, line, *, counts = false))]
    fn py_advance(
        &mut self,
        py: Python<'_>,
        t_ns: i64,
        boot_ns: i64,
        source: u32,
        line: i64,
        counts: bool,
    ) -> PyResult<u32> {
        let now = at(t_ns, boot_ns);
        self.run(py, "Engine.advance", |engine| {
            Ok(engine.advance(now, origin(source, line), counts).0)
        })
    }

    #[pyo3(name = "register_source")]
    fn py_register_source(&mut self, py: Python<'_>, name: &str) -> PyResult<u32> {
        self.run(py, "Engine.register_source", |engine| {
            Ok(engine.register_source(name))
        })
    }

    #[pyo3(name = "take_decisions")]
    fn py_take_decisions(&mut self, py: Python<'_>) -> PyResult<Vec<PyDecision>> {
        self.run(py, "Engine.take_decisions", |engine| {
            let taken = engine.take_decisions();
            let hash = engine.config_hash();
            Ok(taken
                .into_iter()
                .map(|decision| PyDecision::new(decision, hash))
                .collect())
        })
    }

    #[pyo3(name = "next_deadline_ns")]
    fn py_next_deadline_ns(&mut self, py: Python<'_>) -> PyResult<Option<i64>> {
        self.run(py, "Engine.next_deadline_ns", |engine| {
            Ok(engine.next_deadline_ns())
        })
    }

    #[allow(clippy::similar_names, reason = "the arguments' names in Python")]
    #[pyo3(name = "add_tick_file", signature = (kind, symbol, name, data, date))]
    fn py_add_tick_file(
        &mut self,
        py: Python<'_>,
        kind: &str,
        symbol: &str,
        name: &str,
        data: &[u8],
        date: Option<&str>,
    ) -> PyResult<usize> {
        let about = About {
            kind,
            symbol,
            name,
            day: date,
        };
        self.run(py, "Engine.add_tick_file", |engine| {
            engine.add_tick_file(about, data)
        })
    }

    #[pyo3(name = "run_tick_files")]
    fn py_run_tick_files(
        &mut self,
        py: Python<'_>,
        until_t_ns: Option<i64>,
        until_order: usize,
        max_ticks: usize,
    ) -> PyResult<usize> {
        self.run(py, "Engine.run_tick_files", |engine| {
            engine.run_tick_files(
                Until {
                    t_ns: until_t_ns,
                    order: until_order,
                },
                max_ticks,
            )
        })
    }

    #[pyo3(name = "status", signature = (account=None))]
    fn py_status(&mut self, py: Python<'_>, account: Option<&str>) -> PyResult<Py<PyBytes>> {
        let json = self.run(py, "Engine.status", |engine| Ok(engine.status_of(account)))?;
        Ok(PyBytes::new(py, &json).unbind())
    }

    #[pyo3(name = "resume", signature = (account, t_ns, boot_ns, source = 0, line = 0))]
    fn py_resume(
        &mut self,
        py: Python<'_>,
        account: &str,
        t_ns: i64,
        boot_ns: i64,
        source: u32,
        line: i64,
    ) -> PyResult<u32> {
        let now = at(t_ns, boot_ns);
        self.run(py, "Engine.resume", |engine| {
            engine
                .resume(account, now, origin(source, line))
                .map(|Flags(bits)| bits)
        })
    }

    #[pyo3(name = "would_fire")]
    fn py_would_fire(&mut self, py: Python<'_>, account: &str) -> PyResult<Vec<PyDecision>> {
        self.run(py, "Engine.would_fire", |engine| {
            let found = engine.would_fire(account)?;
            let hash = engine.config_hash();
            Ok(found
                .into_iter()
                .map(|decision| PyDecision::new(decision, hash))
                .collect())
        })
    }

    #[pyo3(name = "rebaseline", signature = (account, *, t_ns, boot_ns, peak = None, day = None, transfers = None, provenance = "operator"))]
    #[allow(
        clippy::too_many_arguments,
        reason = "keyword arguments of one Python call"
    )]
    fn py_rebaseline(
        &mut self,
        py: Python<'_>,
        account: &str,
        t_ns: i64,
        boot_ns: i64,
        peak: Option<&str>,
        day: Option<&str>,
        transfers: Option<&str>,
        provenance: &str,
    ) -> PyResult<u32> {
        let now = at(t_ns, boot_ns);
        let rebase = Rebase {
            peak,
            day,
            transfers,
            provenance,
        };
        self.run(py, "Engine.rebaseline", |engine| {
            engine
                .rebaseline(account, rebase, now, Origin::default())
                .map(|Flags(bits)| bits)
        })
    }

    #[pyo3(name = "release_pause")]
    fn py_release_pause(
        &mut self,
        py: Python<'_>,
        account: &str,
        trigger: Option<&str>,
        t_ns: i64,
        boot_ns: i64,
    ) -> PyResult<u32> {
        let now = at(t_ns, boot_ns);
        self.run(py, "Engine.release_pause", |engine| {
            engine
                .release_pause(account, trigger, now, Origin::default())
                .map(|Flags(bits)| bits)
        })
    }

    #[pyo3(name = "references")]
    fn py_references(&mut self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        let json = self.run(py, "Engine.references", |engine| engine.references())?;
        Ok(PyBytes::new(py, &json).unbind())
    }

    #[pyo3(name = "load_references")]
    fn py_load_references(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.run(py, "Engine.load_references", |engine| {
            engine.load_references(data)
        })
    }

    #[pyo3(name = "baseline")]
    fn py_baseline(
        &mut self,
        py: Python<'_>,
        account: &str,
        symbol: &str,
    ) -> PyResult<Option<Py<PyBytes>>> {
        let json = self.run(py, "Engine.baseline", |engine| {
            engine.baseline(account, symbol)
        })?;
        Ok(json.map(|json| PyBytes::new(py, &json).unbind()))
    }

    #[pyo3(name = "load_baseline")]
    fn py_load_baseline(
        &mut self,
        py: Python<'_>,
        account: &str,
        symbol: &str,
        data: &[u8],
        t_ns: i64,
        boot_ns: i64,
    ) -> PyResult<()> {
        let now = at(t_ns, boot_ns);
        self.run(py, "Engine.load_baseline", |engine| {
            engine.load_baseline(account, symbol, data, now)
        })
    }

    #[pyo3(name = "set_maintenance")]
    fn py_set_maintenance(
        &mut self,
        py: Python<'_>,
        account: &str,
        until_boot_ns: Option<i64>,
    ) -> PyResult<()> {
        self.run(py, "Engine.set_maintenance", |engine| {
            engine.set_maintenance(account, until_boot_ns)
        })
    }

    /// The required feed that is silent beyond the limit, and for how long.
    #[pyo3(name = "silent_feed")]
    fn py_silent_feed(
        &mut self,
        py: Python<'_>,
        account: &str,
        limit_ns: i64,
        t_ns: i64,
        boot_ns: i64,
    ) -> PyResult<Option<(String, i64)>> {
        self.run(py, "Engine.silent_feed", |engine| {
            let silent = engine.silent_feed(account, limit_ns, at(t_ns, boot_ns))?;
            Ok(silent.map(|(name, silence)| (name.to_owned(), silence)))
        })
    }
}
