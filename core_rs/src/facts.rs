//! Symbol facts: the file's key by key, else the terminal's, else the defaults.

use std::sync::Arc;

use crate::config::{Faults, SymbolConfig};
use crate::config_file::{FileSymbol, OneOrMany};
use crate::decimal::{Decimal, gcd, pow10};
use crate::session::Rule;
use crate::types::ProfitMode;

/// Decimals of a volume unit: 1e-8 lot.
pub const VOLUME_SCALE: u8 = 8;
/// Largest number of decimals of a price.
pub const DIGITS_MAX: u8 = 10;
/// Decimals that a contract size and the digits may have together: more would not fit the fine unit.
const FACT_PLACES: u8 = 12;
/// Units of one lot where nobody says: the usual lot of a currency pair.
const CONTRACT_SIZE_DEFAULT: Decimal = Decimal::new(100_000, 0);

/// Facts of one origin; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FactLayer {
    /// Decimals of a price.
    pub digits: Option<u8>,
    /// Units of one lot.
    pub contract_size: Option<Fact>,
    /// Profit rule.
    pub mode: Option<ProfitMode>,
    /// Base currency.
    pub currency_base: Option<String>,
    /// Profit currency.
    pub currency_profit: Option<String>,
    /// Smallest price step.
    pub tick_size: Option<Fact>,
    /// Value of that step per lot, in the account currency.
    pub tick_value: Option<Fact>,
}

/// A decimal fact that compares by its text's value.
#[derive(Clone, Copy, Debug)]
pub struct Fact(pub Decimal);

impl PartialEq for Fact {
    fn eq(&self, other: &Self) -> bool {
        self.0.compare(other.0).is_eq()
    }
}

/// The facts that the account model uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Decimals of a price.
    pub digits: u8,
    /// Base currency.
    pub base: String,
    /// Profit currency.
    pub profit: String,
    /// Profit of one volume unit and one point.
    pub unit: Unit,
}

/// Profit of one volume unit (1e-8 lot) and one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    /// Exact fine units (1e-20) of the profit currency.
    Fine(i128),
    /// `numerator / denominator` fine units, for a tick value over a tick size.
    Ratio(i128, i128),
}

impl FactLayer {
    /// Takes every fact that the other layer has.
    pub fn update(&mut self, newer: &Self) {
        fn take<T: Clone>(slot: &mut Option<T>, value: Option<&T>) {
            if let Some(value) = value {
                *slot = Some(value.clone());
            }
        }
        take(&mut self.digits, newer.digits.as_ref());
        take(&mut self.contract_size, newer.contract_size.as_ref());
        take(&mut self.mode, newer.mode.as_ref());
        take(&mut self.currency_base, newer.currency_base.as_ref());
        take(&mut self.currency_profit, newer.currency_profit.as_ref());
        take(&mut self.tick_size, newer.tick_size.as_ref());
        take(&mut self.tick_value, newer.tick_value.as_ref());
    }

    /// Returns the facts to use: this layer (the file's) before the other (the terminal's); `None` without digits.
    ///
    /// # Errors
    /// A sentence when the numbers do not fit together.
    pub fn resolve(&self, name: &str, terminal: &Self) -> Result<Option<Facts>, String> {
        let Some(digits) = self.digits.or(terminal.digits) else {
            return Ok(None);
        };
        let letters =
            |range: core::ops::Range<usize>| name.get(range).unwrap_or_default().to_string();
        let base = self
            .currency_base
            .clone()
            .or_else(|| terminal.currency_base.clone());
        let profit = self
            .currency_profit
            .clone()
            .or_else(|| terminal.currency_profit.clone());
        let contract = self
            .contract_size
            .or(terminal.contract_size)
            .map_or(CONTRACT_SIZE_DEFAULT, |fact| fact.0);
        let mode = self.mode.or(terminal.mode).unwrap_or(ProfitMode::Contract);
        let unit = match mode {
            ProfitMode::Contract => contract_unit(contract, digits)?,
            ProfitMode::TickValue => {
                let size = self
                    .tick_size
                    .or(terminal.tick_size)
                    .map_or(Decimal::new(1, digits), |fact| fact.0);
                let value = self.tick_value.or(terminal.tick_value);
                tick_unit(value.map(|fact| fact.0), size, digits)?
            }
        };
        Ok(Some(Facts {
            digits,
            base: base.unwrap_or_else(|| letters(0..3)),
            profit: profit.unwrap_or_else(|| letters(3..6)),
            unit,
        }))
    }
}

