//! Trading sessions: when a market is open, and how much open time lies between two instants.

use std::sync::Arc;

use jiff::civil::{Date, Time, time};

use crate::calendar::{NS_PER_S, Zone, add_days};

/// Days of intervals that are built at a time; longer closures are searched in further steps.
const HORIZON_DAYS: i64 = 10;
/// Steps after which a market that never opens is given up.
const STEPS_MAX: u32 = 3_840;
const DAY_NS: i64 = 86_400 * NS_PER_S;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A weekly interval of local time: `days[0]` is Monday; seconds count from local midnight.
#[derive(Clone, Debug)]
struct Weekly {
    zone: Zone,
    weekday: i8,
    start_s: i64,
    end_s: i64,
}

/// The rule of one session specification.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The texts that it was read from: equal texts are equal rules.
    key: String,
    always: bool,
    weekly: Vec<Weekly>,
    holidays: Vec<Date>,
    holiday_zone: Zone,
}

impl Rule {
    /// Returns the rule of a market that never closes.
    pub fn always() -> Self {
        Self {
            key: "24x7|".into(),
            always: true,
            weekly: Vec::new(),
            holidays: Vec::new(),
            holiday_zone: Zone::utc(),
        }
    }

    /// Reads a session: `24x7`, `24x5`, `24x5_break`, or entries such as `Mon 09:00-17:30 Europe/Berlin`.
    ///
    /// # Errors
    /// A sentence on the first entry that is none of these.
    pub fn parse(entries: &[String], holidays: &[String]) -> Result<Self, String> {
        let date = |text: &String| {
            text.parse::<Date>()
                .map_err(|_| format!("must be a date like 2026-12-25, was {text}"))
        };
        let dates = holidays.iter().map(date).collect::<Result<Vec<_>, _>>()?;
        let new_york = Zone::named("America/New_York").ok_or("must find America/New_York")?;
        let mut rule = Self {
            key: format!("{}|{}", entries.join(";"), holidays.join(";")),
            always: false,
            weekly: Vec::new(),
            holidays: dates,
            holiday_zone: Zone::utc(),
        };
        match entries {
            [word] if word == "24x7" => rule.always = true,
            [word] if word == "24x5" => rule.week(&new_york, 24 * 3600, 0),
            [word] if word == "24x5_break" => rule.week(&new_york, 17 * 3600, 18 * 3600),
            list => {
                for entry in list {
                    rule.weekly.push(parse_entry(entry)?);
                }
            }
        }
        if let Some(first) = rule.weekly.first() {
            rule.holiday_zone = first.zone.clone();
        }
        Ok(rule)
    }

    /// Sunday 17:00 to Friday 17:00; with a break, each day ends at `close_s` and begins at `open_s`.
    fn week(&mut self, zone: &Zone, close_s: i64, open_s: i64) {
        let sunday_s = if open_s == 0 { 17 * 3600 } else { open_s };
        self.push(zone, 6, sunday_s, 24 * 3600);
        for weekday in 0..=4i8 {
            if open_s == 0 {
                let end_s = if weekday == 4 { 17 * 3600 } else { close_s };
                self.push(zone, weekday, 0, end_s);
                continue;
            }
            self.push(zone, weekday, 0, close_s);
            if weekday < 4 {
                self.push(zone, weekday, open_s, 24 * 3600);
            }
        }
    }

    fn push(&mut self, zone: &Zone, weekday: i8, start_s: i64, end_s: i64) {
        self.weekly.push(Weekly {
            zone: zone.clone(),
            weekday,
            start_s,
            end_s,
        });
    }

    /// Returns the texts that it was read from.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Adds the open intervals that touch `[from, to)` to a list.
    fn intervals(&self, from_ns: i64, to_ns: i64, out: &mut Vec<(i64, i64)>) {
        if self.always {
            return self.whole_days(from_ns, to_ns, out);
        }
        for weekly in &self.weekly {
            let mut date = add_days(weekly.zone.date(from_ns), -1);
            loop {
                let start = local(&weekly.zone, date, weekly.start_s);
                if start >= to_ns {
                    break;
                }
                let closed = self.holidays.contains(&date);
                if !closed && date.weekday().to_monday_zero_offset() == weekly.weekday {
                    let end = local(&weekly.zone, date, weekly.end_s);
                    if end > from_ns && end > start {
                        out.push((start, end));
                    }
                }
                let next = add_days(date, 1);
                if next == date {
                    break;
                }
                date = next;
            }
        }
    }

