//! The market side of the wire: tags 1 to 8 of `edgeguard/messages.py`, decoded from their frame.

mod message;
mod tick;

pub use message::{
    Account, ErrorEvent, Fill, Header, ITEMS_MAX, List, Message, Position, SymbolFacts, Terminal,
    Transfer,
};
pub use tick::{PlainTick, Tick, read_plain_tick, read_tick};

use crate::msgpack::{Amount, Cursor, Malformed};
use crate::price::Price;
use crate::types::{Entry, Side};

type Read<T> = Result<T, Malformed>;

/// Fields of an array that may be cut short at its end.
struct Fields<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Fields<'a> {
    fn more(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }

    fn need(&mut self) -> Read<&mut Cursor<'a>> {
        if self.more() {
            Ok(&mut self.cursor)
        } else {
            Err(Malformed)
        }
    }

    fn optional_integer(&mut self) -> Read<Option<i64>> {
        if self.more() {
            self.cursor.optional_integer()
        } else {
            Ok(None)
        }
    }

    fn optional_string(&mut self) -> Read<Option<&'a str>> {
        if self.more() {
            self.cursor.optional_string()
        } else {
            Ok(None)
        }
    }

    fn integer_or(&mut self, default: i64) -> Read<i64> {
        if self.more() {
            self.cursor.integer()
        } else {
            Ok(default)
        }
    }

    fn amount(&mut self) -> Read<Amount> {
        if self.more() {
            self.cursor.amount()
        } else {
            Ok(Amount::Missing)
        }
    }

    fn list(&mut self) -> Read<List<'a>> {
        if !self.more() {
            return Ok(List {
                count: 0,
                cursor: Cursor::new(&[]),
                fields_after: 0,
            });
        }
        let mut cursor = self.cursor;
        self.cursor.skip()?;
        let count = cursor.array_length()?;
        if count > ITEMS_MAX {
            return Err(Malformed);
        }
        Ok(List {
            count,
            cursor,
            fields_after: 0,
        })
    }

    /// Fields may be appended by later versions: they are stepped over, and nothing may follow.
    fn finish(mut self) -> Read<()> {
        while self.more() {
            self.cursor.skip()?;
        }
        if self.cursor.is_at_end() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// Decodes one payload.
///
/// # Errors
/// `Malformed` when the bytes are no message of tags 1 to 8.
#[inline]
pub fn decode(payload: &[u8]) -> Read<(Header<'_>, Message<'_>)> {
    let mut cursor = Cursor::new(payload);
    let length = cursor.array_length()?;
    let tag = u8::try_from(cursor.integer()?).map_err(|_| Malformed)?;
    if length < 6 {
        return Err(Malformed);
    }
    let header = Header {
        tag,
        account: cursor.string()?,
        source: cursor.string()?,
        epoch: cursor.integer()?,
        seq: cursor.optional_integer()?,
        t_ns: cursor.integer()?,
    };
    let fields = Fields {
        cursor,
        left: length.saturating_sub(6),
    };
    if tag == 1 {
        return Ok((header, Message::Ticks(ticks(fields)?)));
    }
    Ok((header, decode_rest(tag, fields)?))
}

/// A tick batch without the bytes that say whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The publisher's run.
    pub epoch: i64,
    /// Number within the run.
    pub seq: Option<i64>,
    /// The quotes.
    pub list: List<'a>,
}

/// Returns how many bytes a message needs to say its number of fields, its tag, account and source.
///
/// # Errors
/// `Malformed` when the bytes do not begin like a message.
pub fn stream_length(payload: &[u8]) -> Read<(usize, usize)> {
    let mut cursor = Cursor::new(payload);
    let fields = cursor.array_length()?;
    cursor.integer()?;
    cursor.string()?;
    cursor.string()?;
    let rest = cursor.rest().len();
    Ok((payload.len().saturating_sub(rest), fields))
}

/// Decodes a tick batch of so many fields from behind its source, exactly as `decode` would.
///
/// # Errors
/// `Malformed` as `decode`.
#[inline]
pub fn decode_batch(rest: &[u8], fields: usize) -> Read<Batch<'_>> {
    let mut cursor = Cursor::new(rest);
    let (epoch, seq) = (cursor.integer()?, cursor.optional_integer()?);
    cursor.integer()?;
    let list = ticks(Fields {
        cursor,
        left: fields.checked_sub(6).ok_or(Malformed)?,
    })?;
    Ok(Batch { epoch, seq, list })
}

