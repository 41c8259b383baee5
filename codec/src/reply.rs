//! Making responses, in the serialization of the request and with its attachment gate.
//!
//! Source: `DubboCodec.encodeResponseData`, `Version.isSupportResponseAttachment`. What Java consumers
//! refuse is not made: another serialization than the request's, and attachments for a caller whose
//! version does not know them.

use alloc::vec::Vec;

use crate::body::{Format, Written};
use crate::error::Error;
use crate::exception::{RpcClass, RpcCode};
use crate::frame::FrameHead;
use crate::hessian2::{Writer, push_string};
use crate::jsonb;
use crate::status::Status;
use crate::text::Text;

/// The protocol version that responses carry as the attachment `dubbo`.
const PROTOCOL_VERSION: &str = "2.0.2";

/// Makes whole response frames to one request.
///
/// They are made for whoever asks: where [`FrameHead::two_way`] is false the caller waits for none, and
/// none is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    request: FrameHead,
    format: Written,
    attachments: bool,
}

impl Reply {
    /// Replies to the request of this head. `dubbo_version` is what its body begins with, see
    /// [`RequestPeek`](crate::RequestPeek); `None` if that could not be read: then results are
    /// written without attachments, which every consumer reads.
    ///
    /// Fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a serialization that this
    /// crate does not write: any but Hessian 2 and fastjson2. An [`error`](Self::error) can then be
    /// told in Hessian 2, in which consumers read errors whatever they wrote themselves; a value cannot:
    ///
    /// ```
    /// # use dubbo_codec::{FrameHead, Reply, Serialization, Status};
    /// # let head = FrameHead::parse(b"\xda\xbb\xc8\0\0\0\0\0\0\0\0\x07\0\0\0\0")?.expect("16 bytes");
    /// assert!(Reply::to(&head, None).is_err()); // Kryo
    /// let readable = FrameHead { serialization: Serialization::HESSIAN2, ..head };
    /// let answer = Reply::to(&readable, None)?.error(Status::BAD_REQUEST, "no Kryo here");
    /// # assert_eq!(answer[..4], [0xda, 0xbb, 0x02, 40]);
    /// # Ok::<(), dubbo_codec::Error>(())
    /// ```
    pub fn to(request: &FrameHead, dubbo_version: Option<Text<'_>>) -> Result<Self, Error> {
        let format = Format::of(request.serialization, &[])?.written()?;
        let attachments = dubbo_version.is_some_and(knows_response_attachments);
        Ok(Self {
            request: *request,
            format,
            attachments,
        })
    }

    /// The call failed, for a reason that is not the business method's. Java consumers throw
    /// `TimeoutException` for the two time-outs and `RemotingException` for the rest, with the message.
    pub fn error(&self, status: Status, message: &str) -> Vec<u8> {
        self.frame(status, |body| body.text(Text::new(message)))
    }

    /// The method returned null, or nothing.
    pub fn null(&self) -> Vec<u8> {
        self.result(2, |_| ())
    }

    /// The method returned a value, which is encoded already: in the request's serialization, and
    /// without the four bytes of length that stand before values of fastjson2.
    pub fn value(&self, encoded: &[u8]) -> Vec<u8> {
        self.result(1, |body| body.framed(|out| out.extend_from_slice(encoded)))
    }

    /// The method returned a string.
    pub fn string(&self, value: &str) -> Vec<u8> {
        self.result(1, |body| body.text(Text::new(value)))
    }

    /// The method threw an exception of this Java class. A consumer that does not have the class
    /// cannot read it; `java.lang.RuntimeException` all have.
    pub fn exception(&self, class: &str, message: &str) -> Vec<u8> {
        self.thrown(&Thrown {
            class: Text::new(class),
            message: Text::new(message),
            code: None,
        })
    }

    /// Dubbo itself failed the call: the consumer's caller gets an `RpcException` with this code and
    /// message. Consumers from 3.2 on wrap it into another one without a code, as its cause.
    ///
    /// Which of the two classes a consumer has cannot be told from its requests, and one that does
    /// not have the class gets something else thrown. So where the code does not matter,
    /// [`error`](Self::error) is the safer way: every consumer makes an `RpcException` of its own.
    pub fn rpc_exception(&self, class: RpcClass, code: RpcCode, message: &str) -> Vec<u8> {
        self.thrown(&Thrown {
            class: Text::new(class.name()),
            message: Text::new(message),
            code: Some(code.0),
        })
    }

