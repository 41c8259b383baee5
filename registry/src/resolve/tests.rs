//! `localhost` and `.invalid` (RFC 2606) are names that need no network.

use futures::StreamExt;
use tokio::sync::watch::channel;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<Arc<str>> {
    names.into_iter().map(Arc::from).collect()
}

#[tokio::test]
async fn a_name_has_addresses_or_a_reason() {
    let localhost = once("localhost").await.unwrap();
    assert!(localhost.iter().all(IpAddr::is_loopback), "{localhost:?}");
    assert!(localhost.is_sorted());
    let error = once("nowhere.invalid").await.unwrap_err();
    assert!(error.contains("failed to lookup"), "{error}");
}

#[tokio::test]
async fn names_are_resolved_while_they_are_wanted_again_and_again() {
    let (sender, wanted) = channel(names(["localhost"]));
    let mut answers = watch(wanted, Duration::from_millis(100));
    for _ in 0..3 {
        let (name, answer) = timeout(LIMIT, answers.next()).await.unwrap().unwrap();
        assert_eq!((&*name, answer.is_ok()), ("localhost", true));
    }

    // A failure is told, and keeps nobody else waiting.
    sender.send_replace(names(["localhost", "nowhere.invalid"]));
    let mut seen = BTreeSet::new();
    while seen.len() < 2 {
        let (name, answer) = timeout(LIMIT, answers.next()).await.unwrap().unwrap();
        assert_eq!(answer.is_ok(), &*name == "localhost");
        seen.insert(name);
    }

    sender.send_replace(names([]));
    // What was on its way may still come.
    let silence = async { while answers.next().await.is_some() {} };
    assert!(timeout(Duration::from_millis(500), silence).await.is_err());
    drop(sender);
    let ended = async { while answers.next().await.is_some() {} };
    timeout(LIMIT, ended)
        .await
        .expect("the stream ends with its set of names");
}
