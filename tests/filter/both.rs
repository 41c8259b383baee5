//! The sidecar of an application that calls and is called.

use support::{Call, WireConsumer, WireProvider, isolated, shipped};

use super::{DENIED, GREETER, answered, echo, ended, envoy, lines, metric};

#[test]
fn one_envoy_is_the_sidecar_of_a_caller_and_of_a_provider() {
    isolated(async || {
        let application = WireProvider::start(20881, echo("here")).await;
        let greeter = WireProvider::start(20882, echo("there")).await;
        let envoy = envoy(&shipped("both")).start().await;
        let (out, into) = (
            WireConsumer::connect(20880).await,
            WireConsumer::connect(20890).await,
        );
        let call = |interface, method| Call::new(interface, method, "Ann").with("region", "eu");
        for _ in 0..3 {
            let answer = out.call(&call(GREETER, "greet")).await;
            assert_eq!(answer, answered("Ann from there"));
            let answer = into.call(&call("com.acme.Shop", "sell")).await;
            assert_eq!(answer, answered("Ann from here"));
        }
        // Each side has its own rules: routes by host there, a policy by method here.
        let unknown = out.call(&call("com.acme.Shop", "sell")).await.unwrap();
        assert_eq!(unknown.status, 60, "{unknown:?}");
        let answer = out.call(&call(GREETER, "forbidden")).await;
        assert_eq!(answer, answered("Ann from there"));
        let denied = into.call(&call("com.acme.Shop", "forbidden")).await;
        assert_eq!(denied, ended(40, DENIED));
        assert_eq!((greeter.seen().len(), application.seen().len()), (4, 3));
        let calls = lines(&envoy, "call ", 9).await;
        let of = |cluster: &str| {
            let is = |line: &&String| line.contains(cluster) && line.contains("code=200 dubbo=20");
            calls.iter().filter(is).count()
        };
        assert_eq!((of("cluster=greeter"), of("cluster=application")), (4, 3));
        metric(&envoy, "dubbo.connections.active", 2).await;
        metric(&envoy, "dubbo.requests.active", 0).await;
    });
}