/// The list of a tick batch is checked by its reader, which must reach the end of the frame.
#[inline]
fn ticks(mut fields: Fields<'_>) -> Read<List<'_>> {
    let count = fields.need()?.array_length()?;
    if count > ITEMS_MAX {
        return Err(Malformed);
    }
    Ok(List {
        count,
        cursor: fields.cursor,
        fields_after: fields.left,
    })
}

#[cold]
fn decode_rest(tag: u8, mut fields: Fields<'_>) -> Read<Message<'_>> {
    let message = match tag {
        2 => Message::Fill(fill(&mut fields)?),
        3 => Message::Account(account(&mut fields)?),
        4 => {
            let class = fields.need()?.string()?;
            fields.optional_integer()?;
            let order = fields.optional_integer()?;
            Message::Error(ErrorEvent { class, order })
        }
        5 => Message::Heartbeat,
        6 => Message::Transfer(Transfer {
            deal: fields.need()?.optional_integer()?,
            kind: fields.need()?.string()?,
            amount: fields.need()?.amount()?,
        }),
        7 => {
            let connected = fields.need()?.boolean()?;
            fields.need()?.boolean()?;
            Message::Terminal(Terminal { connected })
        }
        8 => Message::Symbol(symbol(&mut fields)?),
        _ => return Err(Malformed),
    };
    fields.finish()?;
    Ok(message)
}

fn fill<'a>(fields: &mut Fields<'a>) -> Read<Fill<'a>> {
    let deal = fields.need()?.integer()?;
    let position = fields.need()?.integer()?;
    let symbol = fields.need()?.string()?;
    let side = side(fields.need()?.string()?)?;
    let entry = match fields.need()?.string()? {
        "in" => Entry::In,
        "out" => Entry::Out,
        "inout" => Entry::InOut,
        "out_by" => Entry::OutBy,
        _ => return Err(Malformed),
    };
    let volume = fields.need()?.amount()?;
    let price = fields.need()?.price()?;
    let amounts = [
        fields.amount()?,
        fields.amount()?,
        fields.amount()?,
        fields.amount()?,
    ];
    fields.optional_integer()?;
    let magic = fields.optional_integer()?;
    Ok(Fill {
        deal,
        position,
        symbol,
        side,
        entry,
        volume,
        price,
        amounts,
        magic,
    })
}

fn account<'a>(fields: &mut Fields<'a>) -> Read<Account<'a>> {
    let balance = fields.need()?.amount()?;
    let equity = fields.need()?.amount()?;
    fields.amount()?;
    fields.amount()?;
    let positions = fields.list()?;
    fields.list()?;
    let last_deal = fields.optional_integer()?;
    let request = fields.integer_or(0)?;
    Ok(Account {
        balance,
        equity,
        positions,
        last_deal,
        request,
    })
}

fn symbol<'a>(fields: &mut Fields<'a>) -> Read<SymbolFacts<'a>> {
    Ok(SymbolFacts {
        symbol: fields.need()?.string()?,
        digits: fields.optional_integer()?,
        contract_size: fields.optional_string()?,
        calc_mode: fields.optional_string()?,
        currency_base: fields.optional_string()?,
        currency_profit: fields.optional_string()?,
        tick_size: fields.optional_string()?,
        tick_value: fields.optional_string()?,
    })
}

fn side(text: &str) -> Read<Side> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(Malformed),
    }
}

/// Reads the next position of a snapshot.
///
/// # Errors
/// `Malformed` when there is none.
pub fn read_position<'a>(cursor: &mut Cursor<'a>) -> Read<Position<'a>> {
    let left = cursor.array_length()?;
    let mut fields = Fields {
        cursor: *cursor,
        left,
    };
    let ticket = fields.need()?.integer()?;
    let identifier = fields.need()?.integer()?;
    let symbol = fields.need()?.string()?;
    let side = side(fields.need()?.string()?)?;
    let volume = fields.need()?.amount()?;
    fields.need()?.price()?;
    let price_current = fields.need()?.price()?;
    let swap = fields.need()?.amount()?;
    let profit = fields.need()?.amount()?;
    let magic = fields.integer_or(0)?;
    let stop_loss = if fields.more() {
        fields.cursor.price()?
    } else {
        Price::Exact {
            mantissa: 0,
            scale: 0,
        }
    };
    while fields.more() {
        fields.cursor.skip()?;
    }
    *cursor = fields.cursor;
    Ok(Position {
        ticket,
        identifier,
        symbol,
        side,
        volume,
        price_current,
        swap,
        profit,
        magic,
        stop_loss,
    })
}