    fn whole_days(&self, from_ns: i64, to_ns: i64, out: &mut Vec<(i64, i64)>) {
        let mut start = from_ns;
        let mut dates = self.holidays.clone();
        dates.sort_unstable();
        for date in dates {
            let of_day = |seconds| local(&self.holiday_zone, date, seconds);
            let (begin, end) = (of_day(0), of_day(86_400));
            if end > start && begin < to_ns {
                if begin > start {
                    out.push((start, begin));
                }
                start = end;
            }
        }
        if start < to_ns {
            out.push((start, to_ns));
        }
    }

    fn is_always_open(&self) -> bool {
        self.always && self.holidays.is_empty()
    }
}

fn local(zone: &Zone, date: Date, seconds: i64) -> i64 {
    if seconds >= 86_400 {
        return zone.instant(add_days(date, 1), time(0, 0, 0, 0));
    }
    let hour = i8::try_from(seconds / 3600).unwrap_or(0);
    let minute = i8::try_from(seconds / 60 % 60).unwrap_or(0);
    let at = Time::new(hour, minute, 0, 0).unwrap_or(Time::MIN);
    zone.instant(date, at)
}

fn parse_entry(entry: &str) -> Result<Weekly, String> {
    let fault = || format!("must be like \"Mon 09:00-17:30 Europe/Berlin\", was \"{entry}\"");
    let mut words = entry.split_whitespace();
    let (Some(day), Some(range), Some(zone), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(fault());
    };
    let index = DAYS
        .iter()
        .position(|name| *name == day)
        .ok_or_else(fault)?;
    let (start, end) = range.split_once('-').ok_or_else(fault)?;
    let start_s = parse_minutes(start).ok_or_else(fault)?;
    let end_s = parse_minutes(end).ok_or_else(fault)?;
    let zone = Zone::named(zone).ok_or_else(fault)?;
    if end_s <= start_s {
        return Err(fault());
    }
    let weekday = i8::try_from(index).map_err(|_| fault())?;
    Ok(Weekly {
        zone,
        weekday,
        start_s,
        end_s,
    })
}

fn parse_minutes(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) || (hour == 24 && minute == 0);
    valid.then(|| {
        hour.saturating_mul(3600)
            .saturating_add(minute.saturating_mul(60))
    })
}

/// One session, or the union of several, with the intervals around the last question kept.
#[derive(Clone, Debug, Default)]
pub struct Session {
    rules: Vec<Arc<Rule>>,
    from_ns: i64,
    to_ns: i64,
    open: Vec<(i64, i64)>,
}

impl Session {
    /// Returns the union of rules; without any rule it is always open.
    pub fn union(mut rules: Vec<Arc<Rule>>) -> Self {
        rules.sort_by(|a, b| a.key.cmp(&b.key));
        rules.dedup_by(|a, b| a.key == b.key);
        let always = rules.is_empty() || rules.iter().any(|rule| rule.is_always_open());
        Self {
            rules: if always { Vec::new() } else { rules },
            ..Self::default()
        }
    }

