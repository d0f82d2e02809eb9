//! `edgeguard._core.Decision`: what a trigger decided, as Python reads it.

use edgeguard_core::decision::Decision;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::panics::forced;

/// One change of one trigger; its line is written when it is asked for, which is after the halt.
#[pyclass(name = "Decision", module = "edgeguard._core", frozen)]
#[derive(Debug)]
pub(crate) struct PyDecision {
    inner: Decision,
    config_hash: String,
}

#[pymethods]
impl PyDecision {
    #[pyo3(name = "line")]
    fn py_line(&self, py: Python<'_>) -> Py<PyBytes> {
        let line = self.inner.line(&self.config_hash);
        forced("Decision.line");
        PyBytes::new(py, line.as_bytes()).unbind()
    }

    fn __repr__(&self) -> String {
        self.inner.line(&self.config_hash)
    }

    #[getter(index)]
    fn py_index(&self) -> u64 {
        self.inner.index
    }

    #[getter(t_ns)]
    fn py_t_ns(&self) -> i64 {
        self.inner.t_ns
    }

    #[getter(account)]
    fn py_account(&self) -> &str {
        &self.inner.account_id
    }

    #[getter(scope)]
    fn py_scope(&self) -> &str {
        &self.inner.scope
    }

    #[getter(trigger)]
    fn py_trigger(&self) -> &'static str {
        self.inner.trigger.name()
    }

    #[getter(action)]
    fn py_action(&self) -> &'static str {
        self.inner.action.name()
    }

    #[getter(code)]
    fn py_code(&self) -> String {
        self.inner.code_text()
    }

    #[getter(value)]
    fn py_value(&self) -> Option<&str> {
        self.inner.value.as_deref()
    }

    #[getter(threshold)]
    fn py_threshold(&self) -> Option<&str> {
        self.inner.threshold.as_deref()
    }

    #[getter(reference)]
    fn py_reference(&self) -> Option<&str> {
        self.inner.reference.as_deref()
    }

    #[getter(symbol)]
    fn py_symbol(&self) -> Option<&str> {
        self.inner.symbol.as_deref()
    }

    #[getter(source_file)]
    fn py_source_file(&self) -> &str {
        &self.inner.source_file
    }

    #[getter(source_line)]
    fn py_source_line(&self) -> u64 {
        self.inner.source_line
    }
}

impl PyDecision {
    pub(crate) const fn decision(&self) -> &Decision {
        &self.inner
    }

    pub(crate) fn new(inner: Decision, config_hash: &str) -> Self {
        Self {
            inner,
            config_hash: config_hash.to_owned(),
        }
    }
}
