//! `edgeguard._core`: conversion between Python and `edgeguard-core`, nothing else.

use pyo3::prelude::*;

mod decision;
mod engine;
mod error;
mod gate;
mod lease;
mod page;
mod panics;
mod reaction;
mod state;

/// The compiled half of `EdgeGuard`.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::PyEngine>()?;
    module.add_class::<decision::PyDecision>()?;
    page::add_to(module)?;
    gate::add_to(module)?;
    module.add_class::<lease::PyLease>()?;
    module.add_class::<state::PyTradingState>()
}
