//! The class and message of an exception, found while passing over it.
//!
//! Nothing is decoded: sinks of the two walks look at the outermost object alone. Its class is the
//! one it names, its message is Java's `Throwable.detailMessage`.

use crate::error::ErrorKind;
use crate::hessian2;
use crate::inline::Inline;
use crate::jsonb;
use crate::text::Text;

/// What can be said of an exception without decoding it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exception<'a> {
    /// Java's class name; `None` if what was thrown is no object (a consumer then fails). fastjson2
    /// writes classes that all know by a short name, `IllegalStateException` without its package.
    pub class: Option<Text<'a>>,
    /// Its message, if it has one that is a string.
    pub message: Option<Text<'a>>,
    /// Its field `code`, if it has one that is an int. For Dubbo's own `RpcException`,
    /// [`RpcCode`] has the names.
    pub code: Option<i32>,
    /// The bytes on the wire.
    pub bytes: &'a [u8],
}

impl Exception<'_> {
    /// The code, if this is Dubbo's own `RpcException`, in either of its packages.
    pub fn rpc_code(&self) -> Option<RpcCode> {
        let class = self.class?;
        let is_rpc = [RpcClass::Apache, RpcClass::Alibaba]
            .into_iter()
            .any(|rpc| class == rpc.name());
        self.code.filter(|_| is_rpc).map(RpcCode)
    }
}

/// Dubbo's own `RpcException`, of which there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "Dubbo changed the names of its packages once"
)]
pub enum RpcClass {
    /// Of 2.7 and later.
    Apache,
    /// Of 2.6 and earlier. 2.7 and later read it too, where their compatibility classes are present.
    Alibaba,
}

impl RpcClass {
    /// Java's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apache => "org.apache.dubbo.rpc.RpcException",
            Self::Alibaba => "com.alibaba.dubbo.rpc.RpcException",
        }
    }
}

/// Why Dubbo itself failed a call: the codes of `RpcException`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RpcCode(pub i32);

impl RpcCode {
    /// `UNKNOWN_EXCEPTION`.
    pub const UNKNOWN: Self = Self(0);
    /// `NETWORK_EXCEPTION`.
    pub const NETWORK: Self = Self(1);
    /// `TIMEOUT_EXCEPTION`.
    pub const TIMEOUT: Self = Self(2);
    /// `BIZ_EXCEPTION`.
    pub const BUSINESS: Self = Self(3);
    /// `FORBIDDEN_EXCEPTION`.
    pub const FORBIDDEN: Self = Self(4);
    /// `SERIALIZATION_EXCEPTION`.
    pub const SERIALIZATION: Self = Self(5);
    /// `NO_INVOKER_AVAILABLE_AFTER_FILTER`.
    pub const NO_INVOKER: Self = Self(6);
    /// `LIMIT_EXCEEDED_EXCEPTION`.
    pub const LIMIT_EXCEEDED: Self = Self(7);
    /// `TIMEOUT_TERMINATE`.
    pub const TIMEOUT_TERMINATE: Self = Self(8);
    /// `REGISTRY_EXCEPTION`.
    pub const REGISTRY: Self = Self(9);
    /// `ROUTER_CACHE_NOT_BUILD`.
    pub const ROUTER_CACHE_NOT_BUILT: Self = Self(10);
    /// `METHOD_NOT_FOUND`.
    pub const METHOD_NOT_FOUND: Self = Self(11);
    /// `VALIDATION_EXCEPTION`.
    pub const VALIDATION: Self = Self(12);
    /// `AUTHORIZATION_EXCEPTION`.
    pub const AUTHORIZATION: Self = Self(13);
}

/// The names of the fields that are looked for.
const MESSAGE: &str = "detailMessage";
const CODE: &str = "code";

/// A class that was defined before the outermost object began: its name, and which of its fields
/// are the ones that are looked for.
#[derive(Clone, Copy, Debug, Default)]
struct Class<'a> {
    name: Option<Text<'a>>,
    fields: u32,
    message: Option<u32>,
    code: Option<u32>,
}

/// Looks at an exception in Hessian 2.
#[derive(Debug, Default)]
pub(crate) struct HessianSight<'a> {
    pub(crate) found: Exception<'a>,
    classes: Inline<Class<'a>, 2>,
    defining: Option<Class<'a>>,
    outermost: Class<'a>,
    /// Containers that have begun and not ended; fields of the outermost one that were seen.
    depth: u32,
    seen: u32,
}