    fn thrown(&self, thrown: &Thrown<'_>) -> Vec<u8> {
        self.result(0, |body| match body.format {
            Written::Hessian2 => hessian_exception(body.out, thrown),
            Written::Jsonb => body.framed(|out| jsonb_exception(out, thrown)),
        })
    }

    fn result(&self, flag: u8, result: impl FnOnce(&mut Body<'_>)) -> Vec<u8> {
        self.frame(Status::OK, |body| {
            body.flag(if self.attachments { flag + 3 } else { flag });
            result(body);
            if self.attachments {
                body.attachments();
            }
        })
    }

    fn frame(&self, status: Status, write: impl FnOnce(&mut Body<'_>)) -> Vec<u8> {
        let mut frame = [0; FrameHead::LEN].to_vec();
        write(&mut Body {
            out: &mut frame,
            format: self.format,
        });
        let head = self
            .request
            .reply(status, (frame.len() - FrameHead::LEN) as u32);
        frame[..FrameHead::LEN].copy_from_slice(&head.to_bytes());
        frame
    }
}

impl FrameHead {
    /// The answer to this heartbeat: a whole frame. `None` for a serialization whose null this crate
    /// does not write.
    pub fn heartbeat_reply(&self) -> Option<Vec<u8>> {
        let null: &[u8] = match Format::of(self.serialization, &[]).ok()?.written().ok()? {
            Written::Hessian2 => b"N",
            Written::Jsonb => &[0, 0, 0, 1, jsonb::NULL],
        };
        let head = Self {
            event: true,
            ..self.reply(Status::OK, null.len() as u32)
        };
        Some([&head.to_bytes(), null].concat())
    }
}

/// Where the parts of a body are appended.
struct Body<'o> {
    out: &'o mut Vec<u8>,
    format: Written,
}

impl Body<'_> {
    /// What fastjson2 puts a length before.
    fn framed(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.format == Written::Hessian2 {
            return write(self.out);
        }
        let start = self.out.len();
        self.out.extend([0; 4]);
        write(self.out);
        let len = (self.out.len() - start - 4) as u32;
        self.out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    }

    fn flag(&mut self, flag: u8) {
        match self.format {
            Written::Hessian2 => self.out.push(0x90 + flag),
            Written::Jsonb => self.framed(|out| out.extend([0xbd, flag])),
        }
    }

    fn text(&mut self, text: Text<'_>) {
        match self.format {
            Written::Hessian2 => push_string(self.out, text),
            Written::Jsonb => self.framed(|out| jsonb::push_text(out, text)),
        }
    }

    fn attachments(&mut self) {
        let (key, value) = (Text::new("dubbo"), Text::new(PROTOCOL_VERSION));
        match self.format {
            Written::Hessian2 => {
                self.out.push(b'H');
                push_string(self.out, key);
                push_string(self.out, value);
                self.out.push(b'Z');
            }
            Written::Jsonb => self.framed(|out| {
                out.push(jsonb::OBJECT);
                jsonb::push_text(out, key);
                jsonb::push_text(out, value);
                out.push(jsonb::OBJECT_END);
            }),
        }
    }
}

/// An exception to be written.
struct Thrown<'t> {
    class: Text<'t>,
    message: Text<'t>,
    /// Its field `code`, if its class has one.
    code: Option<i32>,
}

/// A Throwable as Java makes one that was never thrown: it is its own cause.
fn hessian_exception(out: &mut Vec<u8>, thrown: &Thrown<'_>) {
    const FIELDS: [&str; 5] = [
        "code",
        "detailMessage",
        "cause",
        "stackTrace",
        "suppressedExceptions",
    ];
    let fields = &FIELDS[usize::from(thrown.code.is_none())..];
    let mut writer = Writer::new();
    let index = writer.class(thrown.class, fields.iter().map(|name| Text::new(name)));
    writer.begin_object(index);
    if let Some(code) = thrown.code {
        writer.int(code);
    }
    writer.string(thrown.message);
    writer.reference(0);
    writer.begin_list(Some(Text::new("[java.lang.StackTraceElement")), 0);
    writer.begin_list(None, 0);
    out.extend_from_slice(writer.as_bytes());
}

