//! The numbers of serializations, as a frame names them.

use core::fmt;

const MASK: u8 = 0x1f;

/// The number of a serialization, 0 to 31. Names are of Dubbo's `serialize.Constants`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serialization(u8);

impl Serialization {
    /// Hessian2 as Dubbo's hessian-lite writes it: the default of Dubbo 2 and 3.3.
    pub const HESSIAN2: Self = Self(2);
    /// Java's own serialization.
    pub const JAVA: Self = Self(3);
    /// Java's own serialization with shorter class descriptors.
    pub const COMPACTED_JAVA: Self = Self(4);
    /// JSON text: one line a value (Dubbo 2), or length and text (newer extension), one number.
    pub const FASTJSON: Self = Self(6);
    /// Java's own serialization, raw.
    pub const NATIVE_JAVA: Self = Self(7);
    /// Kryo.
    pub const KRYO: Self = Self(8);
    /// FST.
    pub const FST: Self = Self(9);
    /// Hessian2 as Caucho writes it.
    pub const NATIVE_HESSIAN: Self = Self(10);
    /// Avro.
    pub const AVRO: Self = Self(11);
    /// Protostuff.
    pub const PROTOSTUFF: Self = Self(12);
    /// Gson, one line a value.
    pub const GSON: Self = Self(16);
    /// Jackson, one line a value.
    pub const JACKSON: Self = Self(18);
    /// Protobuf messages as JSON, one line each.
    pub const PROTOBUF_JSON: Self = Self(21);
    /// Protobuf, length-delimited.
    pub const PROTOBUF: Self = Self(22);
    /// fastjson2's JSONB: what Dubbo 3.2 prefers.
    pub const FASTJSON2: Self = Self(23);
    /// Kryo 5.
    pub const KRYO2: Self = Self(25);
    /// MessagePack by Jackson.
    pub const MSGPACK: Self = Self(27);
    /// Apache Fory (once Fury).
    pub const FORY: Self = Self(28);
    /// Apache Fory in its compatible mode.
    pub const FORY_COMPATIBLE: Self = Self(29);

    /// The serialization of this number; the bits above the fifth do not exist on the wire.
    pub const fn new(id: u8) -> Self {
        Self(id & MASK)
    }

    /// The number.
    pub const fn id(self) -> u8 {
        self.0
    }

    /// Dubbo's name for it, as in the URL parameter `serialization`; `None` for unassigned numbers.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::HESSIAN2 => "hessian2",
            Self::JAVA => "java",
            Self::COMPACTED_JAVA => "compactedjava",
            Self::FASTJSON => "fastjson",
            Self::NATIVE_JAVA => "nativejava",
            Self::KRYO => "kryo",
            Self::FST => "fst",
            Self::NATIVE_HESSIAN => "native-hessian",
            Self::AVRO => "avro",
            Self::PROTOSTUFF => "protostuff",
            Self::GSON => "gson",
            Self::JACKSON => "jackson",
            Self::PROTOBUF_JSON => "protobuf-json",
            Self::PROTOBUF => "protobuf",
            Self::FASTJSON2 => "fastjson2",
            Self::KRYO2 => "kryo2",
            Self::MSGPACK => "msgpack",
            Self::FORY => "fory",
            Self::FORY_COMPATIBLE => "fory-compatible",
            _ => return None,
        })
    }
}

impl fmt::Display for Serialization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "serialization {}", self.0),
        }
    }
}
