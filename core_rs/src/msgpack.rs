//! A cursor over msgpack bytes: only what the wire vocabulary needs, never past the end, never allocating.

pub mod write;

use crate::decimal::Decimal;
use crate::price::Price;

/// The bytes are no message of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

type Read<T> = Result<T, Malformed>;

/// Deepest nesting that `skip` follows.
const DEPTH_MAX: u32 = 8;

/// One scalar of the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// nil.
    Nil,
    /// true or false.
    Bool(bool),
    /// Any integer that fits in 64 signed bits.
    Int(i64),
    /// A float.
    Float(f64),
    /// A text.
    Text(&'a str),
}

/// An exact amount as it arrived.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// nil or an absent field.
    Missing,
    /// NaN, an infinity or out of range.
    Invalid,
    /// A number.
    Value(Decimal),
}

impl Amount {
    /// Returns the number, `None` when missing or invalid.
    pub const fn value(self) -> Option<Decimal> {
        match self {
            Self::Value(decimal) => Some(decimal),
            Self::Missing | Self::Invalid => None,
        }
    }
}

/// A position in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes that are left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns whether all bytes are read.
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    fn length(&mut self, width: u8) -> Read<usize> {
        let length = match width {
            1 => u32::from(self.byte()?),
            2 => u32::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?),
        };
        usize::try_from(length).map_err(|_| Malformed)
    }

    /// Reads the header of an array and returns its length.
    ///
    /// # Errors
    /// `Malformed` when there is no array.
    #[inline]
    pub fn array_length(&mut self) -> Read<usize> {
        match self.byte()? {
            head @ 0x90..=0x9f => Ok(usize::from(head & 0x0f)),
            0xdc => self.length(2),
            0xdd => self.length(4),
            _ => Err(Malformed),
        }
    }

    /// Reads one scalar.
    ///
    /// # Errors
    /// `Malformed` on arrays, maps, binary, and text that is no UTF-8.
    #[inline]
    pub fn scalar(&mut self) -> Read<Scalar<'a>> {
        let head = self.byte()?;
        self.scalar_behind(head)
    }

    /// Reads the rest of a scalar that begins with this byte.
    #[inline]
    fn scalar_behind(&mut self, head: u8) -> Read<Scalar<'a>> {
        match head {
            0x00..=0x7f => Ok(Scalar::Int(i64::from(head))),
            0xe0..=0xff => Ok(Scalar::Int(i64::from(i8::from_be_bytes([head])))),
            0xa0..=0xbf => self.text(usize::from(head & 0x1f)),
            0xcb => Ok(Scalar::Float(f64::from_be_bytes(self.array()?))),
            0xd9 => {
                let length = self.length(1)?;
                self.text(length)
            }
            other => self.rare_scalar(other),
        }
    }

    #[allow(
        clippy::cognitive_complexity,
        reason = "one arm per byte of the format"
    )]
    fn rare_scalar(&mut self, head: u8) -> Read<Scalar<'a>> {
        Ok(match head {
            0xc0 => Scalar::Nil,
            0xc2 => Scalar::Bool(false),
            0xc3 => Scalar::Bool(true),
            0xca => Scalar::Float(f64::from(f32::from_be_bytes(self.array()?))),
            0xcc => Scalar::Int(i64::from(self.byte()?)),
            0xcd => Scalar::Int(i64::from(u16::from_be_bytes(self.array()?))),
            0xce => Scalar::Int(i64::from(u32::from_be_bytes(self.array()?))),
            0xcf => {
                let wide = u64::from_be_bytes(self.array()?);
                Scalar::Int(i64::try_from(wide).map_err(|_| Malformed)?)
            }
            0xd0 => Scalar::Int(i64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => Scalar::Int(i64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => Scalar::Int(i64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => Scalar::Int(i64::from_be_bytes(self.array()?)),
            0xda => {
                let length = self.length(2)?;
                return self.text(length);
            }
            0xdb => {
                let length = self.length(4)?;
                return self.text(length);
            }
            _ => return Err(Malformed),
        })
    }

    #[inline]
    fn text(&mut self, length: usize) -> Read<Scalar<'a>> {
        let bytes = self.take(length)?;
        core::str::from_utf8(bytes)
            .map(Scalar::Text)
            .map_err(|_| Malformed)
    }

    /// Reads a text as bytes, without a check of its encoding: for names that are only looked up.
    ///
    /// # Errors
    /// `Malformed` when there is no text.
    #[inline]
    pub fn name(&mut self) -> Read<&'a [u8]> {
        let length = match self.byte()? {
            head @ 0xa0..=0xbf => usize::from(head & 0x1f),
            0xd9 => self.length(1)?,
            0xda => self.length(2)?,
            _ => return Err(Malformed),
        };
        self.take(length)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// `Malformed` when there is none.
    #[inline]
    pub fn string(&mut self) -> Read<&'a str> {
        match self.scalar()? {
            Scalar::Text(text) => Ok(text),
            Scalar::Nil | Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_) => Err(Malformed),
        }
    }

    /// Reads a text or nil.
    ///
    /// # Errors
    /// `Malformed` when there is neither.
    pub fn optional_string(&mut self) -> Read<Option<&'a str>> {
        match self.scalar()? {
            Scalar::Text(text) => Ok(Some(text)),
            Scalar::Nil => Ok(None),
            Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_) => Err(Malformed),
        }
    }

    /// Reads an integer.
    ///
    /// # Errors
    /// `Malformed` when there is none.
    #[inline]
    pub fn integer(&mut self) -> Read<i64> {
        self.optional_integer()?.ok_or(Malformed)
    }

    /// Reads an integer or nil.
    ///
    /// # Errors
    /// `Malformed` when there is neither.
    #[inline]
    pub fn optional_integer(&mut self) -> Read<Option<i64>> {
        // The three forms that every frame's head has; the other forms are rare.
        match self.byte()? {
            head @ 0x00..=0x7f => Ok(Some(i64::from(head))),
            0xc0 => Ok(None),
            0xcf => {
                let wide = u64::from_be_bytes(self.array()?);
                i64::try_from(wide).map(Some).map_err(|_| Malformed)
            }
            head => self.rare_integer(head),
        }
    }

    fn rare_integer(&mut self, head: u8) -> Read<Option<i64>> {
        match self.scalar_behind(head)? {
            Scalar::Int(value) => Ok(Some(value)),
            Scalar::Nil => Ok(None),
            Scalar::Bool(_) | Scalar::Text(_) | Scalar::Float(_) => Err(Malformed),
        }
    }

    /// Reads true or false.
    ///
    /// # Errors
    /// `Malformed` when there is neither.
    pub fn boolean(&mut self) -> Read<bool> {
        match self.scalar()? {
            Scalar::Bool(value) => Ok(value),
            Scalar::Nil | Scalar::Int(_) | Scalar::Text(_) | Scalar::Float(_) => Err(Malformed),
        }
    }

    /// Reads a price: a float by its shortest text, an integer, or an exact text.
    ///
    /// # Errors
    /// `Malformed` when there is none or the text is no number.
    #[inline]
    pub fn price(&mut self) -> Read<Price> {
        match self.scalar()? {
            Scalar::Float(value) => Ok(Price::Float(value)),
            Scalar::Int(value) => Ok(Price::Exact {
                mantissa: value,
                scale: 0,
            }),
            Scalar::Text(text) => Price::from_text(text.as_bytes()).map_err(|_| Malformed),
            Scalar::Nil | Scalar::Bool(_) => Err(Malformed),
        }
    }

    /// Reads an exact amount: a text, an integer or nil.
    ///
    /// # Errors
    /// `Malformed` when there is something else or the text is no number.
    pub fn amount(&mut self) -> Read<Amount> {
        match self.scalar()? {
            Scalar::Nil => Ok(Amount::Missing),
            Scalar::Int(value) => Ok(Amount::Value(Decimal::new(i128::from(value), 0))),
            Scalar::Text(text) => match Decimal::parse(text.as_bytes()) {
                Ok(decimal) => Ok(Amount::Value(decimal)),
                Err(crate::decimal::NumberError::Text) => Err(Malformed),
                Err(_) => Ok(Amount::Invalid),
            },
            Scalar::Bool(_) | Scalar::Float(_) => Err(Malformed),
        }
    }

    /// Steps over any value.
    ///
    /// # Errors
    /// `Malformed` when it is cut off or nested too deeply.
    pub fn skip(&mut self) -> Read<()> {
        self.skip_nested(DEPTH_MAX)
    }

    fn skip_nested(&mut self, depth: u32) -> Read<()> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let mut probe = *self;
        let head = probe.byte()?;
        let items = match head {
            0x90..=0x9f | 0xdc | 0xdd => self.array_length()?,
            0x80..=0x8f => {
                self.byte()?;
                usize::from(head & 0x0f).saturating_mul(2)
            }
            0xde | 0xdf => {
                self.byte()?;
                self.length(if head == 0xde { 2 } else { 4 })?
                    .saturating_mul(2)
            }
            0xc4..=0xc6 => {
                self.byte()?;
                let length = self.length(match head {
                    0xc4 => 1,
                    0xc5 => 2,
                    _ => 4,
                })?;
                self.take(length)?;
                0
            }
            _ => {
                self.scalar()?;
                0
            }
        };
        // A claim larger than the bytes that are left cannot be true; every item takes at least one.
        if items > self.rest.len() {
            return Err(Malformed);
        }
        for _ in 0..items {
            self.skip_nested(depth)?;
        }
        Ok(())
    }
}
