//! Who may send how much.

use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Code, Event, Limits};

use crate::rules::*;

/// 6.9: a stream's window is what was granted, padding included.
#[test]
fn a_stream_gets_no_more_than_was_released() {
    let full = [&frame(DATA, 0, 1, &[0; 16_384])[..]; 4].concat();
    let mut open = server(Limits::default());
    assert_eq!(feed(&mut open, &request(1, 0)).unwrap().len(), 1);
    assert_eq!(feed(&mut open, &full).unwrap().len(), 4);
    assert_resets(open, &frame(DATA, 0, 1, b"x"), 1, Code::FLOW_CONTROL_ERROR);

    let mut open = server(Limits::default());
    feed(&mut open, &[request(1, 0), full].concat()).unwrap();
    let mut key = None;
    let mut again = server(Limits::default());
    let bytes = request(1, 0);
    let mut rest = &bytes[..];
    while let Some(Event::Head { stream, .. }) = again.next(&mut rest).unwrap() {
        key = Some(stream);
    }
    open.release(key.unwrap(), 300);
    let update = (WINDOW_UPDATE, 0, 1, vec![0, 0, 1, 44]);
    assert!(frames(open.out()).contains(&update));
    let padded = [&[200][..], &[b'x'; 99], &[0; 200]].concat();
    assert_eq!(
        feed(&mut open, &frame(DATA, PADDED, 1, &padded))
            .unwrap()
            .len(),
        1
    );
    // The padding was given back at once.
    assert_eq!(
        feed(&mut open, &frame(DATA, 0, 1, &[b'y'; 201]))
            .unwrap()
            .len(),
        1
    );
    assert_resets(open, &frame(DATA, 0, 1, b"x"), 1, Code::FLOW_CONTROL_ERROR);
}

/// 6.9.2: a smaller initial window can make that of a stream negative; nothing is sent then.
#[test]
fn the_initial_window_can_change_under_a_stream() {
    let (mut client, _, stream) = client();
    client.send_data(stream, &[1; 60_000], false);
    client.out().clear();
    let window = |size: u32| frame(SETTINGS, 0, 0, &[&[0, 4][..], &size.to_be_bytes()].concat());
    feed(&mut client, &window(50_000)).unwrap();
    feed(&mut client, &frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0])).unwrap();
    client.out().clear();
    client.send_data(stream, &[2; 500], true);
    assert_eq!((client.out().len(), client.waiting()), (0, 500));
    feed(
        &mut client,
        &frame(WINDOW_UPDATE, 0, 3, &(10_100_u32).to_be_bytes()),
    )
    .unwrap();
    assert_eq!(frames(client.out()), [(DATA, 0, 3, vec![2; 100])]);
    client.out().clear();
    feed(&mut client, &window(50_400)).unwrap();
    let sent = frames(client.out());
    assert_eq!(
        sent,
        [
            (SETTINGS, ACK, 0, vec![]),
            (DATA, END_STREAM, 3, vec![2; 400])
        ]
    );
    assert_eq!(client.waiting(), 0);
}

#[test]
fn streams_take_turns_when_the_connections_window_opens() {
    let (mut client, _, stream) = client();
    let mut head = HeaderList::new();
    head.push(b":method", b"POST");
    client.send_data(stream, &[1; 65_535], false);
    feed(&mut client, &frame(WINDOW_UPDATE, 0, 3, &[0, 1, 0, 0])).unwrap();
    let other = client.open(&head, false).unwrap();
    client.send_data(stream, &[1; 20_000], true);
    client.send_data(other, &[2; 20_000], true);
    client.out().clear();
    assert!(client.is_stalled());
    feed(&mut client, &frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0])).unwrap();
    let lengths: Vec<_> = frames(client.out())
        .iter()
        .map(|f| (f.2, f.3.len(), f.1))
        .collect();
    assert_eq!(
        lengths,
        [(3, 16_384, 0), (5, 16_384, 0), (3, 3616, 1), (5, 3616, 1)]
    );
}
