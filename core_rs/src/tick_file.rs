//! Parsers of recorded tick files, from bytes to rows; the Python side unpacks archives.

use jiff::civil::Date;

use crate::decimal::Decimal;
use crate::error::CoreError;
use crate::price::Price;

const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: i64 = 1_000_000_000;
/// Bytes of one record of Dukascopy's binary format.
const BI5_RECORD: usize = 20;

/// One recorded quote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawTick {
    /// Time in ns since the Unix epoch.
    pub t_ns: i64,
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// Line or record number, from 1.
    pub line: u64,
}

/// The rows before the first fault, and the fault.
#[derive(Debug)]
pub struct Parsed {
    /// Rows in the file's order; their times never go back.
    pub rows: Vec<RawTick>,
    /// What stopped the parsing.
    pub fault: Option<CoreError>,
}

/// What is known of a file besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// `oanda`, `bookticker`, `mt5csv` or `dukascopy`.
    pub kind: &'a str,
    /// The symbol that it quotes.
    pub symbol: &'a str,
    /// What lines call it.
    pub name: &'a str,
    /// `20140501`, or with the hour `2014050113`, where the rows leave it out.
    pub day: Option<&'a str>,
}

/// Parses a file; Dukascopy's is the binary format of one hour when a day is given, else the CSV
/// export. `digits` are those of the symbol.
///
/// # Errors
/// `CoreError::Argument` for an unknown kind or a missing or wrong day.
pub fn parse(about: About<'_>, data: &[u8], digits: u8) -> Result<Parsed, CoreError> {
    let name = about.name;
    let midnight = match about.day {
        Some(text) => Some(midnight_ns(text)?),
        None => None,
    };
    let need_date = || {
        midnight.ok_or_else(|| {
            CoreError::Argument(format!(
                "{name} must have a date like 20140501 in its name, had none"
            ))
        })
    };
    let mut file = File {
        name,
        rows: Vec::with_capacity(data.len() / 24),
        last_ns: i64::MIN,
    };
    let outcome = match about.kind {
        "oanda" => file.lines(
            data,
            &mut Oanda {
                midnight: need_date()?,
            },
        ),
        "bookticker" => file.lines(data, &mut BookTicker),
        "mt5csv" => file.lines(data, &mut Mt5Csv::default()),
        "dukascopy" => match midnight {
            Some(hour) => file.bi5(data, hour, digits),
            None => file.lines(data, &mut DukascopyCsv),
        },
        other => {
            let text = format!("kind must be oanda, dukascopy, mt5csv or bookticker, was {other}");
            return Err(CoreError::Argument(text));
        }
    };
    Ok(Parsed {
        rows: file.rows,
        fault: outcome.err(),
    })
}

/// What one line of a format says: a row, a header, or a fault in a field.
trait Format {
    /// Reads one line that is not empty; `Ok(None)` is a header.
    fn read(&mut self, line: &[u8], number: u64) -> Result<Option<(i64, Price, Price)>, String>;
}

struct File<'a> {
    name: &'a str,
    rows: Vec<RawTick>,
    last_ns: i64,
}

impl File<'_> {
    fn lines(&mut self, data: &[u8], format: &mut impl Format) -> Result<(), CoreError> {
        let mut number: u64 = 0;
        let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
        for line in data.split(|byte| *byte == b'\n') {
            number = number.saturating_add(1);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match format.read(line, number) {
                Ok(Some((t_ns, bid, ask))) => self.push(t_ns, bid, ask, number)?,
                Ok(None) => {}
                Err(text) => return Err(self.fault(number, text)),
            }
        }
        Ok(())
    }

    fn bi5(&mut self, data: &[u8], hour_ns: i64, digits: u8) -> Result<(), CoreError> {
        let (records, rest) = data.as_chunks::<BI5_RECORD>();
        let mut number: u64 = 0;
        for record in records {
            number = number.saturating_add(1);
            let word = |from: usize| {
                let bytes = record.get(from..).and_then(|tail| tail.first_chunk::<4>());
                bytes.map_or(0, |bytes| i64::from(u32::from_be_bytes(*bytes)))
            };
            let price = |points: i64| Price::Exact {
                mantissa: points,
                scale: digits,
            };
            let t_ns = hour_ns.saturating_add(word(0).saturating_mul(NS_PER_MS));
            self.push(t_ns, price(word(8)), price(word(4)), number)?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.fault(
            number.saturating_add(1),
            format!("record must have {BI5_RECORD} bytes, was {}", rest.len()),
        ))
    }

    fn push(&mut self, t_ns: i64, bid: Price, ask: Price, line: u64) -> Result<(), CoreError> {
        if t_ns < self.last_ns {
            return Err(self.fault(
                line,
                format!("t_ns must not go back, was {t_ns} after {}", self.last_ns),
            ));
        }
        self.last_ns = t_ns;
        self.rows.push(RawTick {
            t_ns,
            bid,
            ask,
            line,
        });
        Ok(())
    }

    fn fault(&self, line: u64, text: String) -> CoreError {
        CoreError::Input {
            file: self.name.to_string(),
            line,
            text,
        }
    }
}