/// contract x 10^-digits x 10^-8 lots, in units of 1e-20.
fn contract_unit(contract: Decimal, digits: u8) -> Result<Unit, String> {
    let places = FACT_PLACES.saturating_sub(digits);
    contract
        .to_scaled_exact(places)
        .filter(|unit| *unit > 0 && *unit < 1_000_000_000_000_000_000_000_000_000)
        .map(Unit::Fine)
        .ok_or_else(|| format!("contract_size must be above 0 with at most {places} decimals"))
}

/// value / size x 10^-digits x 10^-8 lots, in units of 1e-20.
fn tick_unit(value: Option<Decimal>, size: Decimal, digits: u8) -> Result<Unit, String> {
    let value = value.ok_or("tick_value must be given for this calc_mode")?;
    if !value.is_positive() || !size.is_positive() {
        return Err("tick_value and tick_size must be above 0".into());
    }
    let places = i32::from(FACT_PLACES)
        .saturating_sub(i32::from(digits))
        .saturating_sub(i32::from(value.scale()))
        .saturating_add(i32::from(size.scale()));
    let factor = pow10(places.unsigned_abs());
    let (numerator, denominator) = if places >= 0 {
        (
            factor.and_then(|factor| value.mantissa().checked_mul(factor)),
            Some(size.mantissa()),
        )
    } else {
        (
            Some(value.mantissa()),
            factor.and_then(|factor| size.mantissa().checked_mul(factor)),
        )
    };
    match (numerator, denominator) {
        (Some(numerator), Some(denominator)) => {
            let divisor = gcd(numerator, denominator).max(1);
            let reduced = |term: i128| term.checked_div(divisor).unwrap_or(term);
            Ok(Unit::Ratio(reduced(numerator), reduced(denominator)))
        }
        _ => Err("tick_value over tick_size must be below 1e26".into()),
    }
}

/// Parses one `[[symbol]]`.
pub fn parse_symbol(file: &FileSymbol, faults: &mut Faults) -> SymbolConfig {
    let prefix = format!("symbol.{}", file.name);
    let mut facts = FactLayer {
        currency_base: file.currency_base.clone().filter(|text| !text.is_empty()),
        currency_profit: file.currency_profit.clone().filter(|text| !text.is_empty()),
        ..FactLayer::default()
    };
    if let Some(digits) = file.digits {
        facts.digits = u8::try_from(digits)
            .ok()
            .filter(|digits| *digits <= DIGITS_MAX);
        if facts.digits.is_none() {
            faults.add(
                &format!("{prefix}.digits"),
                "be in 0..10",
                &digits.to_string(),
            );
        }
    }
    if let Some(mode) = &file.calc_mode {
        facts.mode = ProfitMode::of_calc_mode(mode);
        if facts.mode.is_none() {
            faults.add(
                &format!("{prefix}.calc_mode"),
                "be a known calculation mode",
                mode,
            );
        }
    }
    let mut fact = |key: &str, text: &Option<String>| {
        text.as_ref()
            .map(|text| Fact(faults.decimal(&format!("{prefix}.{key}"), text)))
    };
    facts.contract_size = fact("contract_size", &file.contract_size);
    facts.tick_size = fact("tick_size", &file.tick_size);
    facts.tick_value = fact("tick_value", &file.tick_value);
    let terminal_may_say = FactLayer {
        tick_value: Some(Fact(Decimal::new(1, 0))),
        ..FactLayer::default()
    };
    if let Err(sentence) = facts.resolve(&file.name, &terminal_may_say) {
        faults.say(&format!("{prefix}.{sentence}"), "");
    }
    if file.spread_floor_points < 0 || file.spread_normal_points.is_some_and(|points| points < 0) {
        faults.add(
            &format!("{prefix}.spread_floor_points"),
            "be at least 0, like spread_normal_points",
            &file.spread_floor_points.to_string(),
        );
    }
    let entries = file
        .session
        .as_ref()
        .map_or_else(|| vec!["24x7".to_string()], OneOrMany::list);
    let session = Rule::parse(&entries, &file.holidays).unwrap_or_else(|sentence| {
        faults.say(&format!("{prefix}.session"), &sentence);
        Rule::always()
    });
    let daily_loss = file
        .limits
        .as_ref()
        .map(|limits| faults.threshold(&format!("{prefix}.limits.daily_loss"), &limits.daily_loss));
    SymbolConfig {
        name: file.name.clone(),
        facts,
        normal_points: file.spread_normal_points,
        floor_points: file.spread_floor_points,
        session: Arc::new(session),
        daily_loss,
    }
}
