//! `Authority` between a client and a server of `h2`.

use std::collections::BTreeMap;

use bytes::Bytes;
use dubbo_proxy_filter::authority::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::translator;

/// Stands between two ends, giving each side what came in pieces of up to `most` bytes.
async fn between(mut client: DuplexStream, mut server: DuplexStream, most: usize) -> Authority {
    let mut authority = translator();
    let (mut up, mut down) = (vec![0; most], vec![0; most]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(n @ 1..) => authority.from_client(&up[..n]),
                _ => return authority,
            },
            read = server.read(&mut down) => match read {
                Ok(n @ 1..) => authority.from_envoy(&down[..n]),
                _ => return authority,
            },
        }
        assert_eq!(authority.closing(), None);
        let up = std::mem::take(authority.to_envoy());
        server.write_all(&up).await.unwrap();
        let down = std::mem::take(authority.to_client());
        client.write_all(&down).await.unwrap();
    }
}

/// What a request came with: authority, headers, body, trailers.
type Came = (Option<String>, BTreeMap<String, String>, Vec<u8>, usize);

fn texts(headers: &http::HeaderMap) -> BTreeMap<String, String> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    headers.iter().map(text).collect()
}

/// Takes requests, answers each with its path and its trailers, and returns what came.
async fn serve(io: DuplexStream, builder: h2::server::Builder, count: usize) -> Vec<Came> {
    let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
    let mut came = vec![];
    let mut tasks = vec![];
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tasks.push(tokio::spawn(async move {
            let (head, mut stream) = request.into_parts();
            let mut body = vec![];
            while let Some(chunk) = stream.data().await {
                let chunk = chunk.unwrap();
                stream.flow_control().release_capacity(chunk.len()).unwrap();
                body.extend(chunk);
            }
            let trailers = stream.trailers().await.unwrap().map_or(0, |t| t.len());
            let path = head.uri.path().to_owned();
            let response = http::Response::builder().header("x-path", &path).body(());
            let mut send = respond.send_response(response.unwrap(), false).unwrap();
            send.send_data(Bytes::from(path), true).unwrap();
            let authority = head.uri.authority().map(ToString::to_string);
            (authority, texts(&head.headers), body, trailers)
        }));
        if tasks.len() == count {
            break;
        }
    }
    let closing = tokio::spawn(async move { while connection.accept().await.is_some() {} });
    for task in tasks {
        came.push(task.await.unwrap());
    }
    drop(closing);
    came
}

/// One request: its path, headers, the length of its body, and whether trailers end it.
type Asked<'a> = (&'a str, Vec<(&'static str, String)>, usize, bool);

async fn ask(
    sender: &mut h2::client::SendRequest<Bytes>,
    (path, headers, length, trailers): &Asked<'_>,
) {
    let mut request =
        http::Request::post(format!("http://10.0.0.7:50051{path}")).version(http::Version::HTTP_2);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(()).unwrap();
    sender.clone().ready().await.unwrap();
    let end = *length == 0 && !trailers;
    let (response, mut send) = sender.send_request(request, end).unwrap();
    let mut left = *length;
    while left > 0 {
        send.reserve_capacity(left);
        let granted = std::future::poll_fn(|context| send.poll_capacity(context)).await;
        let now = granted.unwrap().unwrap().min(left);
        left -= now;
        send.send_data(Bytes::from(vec![b'x'; now]), left == 0 && !trailers)
            .unwrap();
    }
    if *trailers {
        let fields = [("x-end".parse().unwrap(), "yes".parse().unwrap())];
        send.send_trailers(http::HeaderMap::from_iter(fields))
            .unwrap();
    }
    let (head, mut body) = response.await.unwrap().into_parts();
    assert_eq!(head.headers["x-path"], *path);
    let mut text = vec![];
    while let Some(chunk) = body.data().await {
        text.extend(chunk.unwrap());
    }
    assert_eq!(text, path.as_bytes());
}

/// Everything goes through as it was sent but for the authority, whatever the sizes of tables, frames
/// and pieces.
#[tokio::test]
async fn requests_get_their_services_name_and_stay_as_they_are() {
    let long = "v".repeat(40_000);
    let asked: Vec<Asked<'_>> = vec![
        (
            "/com.acme.Greeter/greet",
            vec![("content-type", "application/grpc".into())],
            0,
            false,
        ),
        (
            "/com.acme.Greeter/greet",
            vec![
                ("tri-service-version", "1.0.0".into()),
                ("tri-service-group", "gray".into()),
            ],
            200_000,
            true,
        ),
        ("/index.html", vec![("x-id", "1".into())], 10, false),
        (
            "/com.acme.Orders/create",
            vec![("x-long", long.clone())],
            70_000,
            false,
        ),
        (
            "/com.acme.Orders/create",
            vec![("x-long", long.clone())],
            0,
            true,
        ),
        (
            "/com.acme.Orders/create",
            vec![("content-type", "application/x-dubbo2".into())],
            5,
            false,
        ),
    ];
    let address = "10.0.0.7:50051";
    let hosts = [
        "com.acme.greeter.dubbo",
        "v1-0-0.g-gray.com.acme.greeter.dubbo",
        address,
        "com.acme.orders.dubbo",
        "com.acme.orders.dubbo",
        address,
    ];
    for (table, most) in [
        (4096, 7),
        (4096, 60_000),
        (0, 1000),
        (100, 1),
        (65_536, 60_000),
    ] {
        let (client, up) = duplex(1 << 16);
        let (down, server) = duplex(1 << 16);
        let mut builder = h2::server::Builder::new();
        builder
            .header_table_size(table)
            .max_header_list_size(1 << 20);
        let rounds = 3;
        let server = tokio::spawn(serve(server, builder, rounds * asked.len()));
        let translator = tokio::spawn(between(up, down, most));
        let (mut sender, connection) = h2::client::handshake(client).await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..rounds {
            for one in &asked {
                ask(&mut sender, one).await;
            }
        }
        let came = server.await.unwrap();
        assert_eq!(came.len(), rounds * asked.len());
        for (n, (authority, headers, body, trailers)) in came.into_iter().enumerate() {
            let (_, sent, length, ended) = &asked[n % asked.len()];
            let sent: BTreeMap<_, _> = (sent.iter())
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            assert_eq!(
                authority.as_deref(),
                Some(hosts[n % asked.len()]),
                "{table} {n}"
            );
            assert_eq!(
                (headers, body.len(), trailers == 1),
                (sent, *length, *ended),
                "{table} {n}"
            );
        }
        drop(sender);
        connection.abort();
        assert_eq!(translator.await.unwrap().buffered(), 0);
    }
}
