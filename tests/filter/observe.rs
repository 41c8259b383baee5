//! The first step of a rollout: nothing changes, and all is counted.

use std::sync::Arc;

use support::{
    Call, CallAnswer, ConsumerSettings, Deed, DubboVersion, ProviderSettings, Service,
    WireConsumer, WireProvider, isolated, shipped,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{GREETER, envoy, lines, metric};

/// A consumer and a provider of Dubbo for Java see each other as without Envoy.
#[test]
fn java_s_calls_pass_and_are_counted_by_route_and_outcome() {
    isolated(async || {
        let _provider = ProviderSettings::new(DubboVersion::V3_3, "N/A")
            .protocol("dubbo", 20881)
            .service(
                Service::new(GREETER)
                    .set("version", "1.0.0")
                    .set("group", "gray"),
            )
            .start()
            .await;
        let envoy = envoy(&shipped("observe")).start().await;
        let url = format!("dubbo://127.0.0.1:20880/{GREETER}?version=1.0.0&group=gray");
        let mut consumer = ConsumerSettings::new(DubboVersion::V2_7, "N/A", GREETER)
            .set("reference.url", url)
            .set("reference.version", "1.0.0")
            .set("reference.group", "gray")
            .start()
            .await;
        assert_eq!(
            consumer.call("greet Ann").await,
            "RESULT hello Ann from provider"
        );
        assert_eq!(
            consumer.call("greet Bob dubbo.tag=blue").await,
            "RESULT hello Bob from provider"
        );
        assert_eq!(
            consumer.call("fail nothing").await,
            "THROWN com.acme.Rejected: nothing"
        );
        metric(&envoy, "dubbo.requests.two_way", 3).await;
        metric(&envoy, "dubbo.requests.serialization.hessian2", 3).await;
        metric(&envoy, "dubbo.responses.ok", 3).await;
        metric(&envoy, "dubbo.exceptions.business", 1).await;
        metric(&envoy, "dubbo.connections.active", 1).await;
        drop(consumer);
        let host = "host=v1-0-0.g-gray.com.acme.greeter.dubbo interface=com.acme.Greeter";
        let end = "serialization=hessian2 calls=1";
        let mut rows: Vec<_> = (envoy_lines(&envoy, 3).await.into_iter())
            .map(|line| line.split_once("dubbo observed: ").unwrap().1.to_owned())
            .collect();
        rows.sort();
        // 2.7 does not clear the attachments of an earlier call, so the tag may have stayed.
        let tag = match rows
            .iter()
            .any(|row| row.contains("method=fail") && row.contains("tag=blue"))
        {
            true => "blue",
            false => "-",
        };
        assert_eq!(
            rows,
            [
                format!(
                    "{host} method=fail version=1.0.0 group=gray tag={tag} {end} ok=0 business=1 timeout=0 failed=0"
                ),
                format!(
                    "{host} method=greet version=1.0.0 group=gray tag=- {end} ok=1 business=0 timeout=0 failed=0"
                ),
                format!(
                    "{host} method=greet version=1.0.0 group=gray tag=blue {end} ok=1 business=0 timeout=0 failed=0"
                ),
            ]
        );
        let connection = lines(&envoy, "connection ", 1).await;
        assert_eq!(
            connection,
            [
                "connection cluster=provider last=v1-0-0.g-gray.com.acme.greeter.dubbo method=fail status=20 exception=com.acme.Rejected"
            ]
        );
        metric(&envoy, "dubbo.connections.active", 0).await;
        metric(&envoy, "dubbo.requests.active", 0).await;
    });
}

/// The bytes of both directions, whatever they are, and however they are cut.
#[test]
fn every_byte_passes_as_it_came() {
    isolated(async || {
        let listener = TcpListener::bind("127.0.0.1:20881").await.unwrap();
        let envoy = envoy(&shipped("observe")).start().await;
        let frame = Call::new(GREETER, "greet", "Ann").frame(7);
        let broken = [
            &frame[..],
            b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x08\xff\xff\xff\xffrest",
            &frame,
        ]
        .concat();
        let endless = [&frame[..12], b"\x7f\xff\xff\xff", &[0; 100_000]].concat();
        let cases: [&[u8]; 6] = [
            &frame,
            &broken,
            &endless,
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xda",
            b"\x16\x03\x01\x02\0\x01",
        ];
        for (number, case) in cases.into_iter().enumerate() {
            let mut client = TcpStream::connect("127.0.0.1:20880").await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            {
                let (from, to) = (&mut client, &mut server);
                for part in case.chunks(case.len() / 3 + 1) {
                    from.write_all(part).await.unwrap();
                }
                let mut seen = vec![0; case.len()];
                to.read_exact(&mut seen).await.unwrap();
                assert!(seen == case, "case {number} changed");
                // And back, as a provider that answers with the same bytes.
                to.write_all(case).await.unwrap();
                from.read_exact(&mut seen).await.unwrap();
                assert!(seen == case, "case {number} changed on its way back");
            }
        }
        metric(&envoy, "dubbo.connections.dubbo", 4).await;
        metric(&envoy, "dubbo.connections.other", 2).await;
        // What is no Dubbo passes uncounted: two of them from the start, others once they are out of step.
        let dubbo: [&[u8]; 4] = [&frame, &broken, &endless, b"\xda"];
        let dubbo = dubbo.iter().map(|case| case.len() as u64).sum::<u64>();
        for name in ["in", "out"] {
            let name = format!("dynamicmodulescustom.dubbo.bytes.{name}");
            let counted = envoy.stat(&name).await.unwrap();
            assert!(
                (dubbo - broken.len() as u64..=dubbo).contains(&counted),
                "{name}: {counted}"
            );
        }
        metric(&envoy, "dubbo.connections.active", 0).await;
        metric(&envoy, "dubbo.requests.active", 0).await;
    });
}

#[test]
fn outcomes_are_told_apart() {
    isolated(async || {
        let provider = WireProvider::start(
            20881,
            Arc::new(|method, argument| match method {
                "busy" => Deed::Fail(100, "no thread".to_owned()),
                "slow" => Deed::Fail(31, "too slow".to_owned()),
                "throw" => {
                    Deed::Throw("java.lang.RuntimeException".to_owned(), argument.to_owned())
                }
                _ => Deed::Return(argument.to_owned()),
            }),
        )
        .await;
        let envoy = envoy(&shipped("observe")).start().await;
        let consumer = WireConsumer::connect(20880).await;
        for (method, status, text) in [
            ("busy", 100, "no thread"),
            ("slow", 31, "too slow"),
            ("throw", 20, "java.lang.RuntimeException: x"),
            ("fine", 20, "x"),
        ] {
            let answer = consumer.call(&Call::new(GREETER, method, "x")).await;
            assert_eq!(
                answer,
                Ok(CallAnswer {
                    status,
                    text: text.to_owned()
                })
            );
        }
        consumer
            .send(&Call::new(GREETER, "notify", "x").one_way().frame(1))
            .await
            .unwrap();
        // A heartbeat, as a consumer of 2.7 sends it.
        consumer
            .send(b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x09\0\0\0\x01N")
            .await
            .unwrap();
        let reply = consumer.other().await.unwrap();
        assert_eq!(reply, b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\x09\0\0\0\x01N");
        for (name, expected) in [
            ("dubbo.requests.two_way", 4),
            ("dubbo.requests.one_way", 1),
            ("dubbo.requests.heartbeat", 2),
            ("dubbo.responses.ok", 2),
            ("dubbo.responses.overload", 1),
            ("dubbo.responses.timeout", 1),
            ("dubbo.exceptions.business", 1),
            ("dubbo.exceptions.overload", 1),
            ("dubbo.exceptions.timeout", 1),
            ("dubbo.requests.active", 0),
        ] {
            metric(&envoy, name, expected).await;
        }
        assert_eq!(provider.seen().len(), 6);
    });
}

/// Lines that the module has logged of routes; Envoy puts its own prefix before them.
async fn envoy_lines(envoy: &support::Envoy, count: usize) -> Vec<String> {
    support::wait_until("the rows", super::SOON, async || {
        let log = envoy.process().log();
        let rows: Vec<_> = log
            .lines()
            .filter(|line| line.contains("dubbo observed: "))
            .map(str::to_owned)
            .collect();
        if rows.len() == count {
            Ok(rows)
        } else {
            Err(format!("{rows:#?}"))
        }
    })
    .await
}
