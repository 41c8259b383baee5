//! What consumers of each version make of an exception that the codec wrote.

use dubbo_codec::{
    Assembler, Event, FrameKind, Limits, Reply, RequestPeek, RpcClass, RpcCode, Serialization,
    Status,
};
use support::{ConsumerSettings, DubboVersion, isolated};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const MESSAGE: &str = "not for you \u{4e0d}";

#[test]
fn each_dubbo_sees_a_thrown_rpc_exception_with_its_code() {
    isolated(async || {
        for version in DubboVersion::ALL {
            let class = match version {
                DubboVersion::V2_6 => RpcClass::Alibaba,
                _ => RpcClass::Apache,
            };
            let seen = called(version, "", Serialization::HESSIAN2, move |reply| {
                reply.rpc_exception(class, RpcCode::FORBIDDEN, MESSAGE)
            });
            assert_eq!(seen.await, expected(version, class, 4), "{version:?}");
        }
    });
}

#[test]
fn fastjson2_carries_a_thrown_rpc_exception_too() {
    isolated(async || {
        for version in [DubboVersion::V3_2, DubboVersion::V3_3] {
            let wants = "?serialization=fastjson2&prefer.serialization=fastjson2,hessian2";
            let seen = called(version, wants, Serialization::FASTJSON2, |reply| {
                reply.rpc_exception(RpcClass::Apache, RpcCode::LIMIT_EXCEEDED, MESSAGE)
            });
            let expected = expected(version, RpcClass::Apache, 7);
            assert_eq!(seen.await, expected, "{version:?}");
        }
    });
}

/// The safer way: no class is named, and the consumer makes an exception of its own.
#[test]
fn each_dubbo_makes_an_exception_of_a_status() {
    isolated(async || {
        for version in DubboVersion::ALL {
            let seen = called(version, "", Serialization::HESSIAN2, |reply| {
                reply.error(Status::SERVICE_ERROR, MESSAGE)
            });
            let seen = seen.await;
            assert!(seen.contains("RpcException"), "{version:?}: {seen}");
            assert!(seen.contains(MESSAGE), "{version:?}: {seen}");
        }
    });
}

/// What a consumer says of an `RpcException` with a code: those from 3.2 on
/// wrap it into one of their own, without a code.
fn expected(version: DubboVersion, class: RpcClass, code: i32) -> String {
    let name = class.name();
    match version {
        DubboVersion::V3_2 | DubboVersion::V3_3 => format!(
            "THROWN {name} 0 {code}: java.util.concurrent.ExecutionException: {name}: {MESSAGE}"
        ),
        _ => format!("THROWN {name} {code}: {MESSAGE}"),
    }
}

/// What a consumer says of one call that is answered by `answer`.
async fn called(
    version: DubboVersion,
    parameters: &str,
    serialization: Serialization,
    answer: impl Fn(&Reply) -> Vec<u8> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:20880").await.expect("a port");
    let provider = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            answer_calls(stream, serialization, &answer).await;
        }
    });
    let url = format!("dubbo://127.0.0.1:20880/com.acme.Greeter{parameters}");
    let mut consumer = ConsumerSettings::new(version, "N/A", "com.acme.Greeter")
        .set("reference.url", url)
        .start()
        .await;
    let seen = consumer.call("greet World").await;
    drop(consumer);
    provider.abort();
    // The port is free again once the task is gone.
    let _ = provider.await;
    seen
}

async fn answer_calls(
    mut stream: TcpStream,
    serialization: Serialization,
    answer: &(impl Fn(&Reply) -> Vec<u8> + Send + Sync),
) {
    let limits = Limits::default();
    let mut assembler = Assembler::new(limits);
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        let mut chunk = &buffer[..len];
        let mut answers = Vec::new();
        while let Some(frame) = assembler.next(&mut chunk).expect("frames of Dubbo") {
            let head = frame.head();
            if head.kind != FrameKind::Request || !head.two_way {
                continue;
            }
            if head.event {
                assert_eq!(Event::parse(head, frame.body()), Ok(Event::Heartbeat));
                answers.extend(head.heartbeat_reply().expect("a null"));
                continue;
            }
            assert_eq!(head.serialization, serialization);
            let peek = RequestPeek::parse(head, frame.body(), &limits).expect("a request");
            let version = peek.expect("a whole one").dubbo_version;
            answers.extend(answer(&Reply::to(head, Some(version)).expect("a reply")));
        }
        if stream.write_all(&answers).await.is_err() {
            return;
        }
    }
}
