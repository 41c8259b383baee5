//! Changes of policy reach the connections that are open, and no call is lost.

use std::time::Instant;

use support::{Call, DubboVersion, WireConsumer, isolated};

use super::super::SOON;
use super::policy::{DENIED, is_denied, service};
use super::{GREETING, STRICT, Settings, Sidecars, keep_pages};

/// The provider's half, quick to close what it has said goodbye to.
const PROVIDERS: &str =
    "{providers: [{ports: [20880], namespaces: [pay]}], options: {drain_ms: 1000}}";

async fn start() -> Sidecars {
    Sidecars::start(Settings {
        filter: PROVIDERS,
        objects: service(),
        provider_has_module: true,
        ..Settings::default()
    })
    .await
}

/// What is denied from now on is denied to callers that are connected, long before their
/// connections would have been cut.
#[test]
fn a_new_denial_reaches_open_connections_without_a_lost_call() {
    isolated(async || {
        let mesh = start().await;
        let mut judged = mesh.caller.calling(DubboVersion::V2_7).await;
        let mut steady = mesh.caller.calling(DubboVersion::V3_3).await;
        assert!(judged.call("sleep 1").await.starts_with("RESULT "));
        mesh.apply(DENIED);
        let began = Instant::now();
        let mut denied = 0;
        while denied < 5 {
            let (judged, steady) =
                futures::join!(judged.call("sleep 200"), steady.call("greet World"));
            assert_eq!(steady, GREETING);
            if is_denied(&judged) {
                denied += 1;
            } else {
                assert!(judged.starts_with("RESULT ") && denied == 0, "{judged}");
            }
            assert!(began.elapsed() < SOON, "{judged}");
        }
        keep_pages(&mesh).await;
    });
}

/// Who speaks plain text is told so and goes; who has certificates does not notice.
#[test]
fn mutual_tls_can_be_demanded_of_open_connections() {
    isolated(async || {
        let mesh = start().await;
        let mut caller = mesh.caller.calling(DubboVersion::V3_3).await;
        assert_eq!(caller.call("greet World").await, GREETING);
        let plain = WireConsumer::connect_to(mesh.provider.dubbo()).await;
        let greet = Call::new("com.acme.Greeter", "greet", "World");
        assert_eq!(plain.call(&greet).await.map(|answer| answer.status), Ok(20));
        mesh.apply(STRICT);
        let began = Instant::now();
        while mesh.provider.plainly("greet", "World").await.is_ok() {
            assert_eq!(
                caller.call("sleep 200").await,
                "RESULT slept 200 at greeter"
            );
            assert!(began.elapsed() < SOON);
        }
        // Envoy says goodbye behind an answer: who is silent is cut at the end of the drain.
        assert_eq!(plain.call(&greet).await.map(|answer| answer.status), Ok(20));
        // A request whose body is `R`: no more calls, please; and the end after it.
        let told = plain.other().await.unwrap();
        assert_eq!((told[2] & 0xe0, &told[16..]), (0xa0, &b"\x01R"[..]));
        assert_eq!(plain.other().await, None);
        for _ in 0..5 {
            assert_eq!(
                caller.call("sleep 200").await,
                "RESULT slept 200 at greeter"
            );
        }
        keep_pages(&mesh).await;
    });
}
