//! `_core.PageWriter` and `_core.PageReader`: the halt page for the guard and for the gate.

use std::path::PathBuf;

use edgeguard_core::page::{
    self, Code, Facts, Found, HostClock, PageError, PageReader, PageWriter, StateWord, hash_word,
};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::panics::Whole;

/// `(state, severity, flatten, flags, state_seq)` of a state word.
pub(crate) type WordTuple = (u8, u8, u8, u8, u32);
/// `(word, beat_ns, lease_ns, epoch, manual, streak, halt_id)`.
type FactsTuple = (WordTuple, u64, u64, u64, u64, u64, String);

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
    inner: Whole<PageWriter>,
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
        let mut found = None;
        let inner = Whole::make("PageWriter.new", || {
            let (page, before) = PageWriter::claim(&path, account, boot_id, lease_ns, epoch)
                .map_err(|error| to_os_error(&error))?;
            found = before;
            Ok(page)
        })?;
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
    fn py_set_state(&mut self, word: WordTuple, halt_id: &str) -> PyResult<()> {
        self.inner.run("PageWriter.set_state", |page| {
            page.set_state(to_word(word), halt_id);
        })
    }

    #[pyo3(name = "set_scope")]
    fn py_set_scope(&mut self, scope: &str, word: WordTuple) -> PyResult<()> {
        self.inner.run("PageWriter.set_scope", |page| {
            page.set_scope(scope, to_word(word));
        })
    }

    #[pyo3(name = "push_resumed")]
    fn py_push_resumed(&mut self, halt_id: &str) -> PyResult<()> {
        self.inner.run("PageWriter.push_resumed", |page| {
            page.push_resumed(hash_word(halt_id));
        })
    }

    #[pyo3(name = "push_resumed_manual")]
    fn py_push_resumed_manual(&mut self, manual: u64) -> PyResult<()> {
        self.inner.run("PageWriter.push_resumed_manual", |page| {
            page.push_resumed(manual);
        })
    }

    #[pyo3(name = "beat")]
    fn py_beat(&mut self, boot_ns: u64) -> PyResult<()> {
        self.inner.run("PageWriter.beat", |page| {
            page.beat(boot_ns);
        })
    }

    #[pyo3(name = "manual")]
    fn py_manual(&mut self) -> PyResult<u64> {
        self.inner.run("PageWriter.manual", |page| page.manual())
    }

    #[pyo3(name = "clear_manual")]
    fn py_clear_manual(&mut self, seen: u64) -> PyResult<bool> {
        self.inner
            .run("PageWriter.clear_manual", |page| page.clear_manual(seen))
    }

    #[pyo3(name = "is_whole")]
    fn py_is_whole(&mut self) -> PyResult<bool> {
        self.inner
            .run("PageWriter.is_whole", |page| page.is_whole())
    }
}

/// The gate's side of one account's page.
#[pyclass(name = "PageReader", module = "edgeguard._core")]
#[derive(Debug)]
pub(crate) struct PyPageReader {
    inner: Whole<PageReader>,
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
        let boot_id = to_boot_id(boot_id)?;
        let inner = Whole::make("PageReader.new", || {
            Ok(PageReader::new(&path, account, boot_id))
        })?;
        Ok(Self {
            inner,
            clock: HostClock::new(),
        })
    }

    /// The code of the account at this instant: 0 open, else an index of `PAGE_CODES`.
    #[pyo3(name = "check")]
    fn py_check(&mut self) -> PyResult<u8> {
        self.inner
            .run("PageReader.check", |page| to_byte(page.check(&self.clock)))
    }

    #[pyo3(name = "check_scopes")]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over what it converted"
    )]
    fn py_check_scopes(&mut self, scopes: Vec<u64>) -> PyResult<u8> {
        self.inner.run("PageReader.check_scopes", |page| {
            to_byte(page.check_scopes(&self.clock, &scopes))
        })
    }

    #[pyo3(name = "facts")]
    fn py_facts(&mut self) -> PyResult<Option<FactsTuple>> {
        self.inner.run("PageReader.facts", |page| {
            let Facts {
                state,
                beat_ns,
                lease_ns,
                epoch,
                manual,
                streak,
                halt_id,
            } = page.facts()?;
            Some((
                to_tuple(state),
                beat_ns,
                lease_ns,
                epoch,
                manual,
                streak,
                halt_id,
            ))
        })
    }

    #[pyo3(name = "latched")]
    fn py_latched(&mut self) -> PyResult<(u64, u64)> {
        self.inner.run("PageReader.latched", |page| {
            let latch = page.latch();
            (latch.halt, latch.manual)
        })
    }

    #[pyo3(name = "why")]
    fn py_why(&mut self) -> PyResult<String> {
        self.inner
            .run("PageReader.why", |page| page.why().to_owned())
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
