//! `_core.PageWriter` and `_core.PageReader`: the halt page for the guard and for the gate.

use std::path::PathBuf;

use edgeguard_core::page::{
    self, Code, Facts, Found, HostClock, PageError, PageReader, PageWriter, StateWord, hash_word,
};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

/// `(state, severity, flatten, flags, state_seq)` of a state word.
pub(crate) type WordTuple = (u8, u8, u8, u8, u32);

fn to_word(word: WordTuple) -> StateWord {
    let (state, severity, flatten, flags, state_seq) = word;
    StateWord {
        state,
        severity,
        flatten,
        flags,
        state_seq,
    }
}

pub(crate) const fn to_tuple(word: StateWord) -> WordTuple {
    (
        word.state,
        word.severity,
        word.flatten,
        word.flags,
        word.state_seq,
    )
}

pub(crate) fn to_boot_id(boot_id: &[u8]) -> PyResult<[u8; 16]> {
    boot_id.try_into().map_err(|_| {
        PyValueError::new_err(format!("boot_id must have 16 bytes, was {}", boot_id.len()))
    })
}

fn to_os_error(error: &PageError) -> PyErr {
    match error {
        PageError::Io(inner) => match inner.raw_os_error() {
            Some(errno) => PyOSError::new_err((errno, inner.to_string())),
            None => PyOSError::new_err(inner.to_string()),
        },
        other @ (PageError::Unsafe(_) | _) => PyOSError::new_err(other.to_string()),
    }
}

/// The guard's side of one account's page.
#[pyclass(name = "PageWriter", module = "edgeguard._core")]
#[derive(Debug)]
pub(crate) struct PyPageWriter {
    inner: PageWriter,
    found: Option<Found>,
}

#[pymethods]
impl PyPageWriter {
    #[new]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over what it converted"
    )]
    fn py_new(
        path: PathBuf,
        account: &str,
        boot_id: &[u8],
        lease_ns: u64,
        epoch: u64,
    ) -> PyResult<Self> {
        let boot_id = to_boot_id(boot_id)?;
        let (inner, found) = PageWriter::claim(&path, account, boot_id, lease_ns, epoch)
            .map_err(|error| to_os_error(&error))?;
        Ok(Self { inner, found })
    }

    #[pyo3(name = "found")]
    fn py_found(&self) -> Option<(WordTuple, String, u64, u64)> {
        let found = self.found.as_ref()?;
        Some((
            to_tuple(found.state),
            found.halt_id.clone(),
            found.manual,
            found.epoch,
        ))
    }

    #[pyo3(name = "set_state")]
    fn py_set_state(&self, word: WordTuple, halt_id: &str) {
        self.inner.set_state(to_word(word), halt_id);
    }

    #[pyo3(name = "set_scope")]
    fn py_set_scope(&mut self, scope: &str, word: WordTuple) {
        self.inner.set_scope(scope, to_word(word));
    }

    #[pyo3(name = "push_resumed")]
    fn py_push_resumed(&mut self, halt_id: &str) {
        self.inner.push_resumed(hash_word(halt_id));
    }

    #[pyo3(name = "push_resumed_manual")]
    fn py_push_resumed_manual(&mut self, manual: u64) {
        self.inner.push_resumed(manual);
    }

    #[pyo3(name = "beat")]
    fn py_beat(&mut self, boot_ns: u64) {
        self.inner.beat(boot_ns);
    }

    #[pyo3(name = "manual")]
    fn py_manual(&self) -> u64 {
        self.inner.manual()
    }

    #[pyo3(name = "clear_manual")]
    fn py_clear_manual(&self, seen: u64) -> bool {
        self.inner.clear_manual(seen)
    }

    #[pyo3(name = "is_whole")]
    fn py_is_whole(&self) -> bool {
        self.inner.is_whole()
    }
}

/// The gate's side of one account's page.
#[pyclass(name = "PageReader", module = "edgeguard._core")]
#[derive(Debug)]
pub(crate) struct PyPageReader {
    inner: PageReader,
    clock: HostClock,
}

#[pymethods]
impl PyPageReader {
    #[new]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over what it converted"
    )]
    fn py_new(path: PathBuf, account: &str, boot_id: &[u8]) -> PyResult<Self> {
        Ok(Self {
            inner: PageReader::new(&path, account, to_boot_id(boot_id)?),
            clock: HostClock::new(),
        })
    }

    /// The code of the account at this instant: 0 open, else an index of `PAGE_CODES`.
    #[pyo3(name = "check")]
    fn py_check(&mut self) -> u8 {
        to_byte(self.inner.check(&self.clock))
    }

    #[pyo3(name = "check_scopes")]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over what it converted"
    )]
    fn py_check_scopes(&mut self, scopes: Vec<u64>) -> u8 {
        to_byte(self.inner.check_scopes(&self.clock, &scopes))
    }

    #[pyo3(name = "facts")]
    fn py_facts(&self) -> Option<(WordTuple, u64, u64, u64, u64, u64, String)> {
        let Facts {
            state,
            beat_ns,
            lease_ns,
            epoch,
            manual,
            streak,
            halt_id,
        } = self.inner.facts()?;
        Some((
            to_tuple(state),
            beat_ns,
            lease_ns,
            epoch,
            manual,
            streak,
            halt_id,
        ))
    }

    #[pyo3(name = "latched")]
    fn py_latched(&self) -> (u64, u64) {
        let latch = self.inner.latch();
        (latch.halt, latch.manual)
    }

    #[pyo3(name = "why")]
    fn py_why(&self) -> String {
        self.inner.why().to_owned()
    }
}

/// Returns the number of a code: its place in `PAGE_CODES`.
fn to_byte(code: Code) -> u8 {
    (0_u8..)
        .zip(Code::ALL)
        .find_map(|(number, known)| (known == code).then_some(number))
        .unwrap_or(u8::MAX)
}

/// Adds the page's classes to the module.
///
/// # Errors
/// Whatever Python raises while a name is added.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("PAGE_BYTES", page::PAGE_BYTES)?;
    module.add("PAGE_CODES", Code::ALL.map(Code::name).to_vec())?;
    module.add_class::<PyPageWriter>()?;
    module.add_class::<PyPageReader>()
}
