//! A peek of a prefix, a peek, the index and the full decoding of a request say the same.
#![no_main]

use dubbo_codec::hessian2::{self, Node, Value};
use dubbo_codec::{FrameHead, Limits, Request, RequestPeek};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, body) = input;
    let mut bytes = *b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    bytes[2] = if choice & 1 == 0 { 0xc2 } else { 0xd7 };
    bytes[12..].copy_from_slice(&(body.len() as u32).to_be_bytes());
    let head = FrameHead::parse(&bytes).unwrap().unwrap();
    let limits = Limits::default();
    let request = Request::parse(&head, body, &limits);
    let peek = RequestPeek::parse(&head, body, &limits);
    assert!(peek != Ok(None), "a whole body asks for no more");
    let prefix = &body[..usize::from(choice) * body.len() / 256];
    match RequestPeek::parse(&head, prefix, &limits) {
        Ok(Some(early)) => assert_eq!(Ok(Some(early)), peek),
        Ok(None) => {}
        Err(error) => assert_eq!(Err(error), peek),
    }
    let Ok(request) = request else { return };
    assert_eq!(peek, Ok(Some(*request.peek())));
    let arguments: usize = request.arguments().map(<[u8]>::len).sum();
    let at = request.peek().len() + arguments;
    assert!(at <= body.len());
    let target = request.target();
    let _ = target.service_key().map(|key| key.host());
    let attachments = request.attachments();
    assert_eq!(attachments.iter().count(), attachments.len());
    assert_eq!(request.clone().into_index().with(body).as_ref(), Some(&request));
    if choice & 1 == 0 {
        let mut all = limits.clone();
        all.max_values = u32::MAX;
        if let Ok((graph, values)) = hessian2::decode(body, &all) {
            // The strings, the arguments, the map, and whatever comes after it. In dubbox's form an int
            // stands before the types.
            let strings = if values.get(4) == Some(&Value::Int(-1)) { 6 } else { 5 };
            let count = request.peek().parameters.count() as usize;
            let map = values.iter().skip(strings + count).find(|v| !matches!(v, Value::Int(_)));
            if let (Some(Value::Node(id)), false) = (map, attachments.is_empty()) {
                match graph.node(*id) {
                    Some(Node::Map { entries, .. }) => assert_eq!(entries.len(), attachments.len()),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
});
