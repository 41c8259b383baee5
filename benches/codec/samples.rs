//! The requests that are measured.

use dubbo_codec::hessian2::Writer;
use dubbo_codec::{FrameHead, Text};

/// Head and body of a request.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) frame: Vec<u8>,
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

    pub(crate) fn head(&self) -> FrameHead {
        FrameHead::parse(&self.frame)
            .expect("a head")
            .expect("a whole head")
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.frame[FrameHead::LEN..]
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let object = "Ljava/lang/Object;";
    let text = |name, text: String| {
        Sample::new(name, "Ljava/lang/String;", move |w| {
            w.string(Text::new(&text))
        })
    };
    vec![
        text(
            "small",
            "order 4711 of customer-77182, to be delivered on a Monday, by bike".into(),
        ),
        Sample::new(
            "typical",
            "Ljava/lang/String;JLcom/acme/orders/Order;",
            typical,
        ),
        Sample::new("large", object, large),
        text("cjk", "订".repeat(60_000)),
        text("64k", "a".repeat(65_000)),
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
        w.string(Text::new("leave it at the neighbour, please"));
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
