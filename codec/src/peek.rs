//! What a request begins with: what is called, before all of it has come.
//!
//! Five strings, and the first argument where that is the method's name. Plain strings, which nearly
//! all are, have a way of their own; what it does not take, the way for all formats reads from the
//! start, so that one place alone decides what is wrong and where.

use crate::body::{BodyReader, Format, Strings};
use crate::descriptor::{count_descriptors, count_types};
use crate::error::{Error, ErrorKind, Limits, What};
use crate::frame::FrameHead;
use crate::hessian2::Plain;
use crate::reader::Reader;
use crate::text::{Encoding, Text};

/// The parameter types of a generic call, `$invoke` and `$invokeAsync`.
const GENERIC_TYPES: &str = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";

/// The strings that a request begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestPeek<'a> {
    /// Version of the protocol: `2.0.2` by all that is newer than 2.6.2, the version of the jar
    /// before that.
    pub dubbo_version: Text<'a>,
    /// The service's path or interface, by the caller's version.
    pub service: Text<'a>,
    /// The service's version; `0.0.0` for none. Callbacks have null here.
    pub version: Option<Text<'a>>,
    /// The method. Of a generic call that is `$invoke`; see [`effective_method`](Self::effective_method).
    pub method: Text<'a>,
    /// The parameter types.
    pub parameters: Parameters<'a>,
    generic_method: Option<Text<'a>>,
    /// How many parameters there are.
    pub(crate) count: u32,
    /// Where each of the five begins, and the arguments.
    pub(crate) fields: [u32; 6],
}

/// The types of a call's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is a form with types and one without"
)]
pub enum Parameters<'a> {
    /// JVM descriptors one after the other, `Ljava/lang/String;I[J`.
    Types(Text<'a>),
    /// Their number alone, as old dubbox peers send it.
    Count(u32),
}

impl Parameters<'_> {
    /// How many parameters there are.
    pub fn count(&self) -> u32 {
        match self {
            Self::Types(types) => count_types(*types).unwrap_or(0),
            Self::Count(count) => *count,
        }
    }
}