    /// Returns whether the session never closes.
    pub fn is_always_open(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns whether the session is open, and until when that stays so.
    pub fn at(&mut self, wall_ns: i64) -> (bool, i64) {
        if self.rules.is_empty() {
            return (true, i64::MAX);
        }
        self.cover(wall_ns);
        for (start, end) in &self.open {
            if wall_ns < *start {
                return (false, *start);
            }
            if wall_ns < *end {
                return (true, *end);
            }
        }
        (false, self.to_ns)
    }

    /// Returns how much open time lies in `[from, to)`.
    pub fn open_between(&mut self, from_ns: i64, to_ns: i64) -> i64 {
        if self.rules.is_empty() {
            return to_ns.saturating_sub(from_ns);
        }
        let mut total: i64 = 0;
        let mut at = from_ns;
        while at < to_ns {
            let (open, until) = self.at(at);
            let end = until.min(to_ns);
            if open {
                total = total.saturating_add(end.saturating_sub(at));
            }
            at = end.max(at.saturating_add(1));
        }
        total
    }

    /// Returns the instant at which `amount` ns of open time have passed since `from`; the far future if never.
    pub fn after_open(&mut self, from_ns: i64, amount: i64) -> i64 {
        if self.rules.is_empty() {
            return from_ns.saturating_add(amount);
        }
        let mut left = amount;
        let mut at = from_ns;
        for _ in 0..STEPS_MAX {
            let (open, until) = self.at(at);
            if open {
                let end = at.saturating_add(left);
                if end <= until {
                    return end;
                }
                left = left.saturating_sub(until.saturating_sub(at));
            }
            at = until.max(at.saturating_add(1));
        }
        i64::MAX
    }

    fn cover(&mut self, wall_ns: i64) {
        if self.from_ns <= wall_ns && wall_ns < self.to_ns {
            return;
        }
        self.from_ns = wall_ns.saturating_sub(DAY_NS);
        self.to_ns = wall_ns.saturating_add(HORIZON_DAYS.saturating_mul(DAY_NS));
        let mut all = Vec::new();
        for rule in &self.rules {
            rule.intervals(self.from_ns, self.to_ns, &mut all);
        }
        all.sort_unstable();
        self.open.clear();
        for (start, end) in all {
            match self.open.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => self.open.push((start, end)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(text: &str) -> i64 {
        i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()
    }

    fn session(entries: &[&str], holidays: &[&str]) -> Session {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        Session::union(vec![Arc::new(
            Rule::parse(&own(entries), &own(holidays)).unwrap(),
        )])
    }

    #[test]
    fn forex_week_ends_on_friday_at_17_new_york() {
        let mut week = session(&["24x5"], &[]);
        assert_eq!(
            week.at(ns("2014-05-02T20:59:59.999999999Z")),
            (true, ns("2014-05-02T21:00:00Z"))
        );
        assert_eq!(
            week.at(ns("2014-05-02T21:00:00Z")),
            (false, ns("2014-05-04T21:00:00Z"))
        );
        assert!(week.at(ns("2014-05-04T21:00:00Z")).0);
        let gap = week.open_between(ns("2014-05-02T20:00:00Z"), ns("2014-05-04T22:00:00Z"));
        assert_eq!(gap, 2 * 3600 * NS_PER_S);
        let due = week.after_open(ns("2014-05-02T20:59:30Z"), 60 * NS_PER_S);
        assert_eq!(due, ns("2014-05-04T21:00:30Z"));
    }

    #[test]
    fn gold_breaks_daily_from_17_to_18() {
        let mut week = session(&["24x5_break"], &[]);
        assert_eq!(
            week.at(ns("2014-05-01T21:30:00Z")),
            (false, ns("2014-05-01T22:00:00Z"))
        );
        assert_eq!(
            week.at(ns("2014-05-04T21:30:00Z")),
            (false, ns("2014-05-04T22:00:00Z"))
        );
        assert!(week.at(ns("2014-05-04T22:00:00Z")).0);
    }

    #[test]
    fn lists_and_holidays_are_local() {
        let mut day = session(
            &[
                "Mon 09:00-17:30 Europe/Berlin",
                "Tue 09:00-24:00 Europe/Berlin",
            ],
            &["2024-07-01"],
        );
        assert!(!day.at(ns("2024-07-01T08:00:00Z")).0);
        assert!(day.at(ns("2024-07-02T21:59:59Z")).0);
        assert!(!day.at(ns("2024-07-02T22:00:00Z")).0);
        assert!(day.at(ns("2024-07-08T07:00:00Z")).0);
        let mut always = session(&["24x7"], &["2024-07-01"]);
        assert_eq!(
            always.at(ns("2024-07-01T12:00:00Z")),
            (false, ns("2024-07-02T00:00:00Z"))
        );
        assert!(always.at(ns("2024-07-02T00:00:00Z")).0);
    }

    #[test]
    fn faults_name_the_entry() {
        for bad in [
            "Mon",
            "Mon 09:00-08:00 UTC",
            "Xyz 09:00-10:00 UTC",
            "Mon 09:00-10:00 No/Where",
        ] {
            assert!(
                Rule::parse(&[bad.to_string()], &[])
                    .unwrap_err()
                    .contains(bad)
            );
        }
    }
}
