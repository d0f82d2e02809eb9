//! Zones and local times: when a calendar day begins, and which quarter hour of the New York week it is.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Nanoseconds of one second.
pub const NS_PER_S: i64 = 1_000_000_000;
/// Quarter hours of a week.
pub const BUCKETS: usize = 672;
const BUCKET_S: i64 = 900;
const DAY_S: i64 = 86_400;
/// The Unix epoch was a Thursday: this many days after a Sunday.
const EPOCH_WEEKDAY: i64 = 4;

/// An IANA time zone.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
}

impl Zone {
    /// Returns the zone of that IANA name, `None` when there is none.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(|zone| Self { zone })
    }

    /// Returns UTC.
    pub const fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
        }
    }

    /// Returns the local date at an instant.
    pub fn date(&self, wall_ns: i64) -> Date {
        self.zone.to_datetime(timestamp(wall_ns)).date()
    }

    /// Returns the offset from UTC at an instant, in seconds.
    pub fn offset_s(&self, wall_ns: i64) -> i64 {
        i64::from(self.zone.to_offset(timestamp(wall_ns)).seconds())
    }

    /// Returns the instant of a local time: the next existing one for a time that does not exist, the
    /// first for a time that exists twice.
    pub fn instant(&self, date: Date, time: Time) -> i64 {
        let local = DateTime::from_parts(date, time);
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => wall(offset.to_timestamp(local)),
            AmbiguousOffset::Fold { before, .. } => wall(before.to_timestamp(local)),
            AmbiguousOffset::Gap { before, .. } => {
                let inside = wall(before.to_timestamp(local));
                let after = timestamp(inside.saturating_add(1));
                self.zone
                    .preceding(after)
                    .next()
                    .map_or(inside, |transition| wall(Ok(transition.timestamp())))
            }
        }
    }

    /// Returns the first instant above `wall_ns` at which a calendar day that begins at `time` begins.
    pub fn next_day_start(&self, wall_ns: i64, time: Time) -> i64 {
        let today = self.date(wall_ns);
        let mut best = i64::MAX;
        for days in -2..=3 {
            let instant = self.instant(add_days(today, days), time);
            if instant > wall_ns {
                best = best.min(instant);
            }
        }
        best
    }
}

/// Returns a date some days later, the same date at the end of the calendar.
pub fn add_days(date: Date, days: i64) -> Date {
    date.checked_add(SignedDuration::from_hours(days.saturating_mul(24)))
        .unwrap_or(date)
}

/// Quarter hours of the New York local week, bucket 0 beginning on Sunday at 00:00.
#[derive(Clone, Debug)]
pub struct WeekBuckets {
    zone: Zone,
}

impl WeekBuckets {
    /// Returns the buckets of a zone.
    pub const fn new(zone: Zone) -> Self {
        Self { zone }
    }

    /// Returns the bucket at an instant, and the instant at which it ends.
    pub fn at(&self, wall_ns: i64) -> (usize, i64) {
        let seconds = wall_ns.div_euclid(NS_PER_S);
        let local = seconds.saturating_add(self.zone.offset_s(wall_ns));
        let week = local
            .saturating_add(EPOCH_WEEKDAY.saturating_mul(DAY_S))
            .rem_euclid(7 * DAY_S);
        let into = local.rem_euclid(BUCKET_S);
        let end = seconds.saturating_sub(into).saturating_add(BUCKET_S);
        (
            usize::try_from(week / BUCKET_S).unwrap_or(0),
            end.saturating_mul(NS_PER_S),
        )
    }
}

fn timestamp(wall_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(wall_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn wall(stamp: Result<Timestamp, jiff::Error>) -> i64 {
    stamp
        .ok()
        .and_then(|stamp| i64::try_from(stamp.as_nanosecond()).ok())
        .unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};

    fn ns(text: &str) -> i64 {
        wall(text.parse::<Timestamp>())
    }

    #[test]
    fn days_have_23_and_25_hours_around_the_changes() {
        let zone = Zone::named("America/New_York").unwrap();
        let at = time(17, 0, 0, 0);
        let start = zone.next_day_start(ns("2014-03-08T12:00:00Z"), at);
        assert_eq!(start, ns("2014-03-08T22:00:00Z"));
        let next = zone.next_day_start(start, at);
        assert_eq!(next, ns("2014-03-09T21:00:00Z"));
        let start = zone.next_day_start(ns("2014-11-01T12:00:00Z"), at);
        assert_eq!(zone.next_day_start(start, at), start + 25 * 3600 * NS_PER_S);
    }

    #[test]
    fn a_missing_time_is_the_next_existing_one_and_a_doubled_one_the_first() {
        let zone = Zone::named("Europe/Prague").unwrap();
        let gap = zone.instant(date(2024, 3, 31), time(2, 30, 0, 0));
        assert_eq!(gap, ns("2024-03-31T01:00:00Z"));
        assert_eq!(zone.instant(date(2024, 3, 31), time(2, 0, 0, 0)), gap);
        let fold = zone.instant(date(2024, 10, 27), time(2, 30, 0, 0));
        assert_eq!(fold, ns("2024-10-27T00:30:00Z"));
    }

    #[test]
    fn buckets_begin_on_sunday_at_midnight_in_new_york() {
        let weeks = WeekBuckets::new(Zone::named("America/New_York").unwrap());
        let (bucket, end) = weeks.at(ns("2014-05-04T04:00:00Z"));
        assert_eq!(bucket, 0);
        assert_eq!(end, ns("2014-05-04T04:15:00Z"));
        assert_eq!(weeks.at(ns("2014-05-04T21:00:00.5Z")).0, 17 * 4);
        assert_eq!(weeks.at(ns("2014-05-04T03:59:59Z")).0, 671);
    }
}