fn field<'a>(fields: &mut impl Iterator<Item = &'a [u8]>, name: &str) -> Result<&'a [u8], String> {
    fields
        .next()
        .map(<[u8]>::trim_ascii)
        .ok_or_else(|| format!("{name} must be there, was missing"))
}

fn price(text: &[u8], name: &str) -> Result<Price, String> {
    Price::from_text(text).map_err(|_| {
        format!(
            "{name} must be a number, was {}",
            String::from_utf8_lossy(text)
        )
    })
}

fn number(text: &[u8], name: &str) -> Result<Decimal, String> {
    Decimal::parse(text).map_err(|_| {
        format!(
            "{name} must be a number, was {}",
            String::from_utf8_lossy(text)
        )
    })
}

/// Milliseconds since midnight with decimals, bid, ask; without a header.
struct Oanda {
    midnight: i64,
}

impl Format for Oanda {
    fn read(&mut self, line: &[u8], _: u64) -> Result<Option<(i64, Price, Price)>, String> {
        let mut fields = line.split(|byte| *byte == b',');
        let ms = field(&mut fields, "milliseconds")?;
        let ns = number(ms, "milliseconds")?
            .to_scaled(6)
            .and_then(|ns| i64::try_from(ns).ok());
        let ns = ns.filter(|ns| (0..=2 * 86_400 * NS_PER_S).contains(ns));
        let ns = ns.ok_or_else(|| {
            format!(
                "milliseconds must be within the day, was {}",
                String::from_utf8_lossy(ms)
            )
        })?;
        let bid = price(field(&mut fields, "bid")?, "bid")?;
        let ask = price(field(&mut fields, "ask")?, "ask")?;
        Ok(Some((self.midnight.saturating_add(ns), bid, ask)))
    }
}

/// Receive time in ns, bid, its quantity, ask, its quantity; with a header.
struct BookTicker;

impl Format for BookTicker {
    fn read(&mut self, line: &[u8], row: u64) -> Result<Option<(i64, Price, Price)>, String> {
        if row == 1 && !line.first().is_some_and(u8::is_ascii_digit) {
            return Ok(None);
        }
        let mut fields = line.split(|byte| *byte == b',');
        let text = field(&mut fields, "recv_ns")?;
        let t_ns = number(text, "recv_ns")?
            .to_scaled_exact(0)
            .and_then(|ns| i64::try_from(ns).ok());
        let t_ns = t_ns.ok_or_else(|| {
            format!(
                "recv_ns must be nanoseconds, was {}",
                String::from_utf8_lossy(text)
            )
        })?;
        let bid = price(field(&mut fields, "bid")?, "bid")?;
        field(&mut fields, "bid_qty")?;
        let ask = price(field(&mut fields, "ask")?, "ask")?;
        Ok(Some((t_ns, bid, ask)))
    }
}

/// The terminal's export: tabs, `<DATE> <TIME> <BID> <ASK> <LAST> <VOLUME> <FLAGS>`; an empty price did not change.
#[derive(Default)]
struct Mt5Csv {
    bid: Option<Price>,
    ask: Option<Price>,
}

