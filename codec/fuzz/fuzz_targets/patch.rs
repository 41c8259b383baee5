//! A patch of nothing is the original; a patch of something changes that and nothing else.
#![no_main]

use dubbo_codec::{AttachmentValue, FrameHead, Limits, Request, RequestEdit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, &str, &[u8])| {
    let (choice, key, value, body) = input;
    let mut bytes = *b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    bytes[2] = if choice & 1 == 0 { 0xc2 } else { 0xd7 };
    bytes[12..].copy_from_slice(&(body.len() as u32).to_be_bytes());
    let head = FrameHead::parse(&bytes).unwrap().unwrap();
    let limits = Limits::default();
    let Ok(request) = Request::parse(&head, body, &limits) else { return };
    let nothing = request.patch(&head, &RequestEdit::new(), &limits).unwrap();
    assert!(nothing.is_empty() && nothing.to_vec() == [&bytes, body].concat());

    let mut edit = RequestEdit::new();
    // A key that is there is more interesting than one that is not.
    let present = request.attachments().iter().nth(usize::from(choice >> 3)).and_then(|(key, _)| key);
    let present = present.map(|text| text.to_string());
    let key = present.as_deref().filter(|_| choice & 4 == 0).unwrap_or(key);
    let value = (choice & 2 == 0).then_some(value);
    match value {
        Some(value) => edit.set(key, value),
        None => edit.remove(key),
    };
    let Ok(patch) = request.patch(&head, &edit, &limits) else { return };
    let frame = patch.to_vec();
    assert_eq!(frame.len(), patch.frame_len());
    let head = FrameHead::parse(&frame).unwrap().unwrap();
    let patched = Request::parse(&head, &frame[16..], &limits).expect("it can be read");
    assert!(patched.arguments().eq(request.arguments()));
    assert_eq!(patched.attachments().text(key).map(|t| t.to_string()), value.map(String::from));
    // All others are as they were, in their order. What has parts may be written anew.
    let others = |request: &Request<'_>| -> Vec<String> {
        let all = request.attachments();
        let all = all.iter().filter(|(found, _)| found.is_none_or(|found| found != key));
        all.map(|(key, value)| match value {
            AttachmentValue::Other(_) => format!("{key:?} other"),
            value => format!("{key:?} {value:?}"),
        })
        .collect()
    };
    assert_eq!(others(&request), others(&patched));
});
