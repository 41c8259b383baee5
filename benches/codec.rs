//! How long the codec takes for a frame, one core, best of several runs.
//!
//! `cargo bench -p dubbo-mesh-benches --bench codec` prints nanoseconds a frame; every loop asserts
//! that it did what it says, so that no error path is measured.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use dubbo_codec::hessian2::{Encoder, Graph, Value, Writer, decode};
use dubbo_codec::{FrameHead, Limits, Request, RequestEdit, RequestPeek, Text};

/// Head and body of a request.
struct Sample {
    name: &'static str,
    frame: Vec<u8>,
}

impl Sample {
    /// A two-way hessian2 request with nine attachments, as a 3.x consumer with tracing sends it.
    fn new(name: &'static str, types: &str, arguments: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut writer = Writer::new();
        for text in [
            "2.0.2",
            "com.acme.orders.OrderService",
            "1.0.0",
            "submitOrder",
            types,
        ] {
            writer.string(Text::new(text));
        }
        arguments(&mut writer);
        writer.begin_map(None);
        for (key, value) in [
            ("path", "com.acme.orders.OrderService"),
            ("interface", "com.acme.orders.OrderService"),
            ("version", "1.0.0"),
            ("group", "gray"),
            ("timeout", "3000"),
            ("remote.application", "order-web"),
            ("dubbo.tag", "canary"),
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            ("token", "6f1c1d3e-60a2-4e41-b8c3-1d1b0b0b9f5a"),
        ] {
            writer.string(Text::new(key));
            writer.string(Text::new(value));
        }
        writer.end_map();
        let body = writer.into_bytes();
        let mut frame = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01".to_vec();
        frame.extend((body.len() as u32).to_be_bytes());
        frame.extend(body);
        Self { name, frame }
    }

    fn head(&self) -> FrameHead {
        FrameHead::parse(&self.frame)
            .expect("a head")
            .expect("a whole head")
    }

    fn body(&self) -> &[u8] {
        &self.frame[FrameHead::LEN..]
    }
}

fn samples() -> Vec<Sample> {
    let object = "Ljava/lang/Object;";
    let text = |name, text: String| {
        Sample::new(name, "Ljava/lang/String;", move |w| {
            w.string(Text::new(&text))
        })
    };
    vec![
        text("small", "order 4711".into()),
        Sample::new(
            "typical",
            "Ljava/lang/String;JLcom/acme/orders/Order;",
            typical,
        ),
        Sample::new("large", object, large),
        text("60 k ASCII", "a".repeat(60_000)),
        text("60 k CJK", "订".repeat(60_000)),
        text("64 KB text", "a".repeat(65_000)),
    ]
}

/// A string, a long, and a bean with a list of four, an enum, a decimal and a map.
fn typical(w: &mut Writer<'_>) {
    w.string(Text::new("customer-77182"));
    w.long(1_700_000_000_123);
    let names = |all: &'static [&'static str]| all.iter().map(|name| Text::new(name));
    let order = w.class(
        Text::new("com.acme.orders.Order"),
        names(&["id", "status", "total", "items", "labels"]),
    );
    w.begin_object(order);
    w.long(9_223_372_036);
    let status = w.class(Text::new("com.acme.orders.Status"), names(&["name"]));
    w.begin_object(status);
    w.string(Text::new("NEW"));
    let decimal = w.class(Text::new("java.math.BigDecimal"), names(&["value"]));
    w.begin_object(decimal);
    w.string(Text::new("1299.95"));
    w.begin_list(None, 4);
    let item = w.class(
        Text::new("com.acme.orders.Item"),
        names(&["sku", "quantity", "price", "gift", "note"]),
    );
    for n in 0..4 {
        w.begin_object(item);
        w.string(Text::new("SKU-0000-1234"));
        w.int(n + 1);
        w.double(19.99);
        w.bool(n % 2 == 0);
        w.null();
    }
    w.begin_map(None);
    for (key, value) in [
        ("channel", "web"),
        ("region", "eu-central"),
        ("campaign", "autumn"),
    ] {
        w.string(Text::new(key));
        w.string(Text::new(value));
    }
    w.end_map();
}

/// A list of two thousand beans of three fields.
fn large(w: &mut Writer<'_>) {
    w.begin_list(None, 2000);
    let names = ["id", "name", "score"].map(Text::new);
    let class = w.class(Text::new("com.acme.orders.Row"), names.into_iter());
    for n in 0..2000 {
        w.begin_object(class);
        w.int(n);
        w.string(Text::new("a row of it"));
        w.double(f64::from(n) / 8.0);
    }
}

/// The best of many short runs: what the code costs when nothing else runs.
fn best(mut once: impl FnMut()) -> f64 {
    let timed = |rounds: u32, once: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..rounds).for_each(|_| once());
        start.elapsed()
    };
    let mut rounds = 1;
    while timed(rounds, &mut once) < Duration::from_millis(5) {
        rounds *= 2;
    }
    let runs = (0..30).map(|_| timed(rounds, &mut once));
    let best = runs.min().unwrap_or_default();
    best.as_secs_f64() * 1e9 / f64::from(rounds)
}

fn main() {
    let limits = Limits::default();
    println!(
        "{:12} {:>8} {:>8} {:>8} {:>8} {:>10} {:>10} {:>8}",
        "", "bytes", "head", "peek", "index", "decode", "encode", "patch"
    );
    for sample in samples() {
        let (head, body) = (sample.head(), sample.body());
        let frame = &sample.frame;
        let head_ns = best(|| {
            let head = FrameHead::parse(black_box(frame));
            assert!(black_box(head).is_ok());
        });
        let peek_ns = best(|| {
            let peek = RequestPeek::parse(black_box(&head), black_box(body), &limits);
            assert!(black_box(&peek).as_ref().is_ok_and(|peek| peek.is_some()));
        });
        let index_ns = best(|| {
            let request = Request::parse(black_box(&head), black_box(body), &limits);
            assert!(
                black_box(&request)
                    .as_ref()
                    .is_ok_and(|r| r.attachments().len() == 9)
            );
        });
        let decode_ns = best(|| {
            let (graph, values) = decode(black_box(body), &limits).expect("values");
            assert!(black_box(&graph).len() + values.len() > 6);
        });
        let (graph, values): (Graph<'_>, Vec<Value<'_>>) = decode(body, &limits).expect("values");
        let encode_ns = best(|| {
            let mut encoder = Encoder::new(black_box(&graph));
            values.iter().for_each(|value| encoder.value(*value));
            assert_eq!(black_box(encoder.into_bytes()).len(), body.len());
        });
        let request = Request::parse(&head, body, &limits).expect("a request");
        let patch_ns = best(|| {
            let mut edit = RequestEdit::new();
            edit.set(black_box("dubbo.tag"), black_box("stable"));
            let patch = request.patch(&head, &edit, &limits).expect("a patch");
            assert!(!black_box(&patch).is_empty());
        });
        println!(
            "{:12} {:8} {head_ns:8.1} {peek_ns:8.1} {index_ns:8.1} {decode_ns:10.1} {encode_ns:10.1} {patch_ns:8.1}",
            sample.name,
            frame.len()
        );
    }
}
