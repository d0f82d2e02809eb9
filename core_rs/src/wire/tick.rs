//! Quotes of a batch: the usual form at once, any other form by the book.

use crate::msgpack::{Cursor, Malformed};
use crate::names::short_word;
use crate::price::Price;

/// One quote.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// Name as bytes.
    pub symbol: &'a [u8],
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// The source's own stamp.
    pub source_ns: Option<i64>,
}

/// One quote in the usual form.
#[derive(Clone, Copy, Debug)]
pub struct PlainTick<'a> {
    /// Name as bytes.
    pub symbol: &'a [u8],
    /// The name as a word, where it has at most eight bytes.
    pub word: u64,
    /// Best bid.
    pub bid: f64,
    /// Best ask.
    pub ask: f64,
    /// The source's own stamp.
    pub source_ns: Option<i64>,
}

/// Reads the usual form: four fields, a short name, two floats, and nil or an unsigned stamp of 8 bytes.
#[inline]
pub fn read_plain_tick(bytes: &[u8]) -> Option<(PlainTick<'_>, &[u8])> {
    let [0x94, head @ 0xa0..=0xbf, rest @ ..] = bytes else {
        return None;
    };
    let length = usize::from(head & 0x1f);
    let word = short_word(*rest.first_chunk::<8>()?, length);
    let (symbol, rest) = rest.split_at_checked(length)?;
    let (
        [
            0xcb,
            b0,
            b1,
            b2,
            b3,
            b4,
            b5,
            b6,
            b7,
            0xcb,
            a0,
            a1,
            a2,
            a3,
            a4,
            a5,
            a6,
            a7,
            mark,
        ],
        rest,
    ) = rest.split_first_chunk::<19>()?
    else {
        return None;
    };
    let bid = f64::from_be_bytes([*b0, *b1, *b2, *b3, *b4, *b5, *b6, *b7]);
    let ask = f64::from_be_bytes([*a0, *a1, *a2, *a3, *a4, *a5, *a6, *a7]);
    let (source_ns, rest) = match mark {
        0xc0 => (None, rest),
        0xcf => {
            let (stamp, rest) = rest.split_first_chunk::<8>()?;
            (Some(i64::try_from(u64::from_be_bytes(*stamp)).ok()?), rest)
        }
        _ => return None,
    };
    Some((
        PlainTick {
            symbol,
            word,
            bid,
            ask,
            source_ns,
        },
        rest,
    ))
}

/// Reads the next quote of a batch.
///
/// # Errors
/// `Malformed` when there is none.
#[inline]
pub fn read_tick<'a>(cursor: &mut Cursor<'a>) -> Result<Tick<'a>, Malformed> {
    if let Some((tick, rest)) = read_plain_tick(cursor.rest()) {
        *cursor = Cursor::new(rest);
        let PlainTick {
            symbol,
            bid,
            ask,
            source_ns,
            ..
        } = tick;
        return Ok(Tick {
            symbol,
            bid: Price::Float(bid),
            ask: Price::Float(ask),
            source_ns,
        });
    }
    read_any_tick(cursor)
}

fn read_any_tick<'a>(cursor: &mut Cursor<'a>) -> Result<Tick<'a>, Malformed> {
    let length = cursor.array_length()?;
    if length < 3 {
        return Err(Malformed);
    }
    let symbol = cursor.name()?;
    let bid = cursor.price()?;
    let ask = cursor.price()?;
    let source_ns = if length > 3 {
        cursor.optional_integer()?
    } else {
        None
    };
    for _ in 4..length {
        cursor.skip()?;
    }
    Ok(Tick {
        symbol,
        bid,
        ask,
        source_ns,
    })
}
