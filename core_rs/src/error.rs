//! Everything that the core can refuse, as one enum.

use thiserror::Error;

/// Why the core refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The configuration is wrong; one sentence per fault.
    #[error("{}", .0.join("\n"))]
    Config(Vec<String>),
    /// Recorded input cannot be read: file, line and field.
    #[error("{file}:{line}: {text}")]
    Input {
        /// Name of the file without folders.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// What is wrong there.
        text: String,
    },
    /// Persisted references or a profile cannot be used.
    #[error("{0}")]
    State(String),
    /// An argument names nothing that the engine knows.
    #[error("{0}")]
    Argument(String),
}

impl CoreError {
    /// Returns a configuration fault of one sentence.
    pub fn config(text: impl Into<String>) -> Self {
        Self::Config(vec![text.into()])
    }
}
