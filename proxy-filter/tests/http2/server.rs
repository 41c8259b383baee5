//! We are the server, h2 is the client.

use std::collections::HashMap;

use bytes::Bytes;
use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Code, Connection, Error, Event, Limits, Role, StreamKey};
use h2::client::SendRequest;
use tokio::io::duplex;

use crate::bodies::{Wire, body, read_all, send_all};

/// Answers each request with its own body and headers: `x-` ones back, `x-reset` resets, `x-trailer` ends with
/// trailers.
struct Echo {
    connection: Connection,
    requests: HashMap<StreamKey, (HeaderList, Vec<u8>)>,
    largest_waiting: usize,
    resets: Vec<Code>,
}

impl Echo {
    fn new(limits: Limits) -> Self {
        Self {
            connection: Connection::new(Role::Server, limits),
            requests: HashMap::new(),
            largest_waiting: 0,
            resets: vec![],
        }
    }

    fn take(&mut self, mut chunk: &[u8]) -> Result<(), Error> {
        while let Some(event) = self.connection.next(&mut chunk)? {
            match event {
                Event::Head { stream, end } => {
                    let request = (self.connection.headers().clone(), vec![]);
                    self.requests.insert(stream, request);
                    if end {
                        self.answer(stream);
                    }
                }
                Event::Data { stream, bytes, end } => {
                    let request = self.requests.get_mut(&stream).unwrap();
                    request.1.extend_from_slice(bytes);
                    self.connection.release(stream, bytes.len());
                    if end {
                        self.answer(stream);
                    }
                }
                Event::Trailers { stream } => {
                    let trailers = self.connection.headers().clone();
                    let request = self.requests.get_mut(&stream).unwrap();
                    trailers.iter().for_each(|(n, v)| request.0.push(n, v));
                    self.answer(stream);
                }
                Event::Reset { stream, code } => {
                    self.requests.remove(&stream);
                    self.resets.push(code);
                }
                Event::GoAway { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }

    fn answer(&mut self, stream: StreamKey) {
        let (request, body) = self.requests.remove(&stream).unwrap();
        if request.get(b"x-reset").is_some() {
            return self.connection.reset(stream, Code::INTERNAL_ERROR);
        }
        let mut head = HeaderList::new();
        head.push(b":status", b"200");
        for (name, value) in request.iter().filter(|(name, _)| name.starts_with(b"x-")) {
            head.push(name, value);
        }
        let trailers = request.get(b"x-trailer").is_some();
        self.connection
            .send_head(stream, &head, body.is_empty() && !trailers);
        self.connection.send_data(stream, &body, !trailers);
        self.largest_waiting = self.largest_waiting.max(self.connection.waiting());
        if trailers {
            let mut trailers = HeaderList::new();
            trailers.push(b"x-length", body.len().to_string().as_bytes());
            self.connection.send_head(stream, &trailers, true);
        }
    }
}

async fn serve(mut echo: Echo, mut wire: Wire) -> (Echo, Option<Error>) {
    loop {
        let chunk = wire.turn(echo.connection.out()).await;
        if chunk.is_empty() {
            return (echo, None);
        }
        if let Err(error) = echo.take(&chunk) {
            let mut out = std::mem::take(echo.connection.out());
            wire.turn(&mut out).await;
            return (echo, Some(error));
        }
    }
}

type Served = tokio::task::JoinHandle<(Echo, Option<Error>)>;

async fn connect(
    builder: &h2::client::Builder,
    limits: Limits,
    read: usize,
) -> (SendRequest<Bytes>, Served) {
    let (ours, theirs) = duplex(64 * 1024);
    let served = tokio::spawn(serve(Echo::new(limits), Wire::new(ours, read)));
    let (client, connection) = builder.handshake(theirs).await.unwrap();
    tokio::spawn(async move { connection.await.unwrap_or(()) });
    (client, served)
}

fn request(fields: &[(&str, &str)]) -> http::Request<()> {
    let mut request = http::Request::post("http://com.acme.orders.dubbo/com.acme.Orders/create");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

async fn call(client: &SendRequest<Bytes>, seed: usize, len: usize) -> Vec<u8> {
    let mut client = client.clone().ready().await.unwrap();
    let id = seed.to_string();
    let (response, mut send) = client
        .send_request(
            request(&[("x-id", &id), ("tri-service-version", "1.0.0")]),
            len == 0,
        )
        .unwrap();
    let sending = send_all(&mut send, body(seed, len), true);
    let (sent, response) = tokio::join!(sending, response);
    sent.unwrap();
    let response = response.unwrap();
    assert_eq!(response.headers()["x-id"], id);
    read_all(response.into_body()).await.unwrap().0
}

#[tokio::test]
async fn bodies_of_all_sizes_come_back_whatever_the_windows() {
    for (window, connection_window, read) in [
        (65_535, 65_535, 4096),
        (1000, 70_000, 77),
        (1 << 20, 1 << 24, 1 << 16),
    ] {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(connection_window);
        let (client, served) = connect(&builder, Limits::default(), read).await;
        for (seed, len) in [0, 1, 100, 16_383, 16_384, 16_385, 70_000, 1 << 20]
            .into_iter()
            .enumerate()
        {
            assert!(
                call(&client, seed, len).await == body(seed, len),
                "{len} bytes"
            );
        }
        drop(client);
        let (echo, error) = served.await.unwrap();
        assert_eq!(
            (error, echo.connection.active(), echo.connection.waiting()),
            (None, 0, 0)
        );
        let were_small = window < 1 << 20;
        assert_eq!(echo.largest_waiting > 0, were_small, "{window}");
    }
}

#[tokio::test]
async fn five_hundred_at_once() {
    let (client, served) = connect(&h2::client::Builder::new(), Limits::default(), 1 << 14).await;
    let calls = (0..500).map(|seed| {
        let client = client.clone();
        tokio::spawn(async move { call(&client, seed, seed * 40).await == body(seed, seed * 40) })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    drop(client);
    let (echo, error) = served.await.unwrap();
    assert_eq!((error, echo.connection.active()), (None, 0));
}

#[tokio::test]
async fn trailers_go_both_ways() {
    let (client, _served) = connect(&h2::client::Builder::new(), Limits::default(), 50).await;
    let mut client = client.ready().await.unwrap();
    let (response, mut send) = client
        .send_request(request(&[("x-trailer", "1")]), false)
        .unwrap();
    send.send_data(Bytes::from_static(b"hello"), false).unwrap();
    let trailers =
        http::HeaderMap::from_iter([("x-late".parse().unwrap(), "too".parse().unwrap())]);
    send.send_trailers(trailers).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.headers()["x-late"], "too");
    let (body, trailers) = read_all(response.into_body()).await.unwrap();
    assert_eq!(
        (&body[..], &trailers.unwrap()["x-length"]),
        (&b"hello"[..], &"5".parse::<http::HeaderValue>().unwrap())
    );
}

/// Every byte that h2 lets into a value, in its Huffman code, and a list that needs CONTINUATION.
#[tokio::test]
async fn headers_of_all_kinds() {
    let (client, _served) = connect(&h2::client::Builder::new(), Limits::default(), 1000).await;
    let mut client = client.ready().await.unwrap();
    let bytes: Vec<u8> = (0x20..=0xff).filter(|b| *b != 0x7f).collect();
    let odd = http::HeaderValue::from_bytes(&[b"(", &bytes[..], b")"].concat()).unwrap();
    let mut asked = request(&[
        ("x-long", &"y".repeat(20_000)),
        ("x-longer", &"~".repeat(30_000)),
    ]);
    asked.headers_mut().insert("x-odd", odd);
    let expected = asked.headers().clone();
    for _ in 0..3 {
        let mut again = request(&[]);
        *again.headers_mut() = expected.clone();
        let (response, _) = client.send_request(again, true).unwrap();
        assert_eq!(*response.await.unwrap().headers(), expected);
    }
}

#[tokio::test]
async fn resets_go_both_ways() {
    let (client, served) = connect(&h2::client::Builder::new(), Limits::default(), 1000).await;
    let mut client = client.ready().await.unwrap();
    let (response, _) = client
        .send_request(request(&[("x-reset", "1")]), true)
        .unwrap();
    let error = response.await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    let (response, mut send) = client.send_request(request(&[]), false).unwrap();
    send.send_data(Bytes::from_static(b"unfinished"), false)
        .unwrap();
    send.send_reset(h2::Reason::CANCEL);
    assert!(response.await.is_err());
    assert_eq!(call(&client, 1, 10).await, body(1, 10));
    drop((client, send));
    let (echo, error) = served.await.unwrap();
    assert_eq!(
        (error, echo.resets, echo.connection.active()),
        (None, vec![Code::CANCEL], 0)
    );
}

#[tokio::test]
async fn a_client_above_the_stream_limit_waits() {
    let limits = Limits {
        streams: 3,
        ..Limits::default()
    };
    let (client, _served) = connect(&h2::client::Builder::new(), limits, 1000).await;
    let calls = (0..50).map(|seed| {
        let client = client.clone();
        tokio::spawn(async move { call(&client, seed, 30_000).await == body(seed, 30_000) })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
}

#[tokio::test]
async fn goodbye_lets_what_is_open_end() {
    let (ours, theirs) = duplex(64 * 1024);
    let mut echo = Echo::new(Limits::default());
    let mut wire = Wire::new(ours, 1000);
    let served = tokio::spawn(async move {
        let mut said = false;
        loop {
            let chunk = wire.turn(echo.connection.out()).await;
            if chunk.is_empty() || echo.take(&chunk).is_err() {
                return echo;
            }
            if !said && echo.connection.active() > 0 {
                echo.connection.shut_down();
                said = true;
            }
        }
    });
    let (client, connection) = h2::client::handshake(theirs).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let (response, mut send) = client.send_request(request(&[]), false).unwrap();
    while client.clone().ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    send_all(&mut send, body(7, 5000), true).await.unwrap();
    let answer = read_all(response.await.unwrap().into_body()).await.unwrap();
    assert_eq!(answer.0, body(7, 5000));
    drop(client);
    connection.await.unwrap().unwrap();
    assert_eq!(served.await.unwrap().connection.active(), 0);
}
