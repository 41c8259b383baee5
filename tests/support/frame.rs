//! What stands in a frame that a provider has got.

use dubbo_codec::{Frame, Limits, Request};

/// An attachment of a request.
///
/// # Panics
/// If it is no request.
#[must_use]
pub fn attachment(frame: &[u8], name: &str) -> Option<String> {
    let limits = Limits::default();
    let frame = Frame::parse(frame, &limits).expect("a frame");
    let frame = frame.expect("a whole frame");
    let request = Request::parse(frame.head(), frame.body(), &limits).expect("a request");
    let text = request.attachments().text(name);
    text.map(|text| text.to_str_lossy().into_owned())
}