impl<'a> HessianSight<'a> {
    fn defined(&mut self) {
        if let Some(class) = self.defining.take() {
            self.classes.push(class);
        }
    }
}

impl<'a> hessian2::Sink<'a> for HessianSight<'a> {
    fn scalar(&mut self, value: hessian2::Scalar<'a>) -> Result<(), ErrorKind> {
        if self.depth == 1 {
            match value {
                hessian2::Scalar::String(text) if self.outermost.message == Some(self.seen) => {
                    self.found.message = Some(text);
                }
                hessian2::Scalar::Int(code) if self.outermost.code == Some(self.seen) => {
                    self.found.code = Some(code);
                }
                _ => {}
            }
            self.seen += 1;
        }
        Ok(())
    }

    fn class(&mut self, name: Text<'a>, _: u32) {
        if self.depth == 0 {
            self.defined();
            self.defining = Some(Class {
                name: Some(name),
                ..Class::default()
            });
        }
    }

    fn field(&mut self, name: Text<'a>) {
        if let Some(class) = self.defining.as_mut().filter(|_| self.depth == 0) {
            if name == MESSAGE {
                class.message = Some(class.fields);
            } else if name == CODE {
                class.code = Some(class.fields);
            }
            class.fields += 1;
        }
    }

    fn begin(&mut self, container: hessian2::Container<'a>) -> Result<(), ErrorKind> {
        match (self.depth, container) {
            (0, hessian2::Container::Object(class)) => {
                self.defined();
                self.outermost = self.classes.get(class as usize).unwrap_or_default();
                self.found.class = self.outermost.name;
            }
            (1, _) => self.seen += 1,
            _ => {}
        }
        self.depth += 1;
        Ok(())
    }

    fn end(&mut self) {
        self.depth -= 1;
    }
}

/// Looks at an exception in JSONB.
#[derive(Debug, Default)]
pub(crate) struct JsonbSight<'a> {
    pub(crate) found: Exception<'a>,
    /// Containers that have begun and not ended; names and values of the outermost one so far.
    depth: u32,
    seen: u32,
    /// The name that was read last of the outermost object.
    name: Field,
    /// Numbers that stand for the names, once they were written out anywhere.
    numbers: [Option<i32>; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    Message,
    Code,
    #[default]
    Other,
}

impl<'a> JsonbSight<'a> {
    fn named(&mut self, value: jsonb::Scalar<'a>) -> Field {
        let of = |text: Text<'a>| match () {
            () if text == MESSAGE => Field::Message,
            () if text == CODE => Field::Code,
            () => Field::Other,
        };
        match value {
            jsonb::Scalar::String(text) => of(text),
            jsonb::Scalar::Symbol(jsonb::Symbol {
                name: Some(text),
                number,
            }) => {
                let field = of(text);
                if field != Field::Other {
                    self.numbers[field as usize] = Some(number);
                }
                field
            }
            jsonb::Scalar::Symbol(jsonb::Symbol { name: None, number }) => match self.numbers {
                [Some(message), _] if message == number => Field::Message,
                [_, Some(code)] if code == number => Field::Code,
                _ => Field::Other,
            },
            _ => Field::Other,
        }
    }
}

impl<'a> jsonb::Sink<'a> for JsonbSight<'a> {
    fn scalar(&mut self, value: jsonb::Scalar<'a>) -> Result<(), ErrorKind> {
        // A symbol within may be the first to give one of the names its number.
        let named = self.named(value);
        if self.depth == 1 {
            match (self.seen % 2, self.name, value) {
                (0, ..) => self.name = named,
                (_, Field::Message, jsonb::Scalar::String(text)) => self.found.message = Some(text),
                (_, Field::Code, jsonb::Scalar::Int(code)) => self.found.code = Some(code),
                _ => {}
            }
            self.seen += 1;
        }
        Ok(())
    }

    fn typed(&mut self, class: jsonb::Symbol<'a>) -> Result<(), ErrorKind> {
        if self.depth == 0 {
            self.found.class = class.name;
        }
        Ok(())
    }

    fn begin(&mut self, _: bool) -> Result<(), ErrorKind> {
        if self.depth == 1 {
            self.name = Field::Other;
            self.seen += 1;
        }
        self.depth += 1;
        Ok(())
    }

    fn end(&mut self) {
        self.depth -= 1;
    }
}
