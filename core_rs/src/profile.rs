//! Learned spread profiles: points per quarter hour of the New York week.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::calendar::BUCKETS;
use crate::error::CoreError;

#[derive(Deserialize)]
struct File {
    version: u32,
    symbols: BTreeMap<String, FileSymbol>,
}

#[derive(Deserialize)]
struct FileSymbol {
    buckets: Vec<Option<u32>>,
}

/// Reads the buckets of one symbol from a profile's JSON.
///
/// # Errors
/// `CoreError::Config` when it is no profile of version 1 with 672 buckets of that symbol.
pub fn parse(symbol: &str, data: &[u8]) -> Result<Vec<Option<u32>>, CoreError> {
    let field = format!("symbol.{symbol}.spread_profile");
    let file: File = serde_json::from_slice(data).map_err(|error| {
        CoreError::config(format!("{field} must be a profile's JSON, was: {error}"))
    })?;
    if file.version != 1 {
        return Err(CoreError::config(format!(
            "{field} must have version 1, was {}",
            file.version
        )));
    }
    let Some(found) = file.symbols.get(symbol) else {
        return Err(CoreError::config(format!(
            "{field} must hold {symbol}, was without it"
        )));
    };
    if found.buckets.len() != BUCKETS {
        return Err(CoreError::config(format!(
            "{field} must have {BUCKETS} buckets, was {}",
            found.buckets.len()
        )));
    }
    Ok(found.buckets.clone())
}
