//! What is called, and what comes back. Pure.

use bytes::Bytes;
use dubbo_codec::{FrameHead, Reply, Text};
use http::{HeaderMap, HeaderName, HeaderValue};
use support::Call;

/// The service that everybody calls, and what it is called on the mesh.
pub(crate) const INTERFACE: &str = "com.acme.Greeter";
pub(crate) const HOST: &str = "com.acme.greeter.dubbo";
pub(crate) const METHOD: &str = "greet";

/// Of the answer, head included: what a short string needs.
const ANSWER: usize = 97;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Payload {
    pub(crate) name: &'static str,
    /// Bytes of the frame, head included.
    length: usize,
    attachments: usize,
}

/// All that are measured.
pub(crate) const PAYLOADS: [Payload; 3] = [SMALL, LARGE, ATTACHED];

/// As most calls are.
pub(crate) const SMALL: Payload = Payload {
    name: "300 B",
    length: 300,
    attachments: 4,
};
const LARGE: Payload = Payload {
    name: "16 KB",
    length: 16 * 1024,
    attachments: 4,
};
const ATTACHED: Payload = Payload {
    name: "512 B, 20 attachments",
    length: 512,
    attachments: 20,
};

impl Payload {
    /// The frame with id 0, of exactly its length: the argument is as long as it takes.
    ///
    /// # Panics
    /// If there is none, which is a mistake in the table above.
    pub(crate) fn frame(self) -> Vec<u8> {
        let mut lengths = 0..self.length;
        let frame = lengths.find_map(|length| {
            let frame = self.call(&"x".repeat(length)).frame(0);
            (frame.len() >= self.length).then_some(frame)
        });
        let frame = frame.expect("an argument makes a frame longer");
        assert_eq!(frame.len(), self.length, "{}", self.name);
        frame
    }

    /// With `path` and `interface`, which every call has, and names as Dubbo and its users give them.
    fn call(self, argument: &str) -> Call {
        let call = Call::new(INTERFACE, METHOD, argument)
            .with("timeout", "5000")
            .with("remote.application", "shop");
        (4..self.attachments).fold(call, |call, n| {
            call.with(&format!("acme-key-{n:02}"), &format!("value-{n:02}"))
        })
    }
}

/// The frame that answers each call, with id 0.
pub(crate) fn answer() -> Vec<u8> {
    let head = FrameHead::parse(&SMALL.frame())
        .ok()
        .flatten()
        .expect("a frame of ours");
    let reply = Reply::to(&head, Some(Text::new("2.0.2"))).expect("it is in Hessian2");
    let around = reply.string(&"x".repeat(32)).len() - 32;
    let answer = reply.string(&"x".repeat(ANSWER - around));
    assert_eq!(answer.len(), ANSWER);
    answer
}

/// The call as plain HTTP/2, with the headers that our filter gives it.
pub(crate) fn request(payload: Payload) -> (http::Request<()>, Bytes) {
    let request = http::Request::post(format!("http://{HOST}/{INTERFACE}/{METHOD}"))
        .header("content-type", "application/x-dubbo2")
        .header("tri-consumer-appname", "shop")
        .header("tri-service-timeout", "5000")
        .header("dubbo-serialization", "hessian2")
        .body(())
        .expect("names that HTTP allows");
    (request, payload.frame().into())
}

/// The head of its answer.
pub(crate) fn response() -> http::Response<()> {
    let mut headers = HeaderMap::new();
    let fields = [
        ("content-type", "application/x-dubbo2"),
        ("dubbo-status", "20"),
    ];
    headers.extend(fields.map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))));
    let mut response = http::Response::new(());
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use dubbo_codec::{FrameHead, Limits, Request};

    use super::*;

    #[test]
    fn frames_are_what_their_names_say() {
        let shapes = PAYLOADS.map(|payload| {
            let frame = payload.frame();
            let head = FrameHead::parse(&frame).unwrap().unwrap();
            let request =
                Request::parse(&head, &frame[FrameHead::LEN..], &Limits::default()).unwrap();
            (frame.len(), request.attachments().iter().count())
        });
        assert_eq!(shapes, [(300, 4), (16_384, 4), (512, 20)]);
    }
}