fn jsonb_exception(out: &mut Vec<u8>, thrown: &Thrown<'_>) {
    out.push(0x92);
    jsonb::push_text(out, thrown.class);
    out.extend([0, jsonb::OBJECT]);
    if let Some(code) = thrown.code {
        jsonb::push_text(out, Text::new("code"));
        jsonb::push_int(out, code);
    }
    jsonb::push_text(out, Text::new("detailMessage"));
    jsonb::push_text(out, thrown.message);
    jsonb::push_text(out, Text::new("stackTrace"));
    // An array of nothing.
    out.extend([0x94, jsonb::OBJECT_END]);
}

/// Whether a caller of this version reads flags 3 to 5: 2.0.2 to 2.0.99, the versions of the
/// protocol. Older peers send the version of their jar instead, which must not be taken for it.
fn knows_response_attachments(version: Text<'_>) -> bool {
    // What all callers say since 2.7.
    if version == "2.0.2" {
        return true;
    }
    int_version(&version.to_str_lossy())
        .is_some_and(|version| (2_00_02_00..=2_00_99_00).contains(&version))
}

/// `Version.getIntVersion`: two decimal digits a part, and two more if there are three parts.
fn int_version(version: &str) -> Option<i64> {
    let mut value = 0_i64;
    let mut parts = 0;
    // Trailing empty parts do not count in Java's `split`.
    for part in version.trim_end_matches('.').split('.') {
        let end = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        let digits = if end == 0 {
            0
        } else {
            part[..end].parse::<i32>().ok()?
        };
        value = value.checked_mul(100)?.checked_add(i64::from(digits))?;
        parts += 1;
    }
    if parts == 3 {
        value.checked_mul(100)
    } else {
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, Limits, Outcome, Response};

    /// What `org.apache.dubbo.common.Version.isSupportResponseAttachment` of Dubbo 3.2.16 answered.
    #[test]
    fn the_gate_is_java_s() {
        for version in [
            "2.0.2",
            "2.0.10",
            "2.0.99",
            "2.0.2.1",
            "2.0.9-SNAPSHOT",
            "2.0.2-x.1",
            "2..2",
        ] {
            assert!(knows_response_attachments(Text::new(version)), "{version}");
        }
        for version in ["2.0", "2.0.100", "2.6.2", "20002", "abc"] {
            assert!(!knows_response_attachments(Text::new(version)), "{version}");
        }
    }

    /// What Java makes of it is in the tests against real consumers.
    #[test]
    fn a_thrown_rpc_exception_is_read_with_its_code() {
        let limits = Limits::default();
        for flags in [b"\xc2", b"\xd7"] {
            let head = [&b"\xda\xbb"[..], flags, &[0; 13]].concat();
            let request = FrameHead::parse(&head).unwrap().unwrap();
            for version in [None, Some(Text::new("2.0.2"))] {
                let reply = Reply::to(&request, version).unwrap();
                for class in [RpcClass::Apache, RpcClass::Alibaba] {
                    let bytes = reply.rpc_exception(class, RpcCode::FORBIDDEN, "no");
                    let frame = Frame::parse(&bytes, &limits).unwrap().unwrap();
                    let response = Response::parse(frame.head(), frame.body(), &limits).unwrap();
                    let Outcome::Exception(thrown) = response.outcome() else {
                        panic!("{response:?}");
                    };
                    assert_eq!(thrown.rpc_code(), Some(RpcCode::FORBIDDEN));
                    assert_eq!(thrown.class, Some(Text::new(class.name())));
                    assert_eq!(thrown.message, Some(Text::new("no")));
                    let other = reply.exception("java.lang.RuntimeException", "no");
                    let frame = Frame::parse(&other, &limits).unwrap().unwrap();
                    let response = Response::parse(frame.head(), frame.body(), &limits).unwrap();
                    let Outcome::Exception(thrown) = response.outcome() else {
                        panic!("{response:?}");
                    };
                    assert_eq!((thrown.rpc_code(), thrown.code), (None, None));
                }
            }
        }
    }
}
