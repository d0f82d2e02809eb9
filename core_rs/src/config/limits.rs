//! `[[account]]` and its limits, from texts to values.

use jiff::civil::Time;

use super::{
    AccountConfig, DailyReference, DrawdownMode, Faults, FirstReference, Limits, SAMPLES_MAX,
};
use crate::calendar::Zone;
use crate::config_file::{FileAccount, FileLimits};
use crate::decimal::Decimal;

const NS_PER_MS: i64 = 1_000_000;

pub(super) fn parse_account(file: &FileAccount, faults: &mut Faults) -> AccountConfig {
    let prefix = format!("account.{}", file.id);
    let initial = faults.decimal(&format!("{prefix}.initial_balance"), &file.initial_balance);
    let digits = file.currency_digits;
    if digits > 8 {
        faults.add(
            &format!("{prefix}.currency_digits"),
            "be in 0..8",
            &digits.to_string(),
        );
    }
    let limits = parse_limits(&prefix, &file.limits, faults);
    if let Some(lock_at) = limits.lock_at {
        let keep = subtract_from_one(limits.total_drawdown.value);
        let floor = keep.and_then(|keep| initial.product(keep));
        if floor.is_some_and(|floor| lock_at.compare(floor).is_lt()) {
            let text = file.limits.lock_at.as_deref().unwrap_or_default();
            faults.add(
                &format!("{prefix}.limits.lock_at"),
                "be at least the first floor",
                text,
            );
        }
    }
    AccountConfig {
        id: file.id.clone(),
        currency: file.currency.clone(),
        currency_digits: digits,
        initial_minor: initial.to_scaled(digits).unwrap_or(0),
        limits,
    }
}

fn subtract_from_one(value: Decimal) -> Option<Decimal> {
    let one = Decimal::new(1, 0).to_scaled(value.scale())?;
    Some(Decimal::new(
        one.checked_sub(value.mantissa())?,
        value.scale(),
    ))
}

#[allow(clippy::too_many_lines, reason = "one line per key")]
fn parse_limits(prefix: &str, file: &FileLimits, faults: &mut Faults) -> Limits {
    let name = |key: &str| format!("{prefix}.limits.{key}");
    let window = faults.seconds(&name("spread_window_s"), &file.spread_window_s);
    let sample = faults.milliseconds(&name("spread_sample_ms"), file.spread_sample_ms);
    if sample < NS_PER_MS
        || window < 1
        || window
            .checked_div(sample)
            .is_none_or(|count| count > SAMPLES_MAX)
    {
        faults.add(
            &name("spread_sample_ms"),
            "be at least 1 and give at most 4000000 samples",
            &file.spread_sample_ms.to_string(),
        );
    }
    Limits {
        daily_loss: faults.threshold(&name("daily_loss"), &file.daily_loss),
        daily_reference: choice(
            faults,
            &name("daily_reference"),
            &file.daily_reference,
            &DAILY_REFERENCES,
        ),
        daily_base_is_initial: choice(faults, &name("daily_base"), &file.daily_base, &DAILY_BASES),
        rollover_time: time_of_day(faults, &name("rollover_time"), &file.rollover_time),
        rollover_zone: zone(faults, &name("rollover_zone"), &file.rollover_zone),
        first_reference: choice(
            faults,
            &name("first_reference"),
            &file.first_reference,
            &FIRST_REFERENCES,
        ),
        total_drawdown: faults.threshold(&name("total_drawdown"), &file.total_drawdown),
        drawdown_mode: choice(
            faults,
            &name("drawdown_mode"),
            &file.drawdown_mode,
            &DRAWDOWN_MODES,
        ),
        lock_at: file
            .lock_at
            .as_ref()
            .map(|text| faults.decimal(&name("lock_at"), text)),
        connection_lost: faults.threshold(&name("connection_lost_s"), &file.connection_lost_s),
        connection_lost_ns: faults.seconds(&name("connection_lost_s"), &file.connection_lost_s),
        errors_per_minute: faults.count(
            &name("errors_per_minute"),
            file.errors_per_minute,
            1_000_000,
        ),
        errors_text: file.errors_per_minute.to_string(),
        confirm_reported: choice(faults, &name("confirm"), &file.confirm, &CONFIRMS),
        confirm_ns: faults.milliseconds(&name("confirm_ms"), file.confirm_ms),
        spread_multiple: faults.threshold(&name("spread_multiple"), &file.spread_multiple),
        spread_clear_multiple: faults
            .threshold(&name("spread_clear_multiple"), &file.spread_clear_multiple)
            .value,
        spread_clear_ns: faults.seconds(&name("spread_clear_s"), &file.spread_clear_s),
        spread_window_ns: window,
        spread_sample_ns: sample.max(1),
        spread_samples_min: faults.count(
            &name("spread_samples_min"),
            file.spread_samples_min,
            SAMPLES_MAX,
        ),
        spread_confirm_ticks: i64::try_from(faults.count(
            &name("spread_confirm_ticks"),
            file.spread_confirm_ticks,
            1_000_000,
        ))
        .unwrap_or(1),
        spread_freeze_max_ns: faults
            .seconds(&name("spread_freeze_max_s"), &file.spread_freeze_max_s),
        jump_frac: faults.threshold(&name("jump_frac"), &file.jump_frac).value,
        jump_confirm_ns: faults.milliseconds(&name("jump_confirm_ms"), file.jump_confirm_ms),
        releases_per_hour: faults.count(&name("releases_per_hour"), file.releases_per_hour, 3600),
        price_age_max_ns: faults.seconds(&name("price_age_max_s"), &file.price_age_max_s),
        diverge_frac: faults
            .threshold(&name("diverge_frac"), &file.diverge_frac)
            .value,
        errors_not_counted: file.errors_not_counted.clone(),
    }
}

