//! Faults of a configuration: all of them, each with its field.

use super::Threshold;
use crate::calendar::NS_PER_S;
use crate::decimal::Decimal;
use crate::error::CoreError;

const NS_PER_MS: i64 = 1_000_000;

/// Collects every fault instead of stopping at the first.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<String>,
}

impl Faults {
    /// Notes a fault: `<field> must <requirement>, was <value>`.
    pub fn add(&mut self, field: &str, requirement: &str, value: &str) {
        self.list
            .push(format!("{field} must {requirement}, was {value}"));
    }

    /// Notes a finished sentence about a field.
    pub fn say(&mut self, field: &str, sentence: &str) {
        self.list.push(format!("{field} {sentence}"));
    }

    /// Returns the value when nothing was noted.
    ///
    /// # Errors
    /// All faults.
    pub fn finish<T>(self, value: T) -> Result<T, CoreError> {
        if self.list.is_empty() {
            Ok(value)
        } else {
            Err(CoreError::Config(self.list))
        }
    }

    /// Reads a decimal.
    pub fn decimal(&mut self, field: &str, text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap_or_else(|_| {
            self.add(field, "be a decimal number", text);
            Decimal::new(1, 0)
        })
    }

    /// Reads a decimal that is not below zero.
    pub fn threshold(&mut self, field: &str, text: &str) -> Threshold {
        let value = self.decimal(field, text);
        if value.mantissa() < 0 {
            self.add(field, "be at least 0", text);
        }
        Threshold {
            value,
            text: text.to_string(),
        }
    }

    /// Reads seconds as nanoseconds.
    pub fn seconds(&mut self, field: &str, text: &str) -> i64 {
        let value = self.decimal(field, text);
        match value
            .to_scaled_exact(9)
            .and_then(|ns| i64::try_from(ns).ok())
        {
            Some(ns) if (0..=1_000_000_000 * NS_PER_S).contains(&ns) => ns,
            _ => {
                self.add(
                    field,
                    "be at least 0 seconds, with at most 9 decimals",
                    text,
                );
                NS_PER_S
            }
        }
    }

    pub(super) fn milliseconds(&mut self, field: &str, value: i64) -> i64 {
        if !(0..=1_000_000_000).contains(&value) {
            self.add(field, "be in 0..1000000000 ms", &value.to_string());
        }
        value.saturating_mul(NS_PER_MS)
    }

    pub(super) fn count(&mut self, field: &str, value: i64, max: i64) -> usize {
        if !(0..=max).contains(&value) {
            self.add(field, &format!("be in 0..{max}"), &value.to_string());
        }
        usize::try_from(value).unwrap_or(0)
    }
}
