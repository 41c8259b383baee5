//! From Rust's types to bytes, without a graph in between.
//!
//! A class must stand before its first object and names its fields, but serde tells the fields one
//! by one with their values. So the first object of a class takes the class's number when it begins,
//! and when it ends, the definition is put in where it began. Later objects are held to it.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    SerializeTupleStruct,
};

use crate::hessian2::mapping::{DATE, MAX_DEPTH, MappingError};
use crate::hessian2::{Binary, Writer};
use crate::text::Text;

type Result<T = ()> = core::result::Result<T, MappingError>;

/// Writes values that share their classes: those of one body.
#[derive(Debug, Default)]
pub(crate) struct Serializer {
    writer: Writer<'static>,
    classes: Vec<Class>,
    depth: u32,
    /// The next long is the inside of a date.
    date: bool,
}

#[derive(Debug)]
struct Class {
    name: &'static str,
    /// Known when an object of it has ended.
    fields: Option<Vec<&'static str>>,
}

impl Serializer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.writer.into_bytes()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.writer.as_bytes()
    }

    fn begin(&mut self) -> Result {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(MappingError::new("nested too deeply"));
        }
        Ok(())
    }

    fn begin_list(&mut self, len: Option<usize>) -> Result<Items<'_>> {
        self.begin()?;
        let start = self.writer.as_bytes().len();
        let announced = len.unwrap_or_default();
        self.writer.begin_list(None, announced);
        Ok(Items {
            start,
            head: self.writer.as_bytes().len() - start,
            announced,
            count: 0,
            serializer: self,
        })
    }

    fn begin_object(&mut self, name: &'static str) -> Result<Fields<'_>> {
        self.begin()?;
        let start = self.writer.as_bytes().len();
        let known = self.classes.iter().position(|class| class.name == name);
        let class = known.unwrap_or(self.classes.len());
        if known.is_none() {
            self.classes.push(Class { name, fields: None });
        }
        self.writer.begin_object(class as u32);
        Ok(Fields {
            class,
            names: Vec::new(),
            definition: known.is_none().then_some(start),
            serializer: self,
        })
    }
}

fn no_counterpart<T>(what: &str) -> Result<T> {
    Err(MappingError::new(format_args!(
        "{what} has no counterpart in Java"
    )))
}

impl<'s> serde::Serializer for &'s mut Serializer {
    type Ok = ();
    type Error = MappingError;
    type SerializeSeq = Items<'s>;
    type SerializeTuple = Items<'s>;
    type SerializeTupleStruct = Items<'s>;
    type SerializeTupleVariant = Impossible<(), MappingError>;
    type SerializeMap = Entries<'s>;
    type SerializeStruct = Fields<'s>;
    type SerializeStructVariant = Impossible<(), MappingError>;

    fn serialize_bool(self, value: bool) -> Result {
        self.writer.bool(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result {
        self.serialize_i32(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result {
        self.serialize_i32(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result {
        self.writer.int(value);
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result {
        if core::mem::take(&mut self.date) {
            self.writer.date(value);
        } else {
            self.writer.long(value);
        }
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result {
        self.serialize_i32(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result {
        self.serialize_i32(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result {
        match i64::try_from(value) {
            Ok(value) => self.serialize_i64(value),
            Err(_) => no_counterpart("a number beyond a long"),
        }
    }

    /// As Java widens a float: the double of the same decimal digits.
    fn serialize_f32(self, value: f32) -> Result {
        let same_digits = value
            .to_string()
            .parse()
            .unwrap_or_else(|_| f64::from(value));
        self.serialize_f64(same_digits)
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.writer.double(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result {
        self.writer.string(Text::new(value));
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.writer.binary(Binary::new(value));
        Ok(())
    }

    fn serialize_none(self) -> Result {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        self.writer.null();
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result {
        self.begin_object(name)?.end()
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result {
        let mut constant = self.begin_object(name)?;
        constant.serialize_field("name", variant)?;
        constant.end()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result {
        self.date = name == DATE;
        value.serialize(&mut *self)?;
        self.date = false;
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result {
        no_counterpart("an enum with data")
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'s>> {
        self.begin_list(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<'s>> {
        self.begin_list(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items<'s>> {
        self.begin_list(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        no_counterpart("an enum with data")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'s>> {
        self.begin()?;
        self.writer.begin_map(None);
        Ok(Entries(self))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'s>> {
        self.begin_object(name)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant> {
        no_counterpart("an enum with data")
    }
}

/// A list that has begun.
#[derive(Debug)]
pub(crate) struct Items<'s> {
    serializer: &'s mut Serializer,
    /// Where it begins, the length of its head, and what that says.
    start: usize,
    head: usize,
    announced: usize,
    count: usize,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.count += 1;
        value.serialize(&mut *self.serializer)
    }

    fn finish(self) -> Result {
        self.serializer.depth -= 1;
        if self.count != self.announced {
            let mut head = Writer::new();
            head.begin_list(None, self.count);
            let old = self.start..self.start + self.head;
            self.serializer.writer.replace(old, head.as_bytes());
        }
        Ok(())
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = MappingError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.item(value)
    }

    fn end(self) -> Result {
        self.finish()
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = MappingError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.item(value)
    }

    fn end(self) -> Result {
        self.finish()
    }
}

impl SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = MappingError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.item(value)
    }

    fn end(self) -> Result {
        self.finish()
    }
}

/// A map that has begun.
#[derive(Debug)]
pub(crate) struct Entries<'s>(&'s mut Serializer);

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = MappingError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        key.serialize(&mut *self.0)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        value.serialize(&mut *self.0)
    }

    fn end(self) -> Result {
        self.0.depth -= 1;
        self.0.writer.end_map();
        Ok(())
    }
}

/// An object that has begun.
#[derive(Debug)]
pub(crate) struct Fields<'s> {
    serializer: &'s mut Serializer,
    class: usize,
    /// Names of the fields that came.
    names: Vec<&'static str>,
    /// Where the definition of the class belongs, if this object is the first of it.
    definition: Option<usize>,
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = MappingError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.names.push(name);
        value.serialize(&mut *self.serializer)
    }

    fn skip_field(&mut self, name: &'static str) -> Result {
        self.serialize_field(name, &())
    }

    fn end(self) -> Result {
        self.serializer.depth -= 1;
        let class = &mut self.serializer.classes[self.class];
        let fields = class.fields.get_or_insert_with(|| self.names.clone());
        if *fields != self.names {
            return Err(MappingError::new(format_args!(
                "class {} had other fields before",
                class.name
            )));
        }
        if let Some(at) = self.definition {
            let mut definition = Writer::new();
            definition.class(
                Text::new(class.name),
                self.names.iter().map(|name| Text::new(name)),
            );
            self.serializer
                .writer
                .replace(at..at, definition.as_bytes());
        }
        Ok(())
    }
}