const DAILY_REFERENCES: [(&str, DailyReference); 4] = [
    ("max_balance_equity", DailyReference::MaxBalanceEquity),
    ("balance", DailyReference::Balance),
    ("equity", DailyReference::Equity),
    ("initial_balance", DailyReference::InitialBalance),
];
const DAILY_BASES: [(&str, bool); 2] = [("reference", false), ("initial_balance", true)];
const FIRST_REFERENCES: [(&str, FirstReference); 3] = [
    ("history", FirstReference::History),
    ("snapshot", FirstReference::Snapshot),
    ("operator", FirstReference::Operator),
];
const DRAWDOWN_MODES: [(&str, DrawdownMode); 3] = [
    ("trailing_equity", DrawdownMode::TrailingEquity),
    ("static", DrawdownMode::Static),
    ("trailing_eod_balance", DrawdownMode::TrailingEodBalance),
];
const CONFIRMS: [(&str, bool); 2] = [("reported", true), ("none", false)];

fn choice<T: Copy, const N: usize>(
    faults: &mut Faults,
    field: &str,
    text: &str,
    words: &[(&str, T); N],
) -> T {
    for (word, value) in words {
        if *word == text {
            return *value;
        }
    }
    let list = words
        .iter()
        .map(|(word, _)| *word)
        .collect::<Vec<_>>()
        .join(", ");
    faults.add(field, &format!("be one of {list}"), text);
    words[0].1
}

fn time_of_day(faults: &mut Faults, field: &str, text: &str) -> Time {
    let parsed = text.split_once(':').and_then(|(hour, rest)| {
        let (minute, second) = rest.split_once(':').unwrap_or((rest, "0"));
        Time::new(
            hour.parse().ok()?,
            minute.parse().ok()?,
            second.parse().ok()?,
            0,
        )
        .ok()
    });
    parsed.unwrap_or_else(|| {
        faults.add(field, "be a time of day like 17:00", text);
        Time::MIN
    })
}

fn zone(faults: &mut Faults, field: &str, text: &str) -> Zone {
    Zone::named(text).unwrap_or_else(|| {
        faults.add(field, "be an IANA zone like America/New_York", text);
        Zone::utc()
    })
}
