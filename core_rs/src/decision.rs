//! Decisions and their printed line, byte for byte as the interface pins it.

use core::fmt::Write as _;

use crate::decimal::{div_ceil, format_scaled, pow10};
use crate::types::{Action, Code, Now, Origin, Trigger};

/// Decimals of fractions and ratios.
const RATIO_PLACES: u8 = 8;
/// Decimals of seconds.
const SECONDS_PLACES: u8 = 9;

/// One change of one trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Number of the event that moved the clock, from 1.
    pub index: u64,
    /// Wall time of the event, or of the deadline that fell due.
    pub t_ns: i64,
    /// Position of the account in the configuration.
    pub account: usize,
    /// The account's id.
    pub account_id: String,
    /// `account`, `strategy:NAME` or `symbol:NAME`.
    pub scope: String,
    /// Position of the scope among the account's scopes, 0 for the account itself.
    pub scope_rank: u32,
    /// What it is about.
    pub trigger: Trigger,
    /// What it does.
    pub action: Action,
    /// The code without its ending.
    pub code: Code,
    /// Percent of a warn band, 0 otherwise.
    pub band: u8,
    /// The measured value as printed; `None` prints null.
    pub value: Option<String>,
    /// The threshold as the configuration writes it; `None` prints null.
    pub threshold: Option<String>,
    /// What it was compared with; `None` prints null.
    pub reference: Option<String>,
    /// The symbol; `None` prints null.
    pub symbol: Option<String>,
    /// Name of the source of the event.
    pub source_file: String,
    /// Line of the event in its source.
    pub source_line: u64,
}

/// What a trigger hands over to become a decision; the engine adds account, event and source.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is about.
    pub trigger: Trigger,
    /// What it does.
    pub action: Action,
    /// The code without its ending.
    pub code: Code,
    /// Percent of a warn band, 0 otherwise.
    pub band: u8,
    /// The measured value as printed.
    pub value: Option<String>,
    /// The threshold as the configuration writes it.
    pub threshold: Option<String>,
    /// What it was compared with.
    pub reference: Option<String>,
    /// The symbol.
    pub symbol: Option<String>,
    /// `account`, or the scope's name.
    pub scope: String,
    /// 0 for the account, then strategies in config order, then symbols by name.
    pub scope_rank: u32,
}

impl Finding {
    /// Returns a finding of the whole account without value, reference or symbol.
    pub fn new(trigger: Trigger, action: Action, code: Code) -> Self {
        Self {
            trigger,
            action,
            code,
            band: 0,
            value: None,
            threshold: None,
            reference: None,
            symbol: None,
            scope: String::from("account"),
            scope_rank: 0,
        }
    }

    /// Adds event, account and source.
    pub fn into_decision(self, frame: &Frame<'_>) -> Decision {
        Decision {
            index: frame.index,
            t_ns: frame.now.wall_ns,
            account: frame.account,
            account_id: frame.account_id.to_string(),
            scope: self.scope,
            scope_rank: self.scope_rank,
            trigger: self.trigger,
            action: self.action,
            code: self.code,
            band: self.band,
            value: self.value,
            threshold: self.threshold,
            reference: self.reference,
            symbol: self.symbol,
            source_file: frame.source_file.to_string(),
            source_line: frame.origin.line,
        }
    }
}

/// The event during which findings are made.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Number of the event.
    pub index: u64,
    /// Time of the event or of the deadline.
    pub now: Now,
    /// Position of the account.
    pub account: usize,
    /// The account's id.
    pub account_id: &'a str,
    /// Name of the source.
    pub source_file: &'a str,
    /// Source and line.
    pub origin: Origin,
}

impl Decision {
    /// Returns the code as printed, with its ending.
    pub fn code_text(&self) -> String {
        match self.action {
            Action::Warn => format!("{}_WARN_{}", self.code.name(), self.band),
            Action::Release => format!("{}_CLEARED", self.code.name()),
            Action::Pause | Action::Halt => self.code.name().to_string(),
        }
    }

    /// Returns the key by which the lines of one instant are ordered.
    pub fn sort_key(&self) -> impl Ord + '_ {
        let subject = match self.trigger {
            Trigger::ConnectionLost => self.reference.as_deref(),
            Trigger::DailyLoss
            | Trigger::TotalDrawdown
            | Trigger::ErrorRate
            | Trigger::PriceAnomaly
            | Trigger::Input => self.symbol.as_deref(),
        };
        (
            self.account,
            self.trigger,
            self.scope_rank,
            subject,
            self.action,
            self.code,
        )
    }

    /// Returns the decision line, compact JSON without a newline.
    pub fn line(&self, config_hash: &str) -> String {
        let mut out = String::with_capacity(360);
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "{{\"v\":1,\"index\":{},\"t_ns\":{},\"account\":",
            self.index, self.t_ns
        );
        json_text(&mut out, &self.account_id);
        out.push_str(",\"scope\":");
        json_text(&mut out, &self.scope);
        let _ = write!(
            out,
            ",\"trigger\":\"{}\",\"action\":\"{}\",\"code\":\"{}\"",
            self.trigger.name(),
            self.action.name(),
            self.code_text()
        );
        json_optional(&mut out, "value", self.value.as_deref());
        json_optional(&mut out, "threshold", self.threshold.as_deref());
        json_optional(&mut out, "reference", self.reference.as_deref());
        json_optional(&mut out, "symbol", self.symbol.as_deref());
        out.push_str(",\"source\":{\"file\":");
        json_text(&mut out, &self.source_file);
        let _ = write!(out, ",\"line\":{}}},\"config_hash\":", self.source_line);
        json_text(&mut out, config_hash);
        out.push('}');
        out
    }
}

fn json_optional(out: &mut String, key: &str, value: Option<&str>) {
    let _ = write!(out, ",\"{key}\":");
    match value {
        Some(text) => json_text(out, text),
        None => out.push_str("null"),
    }
}

/// Appends a JSON string; characters beyond ASCII stay as they are.
pub fn json_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Prints `numerator / denominator` with 8 decimals, rounded up; `None` without a denominator above zero.
pub fn ratio_text(numerator: i128, denominator: i128) -> Option<String> {
    if denominator <= 0 {
        return None;
    }
    let scaled = numerator.saturating_mul(pow10(u32::from(RATIO_PLACES)).unwrap_or(1));
    Some(format_scaled(div_ceil(scaled, denominator), RATIO_PLACES))
}

/// Prints nanoseconds as seconds with 9 decimals.
pub fn seconds_text(ns: i64) -> String {
    format_scaled(i128::from(ns), SECONDS_PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_rounded_towards_plus_infinity() {
        assert_eq!(ratio_text(301, 10_000).unwrap(), "0.03010000");
        assert_eq!(ratio_text(1, 3).unwrap(), "0.33333334");
        assert_eq!(ratio_text(-1, 3).unwrap(), "-0.33333333");
        assert_eq!(ratio_text(-1, 1_000_000_000_000).unwrap(), "0.00000000");
        assert_eq!(ratio_text(1, 0), None);
        assert_eq!(seconds_text(60_000_000_001), "60.000000001");
    }

    #[test]
    fn texts_are_escaped() {
        let mut out = String::new();
        json_text(&mut out, "a\"\\\n\u{1}é");
        assert_eq!(out, "\"a\\\"\\\\\\n\\u0001é\"");
    }
}
