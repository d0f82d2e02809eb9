//! What `_core.TradingState.react` takes and gives: decisions of any engine, the page's words, events.

use edgeguard_core::page::StateWord;
use edgeguard_core::reaction::{Event, Ruling, encode};
use edgeguard_core::trading_state::TradingState;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::decision::PyDecision;
use crate::page::{WordTuple, to_tuple};

/// `(word, halt id, [(scope, word)], [resumed halt])`: what a page is to show, in `write_page`'s words.
pub(crate) type ShownTuple = (WordTuple, String, Vec<(String, WordTuple)>, Vec<String>);

/// What a decision says, read by the names of its attributes.
#[derive(FromPyObject)]
struct OtherDecision {
    account: String,
    t_ns: i64,
    scope: String,
    trigger: String,
    action: String,
    code: String,
    value: Option<String>,
    threshold: Option<String>,
    reference: Option<String>,
    symbol: Option<String>,
}

/// Does something with what a decision says: one of the shipped engine is read where it lies, one of
/// another engine behind the guard's port by its attributes.
///
/// # Errors
/// Whatever Python raises for an attribute that is not there or of another type.
pub(crate) fn with_ruling<T>(
    decision: &Bound<'_, PyAny>,
    work: impl FnOnce(&Ruling<'_>) -> T,
) -> PyResult<T> {
    if let Ok(shipped) = decision.cast::<PyDecision>() {
        let shipped = shipped.get().decision();
        let code = shipped.code_text();
        return Ok(work(&Ruling::of(shipped, &code)));
    }
    let other: OtherDecision = decision.extract()?;
    Ok(work(&Ruling {
        account: &other.account,
        t_ns: other.t_ns,
        scope: &other.scope,
        trigger: &other.trigger,
        action: &other.action,
        code: &other.code,
        value: other.value.as_deref(),
        threshold: other.threshold.as_deref(),
        reference: other.reference.as_deref(),
        symbol: other.symbol.as_deref(),
    }))
}

/// Returns what the account's page is to show.
pub(crate) fn shown(state: &TradingState) -> ShownTuple {
    let word = state.word();
    let scopes = state.scope_words(word);
    (
        to_tuple(word),
        state.halt_id().to_owned(),
        scopes
            .map(|(scope, word): (&str, StateWord)| (scope.to_owned(), to_tuple(word)))
            .collect(),
        state.resumed().iter().cloned().collect(),
    )
}

/// Returns the bytes of a halt event.
///
/// `at` is wall nanoseconds with epoch and number of the event, `words` are change, scope, trigger
/// and code.
pub(crate) fn event(
    py: Python<'_>,
    state: &TradingState,
    at: (i64, (i64, i64)),
    words: (&str, &str, &str, &str),
    ruling: &Ruling<'_>,
) -> Py<PyBytes> {
    let (t_ns, (epoch, seq)) = at;
    let (change, scope, trigger, code) = words;
    let event = Event {
        account: ruling.account,
        epoch,
        seq,
        t_ns,
        change,
        scope,
        trigger,
        code,
        ruling: *ruling,
    };
    PyBytes::new(py, &encode(&event, state)).unbind()
}
