//! Decoding header blocks, RFC 7541 sections 3.2 and 6.
//!
//! A list that is larger than wanted is not an error of the block: it is decoded to its end, as the
//! dynamic table must stay what the other end thinks it is, but what is too much is not kept.

use super::list::HeaderList;
use super::table::Table;
use super::{DEFAULT_TABLE_SIZE, ENTRY_OVERHEAD, huffman, integer, statics};

/// How much of a header list is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// Most fields.
    pub fields: usize,
    /// Largest size as HTTP/2 counts it: text, and 32 bytes a field.
    pub size: usize,
    /// Longest name or value as it is on the wire, in bytes. A longer one fails the block.
    pub string: usize,
}

/// Why a block cannot be decoded. The tables are then out of step: the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The block ends inside of a field, or an integer is too large.
    Integer,
    /// An index that no table has.
    Index,
    /// Text that is not in the Huffman code.
    Huffman,
    /// A string longer than [`ListLimits::string`].
    String,
    /// A new table size that is above the one allowed, or behind a field.
    TableSize,
}

/// Decodes the blocks of one direction of a connection.
#[derive(Clone, Debug)]
pub struct Decoder {
    table: Table,
    failed: Option<DecodeError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder whose table may have the default size; that is what our settings say.
    pub const fn new() -> Self {
        Self {
            table: Table::new(DEFAULT_TABLE_SIZE),
            failed: None,
        }
    }

    /// Decodes a whole block behind what `list` holds. Returns whether all of it was kept.
    /// After an error every call returns that error.
    pub fn decode(
        &mut self,
        block: &[u8],
        limits: &ListLimits,
        list: &mut HeaderList,
    ) -> Result<bool, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.decode_fields(block, limits, list);
        self.failed = result.err();
        result
    }

    fn decode_fields(
        &mut self,
        mut block: &[u8],
        limits: &ListLimits,
        list: &mut HeaderList,
    ) -> Result<bool, DecodeError> {
        self.decode_table_sizes(&mut block)?;
        let mut kept_all = true;
        while let Some(first) = block.first() {
            kept_all &= match first {
                0x80.. => self.indexed(&mut block, limits, list)?,
                0x40.. => self.literal(&mut block, 6, limits, list)?,
                0x20.. => return Err(DecodeError::TableSize),
                _ => self.literal(&mut block, 4, limits, list)?,
            };
        }
        Ok(kept_all)
    }

    /// Section 6.3; they stand at the beginning of a block (4.2).
    fn decode_table_sizes(&mut self, block: &mut &[u8]) -> Result<(), DecodeError> {
        while block.first().is_some_and(|first| first & 0xe0 == 0x20) {
            let size = integer::read(block, 5).ok_or(DecodeError::Integer)? as usize;
            if size > DEFAULT_TABLE_SIZE {
                return Err(DecodeError::TableSize);
            }
            self.table.resize(size);
        }
        Ok(())
    }

    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), DecodeError> {
        let dynamic = index.wrapping_sub(statics::TABLE.len() + 1);
        let entry = match index {
            0 => None,
            1..=61 => statics::TABLE.get(index - 1).copied(),
            _ => self.table.get(dynamic),
        };
        entry.ok_or(DecodeError::Index)
    }

    /// Section 6.1. A field that is too much is not even copied: a short block can name a long entry
    /// thousands of times.
    fn indexed(
        &self,
        block: &mut &[u8],
        limits: &ListLimits,
        list: &mut HeaderList,
    ) -> Result<bool, DecodeError> {
        let index = integer::read(block, 7).ok_or(DecodeError::Integer)?;
        let (name, value) = self.entry(index as usize)?;
        let size = list.size() + name.len() + value.len() + ENTRY_OVERHEAD;
        let fits = list.len() < limits.fields && size <= limits.size;
        if fits {
            list.push(name, value);
        }
        Ok(fits)
    }

    /// Section 6.2: a prefix of 6 bits means that the field goes into the table.
    fn literal(
        &mut self,
        block: &mut &[u8],
        prefix: u32,
        limits: &ListLimits,
        list: &mut HeaderList,
    ) -> Result<bool, DecodeError> {
        let never_indexed = block.first().is_some_and(|first| first & 0xf0 == 0x10);
        let start = list.text().len();
        match integer::read(block, prefix).ok_or(DecodeError::Integer)? {
            0 => string(block, limits, list.text())?,
            index => list.text().extend_from_slice(self.entry(index as usize)?.0),
        }
        let middle = list.text().len();
        string(block, limits, list.text())?;
        if prefix == 6 {
            let (name, value) = list.text()[start..].split_at(middle - start);
            self.table.insert(name, value);
        }
        let fits = list.len() < limits.fields && list.size() + ENTRY_OVERHEAD <= limits.size;
        if fits {
            list.keep(start, middle, never_indexed);
        } else {
            list.drop_from(start);
        }
        Ok(fits)
    }
}

/// Appends a string, section 5.2.
fn string(block: &mut &[u8], limits: &ListLimits, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let coded = block.first().ok_or(DecodeError::Integer)? & 0x80 != 0;
    let len = integer::read(block, 7).ok_or(DecodeError::Integer)? as usize;
    if len > limits.string {
        return Err(DecodeError::String);
    }
    let (text, rest) = block.split_at_checked(len).ok_or(DecodeError::Integer)?;
    *block = rest;
    if coded {
        return huffman::decode(text, out).ok_or(DecodeError::Huffman);
    }
    out.extend_from_slice(text);
    Ok(())
}