impl Format for Mt5Csv {
    fn read(&mut self, line: &[u8], row: u64) -> Result<Option<(i64, Price, Price)>, String> {
        if row == 1 && !line.first().is_some_and(u8::is_ascii_digit) {
            return Ok(None);
        }
        let mut fields = line.split(|byte| *byte == b'\t');
        let date = field(&mut fields, "<DATE>")?;
        let time = field(&mut fields, "<TIME>")?;
        let t_ns = date_ns(date, b'.')
            .zip(time_ns(time))
            .map(|(date, time)| date.saturating_add(time))
            .ok_or_else(|| {
                format!(
                    "<DATE> <TIME> must be like 2024.05.01 00:00:01.123, was {} {}",
                    String::from_utf8_lossy(date),
                    String::from_utf8_lossy(time)
                )
            })?;
        let bid = field(&mut fields, "<BID>")?;
        let ask = field(&mut fields, "<ASK>")?;
        if !bid.is_empty() {
            self.bid = Some(price(bid, "<BID>")?);
        }
        if !ask.is_empty() {
            self.ask = Some(price(ask, "<ASK>")?);
        }
        Ok(self.bid.zip(self.ask).map(|(bid, ask)| (t_ns, bid, ask)))
    }
}

/// Dukascopy's CSV export: `Gmt time,Ask,Bid,AskVolume,BidVolume`, time like `01.05.2014 00:00:00.292`.
struct DukascopyCsv;

impl Format for DukascopyCsv {
    fn read(&mut self, line: &[u8], row: u64) -> Result<Option<(i64, Price, Price)>, String> {
        if row == 1 && !line.first().is_some_and(u8::is_ascii_digit) {
            return Ok(None);
        }
        let mut fields = line.split(|byte| *byte == b',');
        let stamp = field(&mut fields, "Gmt time")?;
        let t_ns = gmt_ns(stamp).ok_or_else(|| {
            format!(
                "Gmt time must be like 01.05.2014 00:00:00.292, was {}",
                String::from_utf8_lossy(stamp)
            )
        })?;
        let ask = price(field(&mut fields, "Ask")?, "Ask")?;
        let bid = price(field(&mut fields, "Bid")?, "Bid")?;
        Ok(Some((t_ns, bid, ask)))
    }
}

fn gmt_ns(text: &[u8]) -> Option<i64> {
    let at = text.iter().position(|byte| *byte == b' ')?;
    let (date, time) = text.split_at_checked(at)?;
    let mut parts = date.split(|byte| *byte == b'.');
    let (day, month, year) = (
        digits(parts.next()?)?,
        digits(parts.next()?)?,
        digits(parts.next()?)?,
    );
    day_ns(year, month, day)?.checked_add(time_ns(time.trim_ascii())?)
}

fn date_ns(text: &[u8], separator: u8) -> Option<i64> {
    let mut parts = text.split(|byte| *byte == separator);
    let (year, month, day) = (
        digits(parts.next()?)?,
        digits(parts.next()?)?,
        digits(parts.next()?)?,
    );
    day_ns(year, month, day)
}

fn day_ns(year: i64, month: i64, day: i64) -> Option<i64> {
    let date = Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()?;
    let epoch = Date::new(1970, 1, 1).ok()?;
    let days = date.duration_since(epoch).as_secs() / 86_400;
    days.checked_mul(86_400)?.checked_mul(NS_PER_S)
}

fn time_ns(text: &[u8]) -> Option<i64> {
    let mut parts = text.split(|byte| *byte == b':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let second = Decimal::parse(parts.next()?).ok()?.to_scaled_exact(9)?;
    let second = i64::try_from(second)
        .ok()
        .filter(|ns| (0..=60 * NS_PER_S).contains(ns))?;
    if hour > 24 || minute > 59 {
        return None;
    }
    Some(
        hour.saturating_mul(3600)
            .saturating_add(minute.saturating_mul(60))
            .saturating_mul(NS_PER_S)
            .saturating_add(second),
    )
}

fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |sum: i64, byte| {
        sum.wrapping_mul(10)
            .wrapping_add(i64::from(byte.wrapping_sub(b'0')))
    }))
}

/// Reads `20140501`, or `2014050113` with the hour of a binary file; dashes do not matter.
fn midnight_ns(text: &str) -> Result<i64, CoreError> {
    let fault = || {
        CoreError::Argument(format!(
            "date must be like 20140501 or 2014050113, was {text}"
        ))
    };
    let plain: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let (date, hour) = plain.split_at_checked(8).ok_or_else(fault)?;
    let value = digits(date).ok_or_else(fault)?;
    let hour = if hour.is_empty() {
        0
    } else {
        digits(hour).filter(|hour| *hour < 24).ok_or_else(fault)?
    };
    let day = day_ns(value / 10_000, value / 100 % 100, value % 100).ok_or_else(fault)?;
    Ok(day.saturating_add(hour.saturating_mul(3600 * NS_PER_S)))
}
