use super::Config;

#[test]
fn what_has_no_effect_is_told_and_nothing_else_is() {
    let http2 = "ports: {http2: [{ports: [20880], namespaces: [shop]}]}\n";
    let routed = |filter: &str| format!("{http2}filter: {filter}\n");
    for (text, expected) in [
        (String::new(), vec![]),
        (routed("{}"), vec![]),
        (
            http2.to_owned(),
            vec![
                "ports.http2 without filter: no EnvoyFilter is published, so callers need the filter from elsewhere",
            ],
        ),
        (routed("{bypass: [{ports: [20880], namespaces: [shop]}]}"), vec![]),
        (routed("{bypass: [{ports: [20880], namespaces: [\"*\"]}]}"), vec![]),
        (
            routed("{bypass: [{ports: [20880], namespaces: [shpo]}]}"),
            vec![
                "filter.bypass: port 20880 is not in ports.http2 for shpo (but for shop); that is right only where it was until now",
            ],
        ),
        (
            "filter: {bypass: [{ports: [20880], namespaces: [shop]}]}".to_owned(),
            vec![
                "filter.bypass: port 20880 is not in ports.http2 for shop; that is right only where it was until now",
            ],
        ),
        (
            routed(
                "{providers: [{ports: [20880, 15006], namespaces: [pay]}], observe: [{ports: [12345], namespaces: [shop]}]}",
            ),
            vec![
                "filter.observe: port 12345 is not one that may become a listener of the mesh; if it is Dubbo's, add `12345` to ports.listen",
                "filter.providers: port 15006 belongs to other programs by custom; if it is Dubbo's, add `15006` to ports.wellKnown",
            ],
        ),
        (
            "filter: {observe: [{ports: [20881], namespaces: [shop]}], bypass: [{ports: [20881], namespaces: [shop]}]}".to_owned(),
            vec![
                "filter.bypass: port 20881 is not in ports.http2 for shop; that is right only where it was until now",
                "filter.observe: port 20881 is in filter.bypass for shop too",
            ],
        ),
        ("filter: {triple: [{ports: [50051], namespaces: [shop]}]}".to_owned(), vec![]),
        (
            "filter:
  triple: [{ports: [50051, 50052], namespaces: [shop]}]
  observe: [{ports: [50051], namespaces: [shop]}]
  providers: [{ports: [50051], namespaces: [pay]}]
".to_owned(),
            vec![
                "filter.triple: port 50052 is not one that may become a listener of the mesh; if it is Dubbo's, add `50052` to ports.listen",
                "filter.triple: port 50051 is in filter.observe for shop too; HTTP/2 that the mesh knows is not counted there",
                "filter.triple: port 50051 is in filter.providers too; a provider's half takes Dubbo alone and answers Triple with 415",
            ],
        ),
        (
            "ports: {http2: [{ports: [20880], namespaces: [shop], except: [10.0.0.1, 0.0.0.0/0]}]}\nfilter: {}".to_owned(),
            vec!["ports.http2: 0.0.0.0/0 in except leaves nothing of port 20880 to be routed"],
        ),
        (
            "listen: {tls: {certificate: /nowhere.crt, key: Cargo.toml}}".to_owned(),
            vec!["listen.tls: /nowhere.crt cannot be read here"],
        ),
    ] {
        let config = Config::from_text(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(config.notices(), expected, "{text}");
    }
}
