//! `_core.PageGate`: one account's gate on its halt page, as an engine in Python calls it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, TryLockError};

use edgeguard_core::gate::{Gate, Scope};
use edgeguard_core::page::{Code, HostClock};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::page::to_boot_id;
use crate::panics::{caught, forced};

/// Scope names whose hash is kept; more are hashed each time.
const NAMES_MAX: usize = 4096;
/// Strings that are known by their address alone; a power of two.
const SEEN: usize = 64;

/// The scopes of one kind, by name. A string that was asked for lately is known by its address: it is
/// held here, so that the address stays its own, and a string never changes.
struct Names {
    make: fn(&str) -> Scope,
    by_address: [Option<(Py<PyAny>, Scope)>; SEEN],
    by_name: BTreeMap<String, Scope>,
}

impl Names {
    fn new(make: fn(&str) -> Scope) -> Self {
        Self {
            make,
            by_address: [const { None }; SEEN],
            by_name: BTreeMap::new(),
        }
    }

    fn find(&mut self, name: &Bound<'_, PyAny>) -> PyResult<Scope> {
        // Objects are at least 16 bytes apart.
        let place = (name.as_ptr().addr() >> 4) % SEEN;
        if let Some(Some((seen, scope))) = self.by_address.get(place)
            && seen.as_ptr() == name.as_ptr()
        {
            return Ok(*scope);
        }
        let scope = self.hash(name)?;
        // Of exact strings alone: letting go of another one later might run somebody's code.
        if name.is_exact_instance_of::<PyString>()
            && let Some(entry) = self.by_address.get_mut(place)
        {
            *entry = Some((name.clone().unbind(), scope));
        }
        Ok(scope)
    }

    #[cold]
    fn hash(&mut self, name: &Bound<'_, PyAny>) -> PyResult<Scope> {
        let Ok(text) = name.cast::<PyString>() else {
            return Err(PyTypeError::new_err("symbol and strategy must be str"));
        };
        let text = text.to_str()?;
        if let Some(scope) = self.by_name.get(text) {
            return Ok(*scope);
        }
        let scope = (self.make)(text);
        if self.by_name.len() < NAMES_MAX {
            self.by_name.insert(text.to_owned(), scope);
        }
        Ok(scope)
    }
}

struct Inner {
    gate: Gate,
    symbols: Names,
    strategies: Names,
}

impl Inner {
    fn code(
        &mut self,
        symbol: Option<&Bound<'_, PyAny>>,
        strategy: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Code> {
        Ok(match (symbol, strategy) {
            (None, None) => self.gate.code(),
            (Some(symbol), None) => {
                let symbol = self.symbols.find(symbol)?;
                self.gate.code_of(&[symbol])
            }
            (None, Some(strategy)) => {
                let strategy = self.strategies.find(strategy)?;
                self.gate.code_of(&[strategy])
            }
            (Some(symbol), Some(strategy)) => {
                let symbol = self.symbols.find(symbol)?;
                let strategy = self.strategies.find(strategy)?;
                self.gate.code_of(&[symbol, strategy])
            }
        })
    }
}

/// One account's gate; the Python objects that it answers with are handed to it.
#[pyclass(name = "PageGate", module = "edgeguard._core", frozen)]
pub(crate) struct PyPageGate {
    inner: Mutex<Inner>,
    permit: Py<PyAny>,
    refuse: Py<PyAny>,
    error: Py<PyAny>,
}

impl PyPageGate {
    fn code(
        &self,
        symbol: Option<&Bound<'_, PyAny>>,
        strategy: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Code> {
        caught("PageGate.code", || {
            // Never waits: whoever holds it is below this call on the stack, or has given up the GIL.
            let mut inner = self.inner.try_lock().map_err(|error| {
                PyRuntimeError::new_err(match error {
                    TryLockError::WouldBlock => "asked while it was being asked",
                    TryLockError::Poisoned(_) => "it panicked before; a new gate must be made",
                })
            })?;
            let code = inner.code(symbol, strategy);
            forced("PageGate.check");
            code
        })
    }

    fn detail(&self, code: Code) -> String {
        let detail = caught("PageGate.detail", || {
            Ok(self
                .inner
                .try_lock()
                .map_or_else(|_| String::new(), |inner| inner.gate.detail(code)))
        });
        detail.unwrap_or_default()
    }

    #[cold]
    fn refusal<'py>(&self, py: Python<'py>, answer: PyResult<Code>) -> PyResult<Bound<'py, PyAny>> {
        let (name, detail) = match answer {
            Ok(code) => (code.name(), self.detail(code)),
            Err(error) => (
                Code::Missing.name(),
                format!("the check itself failed: {error}"),
            ),
        };
        self.refuse.bind(py).call1((name, detail))
    }
}

#[pymethods]
impl PyPageGate {
    #[new]
    #[pyo3(signature = (path, account, boot_id, *, permit, refuse, error))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over what it converted"
    )]
    fn py_new(
        path: PathBuf,
        account: &str,
        boot_id: &[u8],
        permit: Py<PyAny>,
        refuse: Py<PyAny>,
        error: Py<PyAny>,
    ) -> PyResult<Self> {
        let boot_id = to_boot_id(boot_id)?;
        let gate = caught("PageGate.new", || {
            Ok(Gate::with_clock(&path, account, boot_id, HostClock::new()))
        })?;
        Ok(Self {
            inner: Mutex::new(Inner {
                gate,
                symbols: Names::new(Scope::symbol),
                strategies: Names::new(Scope::strategy),
            }),
            permit,
            refuse,
            error,
        })
    }

    #[pyo3(name = "check", signature = (symbol=None, strategy=None))]
    fn py_check<'py>(
        &self,
        py: Python<'py>,
        symbol: Option<&Bound<'py, PyAny>>,
        strategy: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.code(symbol, strategy);
        if matches!(answer, Ok(Code::Open)) {
            return Ok(self.permit.bind(py).clone());
        }
        self.refusal(py, answer)
    }

    #[pyo3(name = "require", signature = (symbol=None, strategy=None))]
    fn py_require<'py>(
        &self,
        py: Python<'py>,
        symbol: Option<&Bound<'py, PyAny>>,
        strategy: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.code(symbol, strategy);
        if matches!(answer, Ok(Code::Open)) {
            return Ok(self.permit.bind(py).clone());
        }
        let refusal = self.refusal(py, answer)?;
        Err(PyErr::from_value(self.error.bind(py).call1((refusal,))?))
    }
}

/// Adds the gate's class to the module.
///
/// # Errors
/// Whatever Python raises while a name is added.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyPageGate>()
}