impl<'a> RequestPeek<'a> {
    /// Reads them from as much of a request's body as has come; `None` asks for more of it.
    ///
    /// Fails with offsets from the start of the body, and with
    /// [`ErrorKind::Unsupported`] for a serialization that this crate does not read.
    pub fn parse(head: &FrameHead, body: &'a [u8], limits: &Limits) -> Result<Option<Self>, Error> {
        let format = Format::of(head.serialization, body)?;
        let whole = body.len() >= head.body_len as usize;
        let body = body.get(..head.body_len as usize).unwrap_or(body);
        if format == Format::Hessian2
            && let Some(peek) = Self::read_plain(&mut Reader::new(body))
        {
            return Ok(Some(peek));
        }
        match Self::read_any(&mut BodyReader::new(format, body, limits)) {
            Ok(peek) => Ok(Some(peek)),
            Err(error) if error.is_truncated() && !whole => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leaves the reader at the first argument.
    #[inline(always)]
    pub(crate) fn read_from(reader: &mut BodyReader<'a, '_>) -> Result<Self, Error> {
        if reader.format() == Format::Hessian2
            && let Some(peek) = Self::read_plain(&mut reader.r)
        {
            return Ok(peek);
        }
        Self::read_any(reader)
    }

    /// The usual case of Hessian 2: five plain strings, and no method of Dubbo's own. `None` if it is
    /// another one, and the reader has not moved.
    #[inline(always)]
    fn read_plain(r: &mut Reader<'a>) -> Option<Self> {
        let start = Plain::at(r);
        let mut strings = start;
        let mut fields = [strings.place() as u32; 6];
        let dubbo_version = strings.data()?;
        fields[1] = strings.place() as u32;
        let service = strings.data()?;
        fields[2] = strings.place() as u32;
        let version = strings.data()?;
        fields[3] = strings.place() as u32;
        let method = strings.data()?;
        fields[4] = strings.place() as u32;
        let types = strings.data()?;
        fields[5] = strings.place() as u32;
        if method.first() == Some(&b'$') || !start.holds(strings.place()) {
            return None;
        }
        let count = count_descriptors(types)?;
        r.skip(strings.place() - r.at());
        let text = |data| Text::of(data, Encoding::Cesu8);
        Some(Self {
            dubbo_version: text(dubbo_version),
            service: text(service),
            version: Some(text(version)),
            method: text(method),
            parameters: Parameters::Types(text(types)),
            generic_method: None,
            count,
            fields,
        })
    }

    /// Hessian 2 has a way of its own here too, which is short.
    #[inline(never)]
    fn read_any(reader: &mut BodyReader<'a, '_>) -> Result<Self, Error> {
        let Some(mut strings) = reader.hessian_strings() else {
            return Self::read(reader);
        };
        let peek = Self::read(&mut strings)?;
        reader.r = strings.into_reader();
        Ok(peek)
    }

    #[inline(always)]
    fn read(reader: &mut impl Strings<'a>) -> Result<Self, Error> {
        let mut fields = [0; 6];
        let dubbo_version = reader.string(What::DubboVersion)?;
        fields[1] = reader.at();
        let service = reader.string(What::ServiceName)?;
        fields[2] = reader.at();
        let version = reader.optional_string(What::ServiceVersion)?;
        fields[3] = reader.at();
        let method = reader.string(What::MethodName)?;
        fields[4] = reader.at();
        let (parameters, count) = read_parameters(reader)?;
        fields[5] = reader.at();
        let generic_method = match is_generic(method, &parameters) {
            true => reader.peek_string()?,
            false => None,
        };
        Ok(Self {
            dubbo_version,
            service,
            version,
            method,
            parameters,
            generic_method,
            count,
            fields,
        })
    }

    /// Whether this is a call by name, `$invoke` or `$invokeAsync`, as Java's `GenericFilter` has it.
    pub fn is_generic(&self) -> bool {
        is_generic(self.method, &self.parameters)
    }

    /// The method that is called in the end: of a generic call its first argument.
    pub fn effective_method(&self) -> Text<'a> {
        self.generic_method.unwrap_or(self.method)
    }

    /// Length of what was read: where the arguments begin in the body.
    pub const fn len(&self) -> usize {
        self.fields[5] as usize
    }

    /// Never: a request begins with strings.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[inline]
fn is_generic(method: Text<'_>, parameters: &Parameters<'_>) -> bool {
    (method == "$invoke" || method == "$invokeAsync")
        && matches!(parameters, Parameters::Types(types) if *types == GENERIC_TYPES)
}

/// The parameters' types, and how many there are.
#[inline(always)]
fn read_parameters<'a>(reader: &mut impl Strings<'a>) -> Result<(Parameters<'a>, u32), Error> {
    const WHAT: What = What::ParameterTypes;
    let at = reader.at() as usize;
    match reader.dubbox_count()? {
        Some(-1) | None => {}
        Some(count) => {
            return u32::try_from(count)
                .map(|count| (Parameters::Count(count), count))
                .map_err(|_| Error::new(at, WHAT, ErrorKind::NegativeLength));
        }
    }
    let at = reader.at() as usize;
    let types = reader.string(WHAT)?;
    match count_types(types) {
        Some(count) => Ok((Parameters::Types(types), count)),
        None => Err(Error::new(at, WHAT, ErrorKind::BadText)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn string(data: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        crate::hessian2::push_string(&mut bytes, Text::new(data));
        bytes
    }

    /// The way for plain strings says what the way for all strings says, or nothing.
    #[test]
    fn plain_strings_are_strings() {
        let (short, long) = ("a".repeat(31), "a".repeat(127));
        let services = ["", "com.acme.Orders", &short, &long, &"a".repeat(128), "é"];
        let methods = ["", "submit", "$invoke", "$echo"];
        let types = ["", "I[J", "Ljava/lang/String;", GENERIC_TYPES, "Ljava", "V"];
        let (limits, mut plain) = (Limits::default(), 0);
        for (service, method, types) in services.iter().flat_map(|service| {
            let both = methods
                .iter()
                .flat_map(|m| types.iter().map(move |t| (m, t)));
            both.map(move |(method, types)| (service, method, types))
        }) {
            let body = ["2.0.2", service, "1.0.0", method, types, "next"]
                .map(string)
                .concat();
            for cut in 0..=body.len() {
                let mut quick = Reader::new(&body[..cut]);
                let mut reader = BodyReader::new(Format::Hessian2, &body[..cut], &limits);
                let all = RequestPeek::read_any(&mut reader);
                match RequestPeek::read_plain(&mut quick) {
                    Some(peek) => {
                        plain += 1;
                        assert_eq!((Ok(peek), quick.at()), (all, reader.r.at()));
                    }
                    None => assert_eq!(quick.at(), 0),
                }
            }
        }
        assert!(plain > 100, "{plain}");
    }
}
