//! The calls of one connection: so many in flight, each told from all others by its argument.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dubbo_codec::hessian2::{Value, decode};
use dubbo_codec::{Assembler, FrameKind, Limits, Outcome, Response};
use support::Call;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of the calls of one connection.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Calls that got their own answer, once.
    pub(crate) right: u64,
    /// What went otherwise: another's answer, a second one, an error, or none.
    pub(crate) wrong: Vec<String>,
}

/// The argument of a call, which no other call has, and who is to answer it.
fn meant(connection: u64, number: u64) -> (String, &'static str) {
    let length = match number {
        _ if number % 1000 == 999 => 100_000,
        _ => (number * 37 + connection * 11) % 1500,
    };
    let provider = if number.is_multiple_of(3) { "v2" } else { "v1" };
    let padding = "x".repeat(length as usize);
    (format!("{connection}-{number}-{padding}"), provider)
}

fn frame(connection: u64, number: u64) -> Vec<u8> {
    let (argument, provider) = meant(connection, number);
    let call = Call::new("com.acme.Greeter", "greet", &argument)
        .with("remote.application", "shop")
        .with("timeout", "60000");
    let call = match provider {
        "v2" => call.with("region", "gray"),
        _ => call,
    };
    // Callers count for themselves: all connections use the same ids.
    call.frame(number as i64)
}

/// Makes `calls` calls, of which `in_flight` wait for their answers at a time. `done` counts answers.
pub(crate) async fn make(
    connection: u64,
    calls: u64,
    in_flight: u64,
    done: Arc<AtomicU64>,
) -> Made {
    let stream = TcpStream::connect("127.0.0.1:20880").await;
    let (mut read, mut write) = stream.expect("Envoy listens").into_split();
    let (free, mut next) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..in_flight {
        let _ = free.send(());
    }
    let writer = tokio::spawn(async move {
        for number in 0..calls {
            if next.recv().await.is_none()
                || write.write_all(&frame(connection, number)).await.is_err()
            {
                break;
            }
        }
        // Until all answers are there.
        while next.recv().await.is_some() {}
        drop(write);
    });
    let mut made = Made::default();
    let mut answered = HashMap::new();
    let mut assembler = Assembler::new(Limits::default());
    let mut buffer = vec![0; 64 * 1024];
    while made.right + (made.wrong.len() as u64) < calls {
        let read = tokio::time::timeout(PATIENCE, read.read(&mut buffer)).await;
        let Ok(Ok(length @ 1..)) = read else {
            made.wrong
                .push(format!("{connection}: no more answers: {read:?}"));
            break;
        };
        let mut chunk = &buffer[..length];
        while let Some(frame) = assembler.next(&mut chunk).expect("Dubbo from Envoy") {
            let head = *frame.head();
            if head.kind != FrameKind::Response || head.event {
                made.wrong
                    .push(format!("{connection}: not an answer: {head:?}"));
                continue;
            }
            let times = answered.entry(head.id).or_insert(0_u32);
            *times += 1;
            let (argument, provider) = meant(connection, head.id as u64);
            let expected = format!("{argument} from {provider}");
            match text(&head, frame.body()) {
                Ok(text) if text == expected && *times == 1 => made.right += 1,
                other => {
                    let what = format!("{other:?}");
                    let what: String = what.chars().take(200).collect();
                    made.wrong.push(format!(
                        "{connection}: call {}, answer {times}: {what}",
                        head.id
                    ));
                }
            }
            done.fetch_add(1, Ordering::Relaxed);
            let _ = free.send(());
        }
    }
    // A second answer to the last calls would come now.
    let late = tokio::time::timeout(Duration::from_millis(500), read.read(&mut buffer)).await;
    if let Ok(Ok(1..)) = late {
        made.wrong.push(format!("{connection}: an answer too many"));
    }
    drop(free);
    let _ = writer.await;
    made
}

/// The string that a call returned.
fn text(head: &dubbo_codec::FrameHead, body: &[u8]) -> Result<String, String> {
    let limits = Limits::default();
    let response = Response::parse(head, body, &limits).map_err(|error| error.to_string())?;
    let Outcome::Value(value) = response.outcome() else {
        return Err(format!(
            "status {}: {:?}",
            head.status.0,
            response.outcome()
        ));
    };
    match decode(value, &limits)
        .map_err(|error| error.to_string())?
        .1
        .first()
    {
        Some(Value::String(text)) => Ok(text.to_str_lossy().into_owned()),
        other => Err(format!("no string: {other:?}")),
    }
}
