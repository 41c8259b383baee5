//! The table of lead bytes, once: what kind of value begins with each.

/// What begins with a lead byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Binary,
    Int,
    Long,
    Double,
    Date,
    Null,
    Bool,
    Reference,
    /// The definition of a class; a value follows.
    Class,
    /// A list, map or object.
    Container,
    /// The end of a map, or of a list without a length.
    End,
    /// No value begins so.
    Nothing,
}

const fn kind_of(lead: u8) -> Kind {
    match lead {
        0x00..=0x1f | 0x30..=0x33 | b'R' | b'S' => Kind::String,
        0x20..=0x2f | 0x34..=0x37 | b'A' | b'B' => Kind::Binary,
        0x80..=0xd7 | b'I' => Kind::Int,
        0x38..=0x3f | 0xd8..=0xff | b'L' | b'Y' => Kind::Long,
        b'D' | 0x5b..=0x5f => Kind::Double,
        0x4a | 0x4b => Kind::Date,
        b'N' => Kind::Null,
        b'T' | b'F' => Kind::Bool,
        b'Q' => Kind::Reference,
        b'C' => Kind::Class,
        0x60..=0x7f | b'H' | b'M' | b'O' | 0x55..=0x58 => Kind::Container,
        b'Z' => Kind::End,
        0x40 | b'E' | b'G' | b'P' => Kind::Nothing,
    }
}

/// [`kind_of`] each byte. Looking it up costs the same for every kind; a chain of comparisons does not.
static KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Nothing; 256];
    let mut lead = 0;
    while lead < 256 {
        kinds[lead] = kind_of(lead as u8);
        lead += 1;
    }
    kinds
};

#[inline(always)]
pub(super) fn kind(lead: u8) -> Kind {
    KINDS[usize::from(lead)]
}

/// Whether this is the lead byte of something that has parts or a number: a list, a map, an object,
/// a class definition, or a reference to one.
pub(crate) fn has_parts(lead: u8) -> bool {
    matches!(kind(lead), Kind::Class | Kind::Container | Kind::Reference)
}
