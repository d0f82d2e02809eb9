//! What becomes of a panic: an exception, and an object that answers nothing ever after.
//!
//! `PyO3` alone would turn it into an exception too, and leave an object in use that was changed half-way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// An object of the core that is let go of by the first of its calls that panics.
#[derive(Debug)]
pub(crate) struct Whole<T> {
    inner: Option<T>,
}

impl<T> Whole<T> {
    /// Makes the object; `call` is what the making is called, `Class.new`.
    pub(crate) fn make(call: &'static str, make: impl FnOnce() -> PyResult<T>) -> PyResult<Self> {
        caught(call, make).map(|inner| Self { inner: Some(inner) })
    }

    /// Runs a call on the object that cannot fail; `call` is its name, `Class.method`.
    #[inline]
    pub(crate) fn run<R>(
        &mut self,
        call: &'static str,
        work: impl FnOnce(&mut T) -> R,
    ) -> PyResult<R> {
        self.try_run(call, |inner| Ok(work(inner)))
    }

    /// Runs a call on the object that may fail; an error leaves the object in use.
    #[inline]
    pub(crate) fn try_run<R>(
        &mut self,
        call: &'static str,
        work: impl FnOnce(&mut T) -> PyResult<R>,
    ) -> PyResult<R> {
        let Some(inner) = self.inner.as_mut() else {
            return Err(PyRuntimeError::new_err(format!(
                "{call} must not be used after a panic, was"
            )));
        };
        let done = catch_unwind(AssertUnwindSafe(|| {
            let done = work(inner);
            forced(call);
            done
        }));
        done.unwrap_or_else(|_| {
            self.inner = None;
            Err(panicked(call))
        })
    }
}

/// Runs work that owns what it changes, or that guards it by a lock which a panic poisons.
#[inline]
pub(crate) fn caught<R>(call: &'static str, work: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let done = work();
        forced(call);
        done
    }));
    done.unwrap_or_else(|_| Err(panicked(call)))
}

#[cold]
fn panicked(call: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "{call} panicked: its object answers nothing any more"
    ))
}

/// Panics if this call was told to, which only a build for tests can be.
#[cfg(not(feature = "forced-panics"))]
#[inline]
pub(crate) const fn forced(_call: &str) {}

/// Panics in the Nth call of what `EDGEGUARD_PANIC_AT=Class.method[:N]` names, counted from when the file
/// `EDGEGUARD_PANIC_WHEN` is there. The work is done by then and its answer is lost: the worst moment.
#[cfg(feature = "forced-panics")]
pub(crate) fn forced(call: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let Ok(told) = std::env::var("EDGEGUARD_PANIC_AT") else {
        return;
    };
    let (name, number) = told.split_once(':').unwrap_or((told.as_str(), "1"));
    let is_lit = std::env::var_os("EDGEGUARD_PANIC_WHEN")
        .is_none_or(|file| std::path::Path::new(&file).exists());
    if name == call && is_lit {
        let before = CALLS.fetch_add(1, Ordering::Relaxed);
        assert!(
            number.parse() != Ok(before.saturating_add(1)),
            "{call} was told to panic"
        );
    }
}
