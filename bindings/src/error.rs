//! The one mapping from the core's errors to the exceptions of `edgeguard.errors`.

use edgeguard_core::error::CoreError;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Turns a core error into its Python exception.
pub(crate) fn to_python(py: Python<'_>, error: &CoreError) -> PyErr {
    match error {
        CoreError::Config(violations) => edgeguard_error(py, "ConfigError", violations.clone()),
        CoreError::Input { .. } => edgeguard_error(py, "InputError", error.to_string()),
        CoreError::State(text) | CoreError::Argument(text) => PyValueError::new_err(text.clone()),
        other => PyRuntimeError::new_err(other.to_string()),
    }
}

fn edgeguard_error<'py>(py: Python<'py>, name: &str, argument: impl IntoPyObject<'py>) -> PyErr {
    let raise = || {
        let class = py.import("edgeguard.errors")?.getattr(name)?;
        let instance = class.call1((argument,))?;
        PyResult::Ok(PyErr::from_value(instance))
    };
    raise().unwrap_or_else(|error| error)
}
