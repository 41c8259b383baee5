//! URLs as people and Dubbo write them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::zookeeper::{Address, Config, Credentials, Password, Root, Tls};

fn zookeeper(hosts: &[(&str, u16)], root: &str) -> Config {
    let host = |(host, port): &(&str, u16)| Address {
        host: (*host).to_owned(),
        port: *port,
    };
    Config {
        hosts: hosts.iter().map(host).collect(),
        root: Root::new(root).unwrap(),
        credentials: None,
        tls: None,
        session_timeout: Duration::from_secs(30),
        audit_interval: Duration::from_secs(60),
        empty_root_allowed: false,
    }
}

#[test]
fn zookeeper_urls() {
    let one = [("h1", 2181)];
    let three = [("h1", 2181), ("h2", 2182), ("h3", 2181)];
    for (url, expected, id) in [
        (
            "zookeeper://h1",
            zookeeper(&one, "/dubbo"),
            "zookeeper://h1:2181/dubbo",
        ),
        (
            "zookeeper://h1/",
            zookeeper(&one, "/dubbo"),
            "zookeeper://h1:2181/dubbo",
        ),
        (
            "zookeeper://h1/estate/a",
            zookeeper(&one, "/estate/a"),
            "zookeeper://h1:2181/estate/a",
        ),
        (
            "zookeeper://h1/estate/a/",
            zookeeper(&one, "/estate/a"),
            "zookeeper://h1:2181/estate/a",
        ),
        (
            "zookeeper://h1/a%20b",
            zookeeper(&one, "/a b"),
            "zookeeper://h1:2181/a b",
        ),
        (
            "zookeeper://h1?group=estate/a",
            zookeeper(&one, "/estate/a"),
            "zookeeper://h1:2181/estate/a",
        ),
        (
            "zookeeper://h1?group=/estate",
            zookeeper(&one, "/estate"),
            "zookeeper://h1:2181/estate",
        ),
        (
            "zookeeper://h1?group=/",
            zookeeper(&one, "/"),
            "zookeeper://h1:2181/",
        ),
        (
            "zookeeper://h1,h2:2182,h3:2181",
            zookeeper(&three, "/dubbo"),
            "zookeeper://h1:2181,h2:2182,h3:2181/dubbo",
        ),
        (
            "zookeeper://h1:2181?backup=h2:2182,h3",
            zookeeper(&three, "/dubbo"),
            "zookeeper://h1:2181,h2:2182,h3:2181/dubbo",
        ),
        (
            "zookeeper://[2001:db8::1]:2182,[::1]/x",
            zookeeper(&[("2001:db8::1", 2182), ("::1", 2181)], "/x"),
            "zookeeper://[2001:db8::1]:2182,[::1]:2181/x",
        ),
        (
            "zookeeper://h1?session-timeout=5s&audit-interval=2m&empty-root=allowed",
            Config {
                session_timeout: Duration::from_secs(5),
                audit_interval: Duration::from_secs(120),
                empty_root_allowed: true,
                ..zookeeper(&one, "/dubbo")
            },
            "zookeeper://h1:2181/dubbo",
        ),
        (
            "zookeeper://h1?tls=true&ca-file=/etc/ca.pem&cert-file=/etc/c.pem&key-file=k%20.pem",
            Config {
                tls: Some(Tls {
                    ca_file: "/etc/ca.pem".into(),
                    identity: Some(("/etc/c.pem".into(), "k .pem".into())),
                }),
                ..zookeeper(&one, "/dubbo")
            },
            "zookeeper://h1:2181/dubbo",
        ),
    ] {
        let config: SourceConfig = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(config.id().to_string(), id);
        assert_eq!(config, SourceConfig::Zookeeper(expected), "{url}");
    }
}

#[test]
fn credentials_in_each_form_are_the_same_and_never_shown() {
    let text = || Password::Text("s3cret/@+&x".to_owned());
    let file = || Password::File("/run/secret".into());
    for (url, password) in [
        ("zookeeper://acme:s3cret%2F%40+&x@h1/dubbo", text()),
        ("zookeeper://acme:s3cret%2F%40+&x@h1?backup=h2", text()),
        (
            "zookeeper://h1?username=acme&password=s3cret/@+%26x",
            text(),
        ),
        ("zookeeper://acme@h1?password=s3cret/@+%26x", text()),
        ("zookeeper://acme@h1?password-file=/run/secret", file()),
        (
            "zookeeper://h1?username=acme&password-file=/run/secret",
            file(),
        ),
    ] {
        let config: SourceConfig = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let SourceConfig::Zookeeper(read) = &config else {
            panic!("{config:?}");
        };
        let user = "acme".to_owned();
        assert_eq!(
            read.credentials,
            Some(Credentials { user, password }),
            "{url}"
        );
        assert!(
            !format!("{config:?} {}", config.id()).contains("s3cret"),
            "{url}"
        );
    }
}

#[test]
fn files() {
    for (url, path) in [
        ("file:providers.yaml", "providers.yaml"),
        ("file:/etc/a%20b.yaml", "/etc/a b.yaml"),
        ("file:///etc/providers.yaml", "/etc/providers.yaml"),
    ] {
        let config: SourceConfig = url.parse().unwrap();
        assert_eq!(
            config,
            SourceConfig::File(file::Config { path: path.into() })
        );
        assert_eq!(config.id().to_string(), format!("file:{path}"));
    }
}

#[test]
fn mistakes_are_named() {
    let known = "audit-interval, backup, ca-file, cert-file, empty-root, group, key-file, \
                 password, password-file, session-timeout, tls, username";
    let unknown = format!("unknown parameter \"timeout\"; known: {known}");
    let slash = "user and password: % without two hex digits, or not UTF-8";
    for (url, message) in [
        ("h1:2181", "unknown registry \"h1\"; known: zookeeper, file"),
        (
            "/dubbo",
            "not the URL of a registry: zookeeper://host:2181/root or file:PATH",
        ),
        (
            "nacos://h1:8848",
            "unknown registry \"nacos\"; known: zookeeper, file",
        ),
        ("zookeeper:h1", "no host: zookeeper://host:2181/root"),
        ("zookeeper://", "no host: zookeeper://host:2181/root"),
        ("zookeeper:///dubbo", "no host: zookeeper://host:2181/root"),
        (
            "zookeeper://h1:0",
            "what follows h1: is not a port, a number from 1 to 65535",
        ),
        (
            "zookeeper://h1:x",
            "what follows h1: is not a port, a number from 1 to 65535",
        ),
        (
            "zookeeper://h1:70000",
            "what follows h1: is not a port, a number from 1 to 65535",
        ),
        (
            "zookeeper://h1,,h2",
            "host \"\" is neither a host name nor an address (IPv6 in brackets)",
        ),
        (
            "zookeeper://h 1",
            "host \"h 1\" is neither a host name nor an address (IPv6 in brackets)",
        ),
        (
            "zookeeper://[::g]:1",
            "host \"[::g]:1\" is neither a host name nor an address (IPv6 in brackets)",
        ),
        (
            "zookeeper://2001:db8::1",
            "what follows 2001: is not a port, a number from 1 to 65535",
        ),
        (
            "zookeeper://h1/a//b",
            "root \"/a//b\" is not a path of ZooKeeper",
        ),
        (
            "zookeeper://h1/a/../b",
            "root \"/a/../b\" is not a path of ZooKeeper",
        ),
        (
            "zookeeper://h1/a%00",
            "root \"/a\\0\" is not a path of ZooKeeper",
        ),
        (
            "zookeeper://h1/a%zz",
            "root: % without two hex digits, or not UTF-8",
        ),
        (
            "zookeeper://h1/a?group=b",
            "the path and group say the same; give one",
        ),
        ("zookeeper://h1?timeout=3000", &unknown),
        (
            "zookeeper://h1?tls=true&tls=true",
            "parameter tls is given twice",
        ),
        (
            "zookeeper://h1?tls=yes",
            "parameter tls must be true or false",
        ),
        (
            "zookeeper://h1?session-timeout=30",
            "parameter session-timeout must be a duration such as 500ms, 30s or 2m, of 20 days at most",
        ),
        (
            "zookeeper://h1?audit-interval=0s",
            "parameter audit-interval must be a duration such as 500ms, 30s or 2m, of 20 days at most",
        ),
        (
            "zookeeper://h1?empty-root=yes",
            "parameter empty-root must be allowed or refused",
        ),
        ("zookeeper://h1?tls=true", "tls=true needs ca-file"),
        ("zookeeper://h1?ca-file=x", "ca-file needs tls=true"),
        (
            "zookeeper://h1?tls=true&ca-file=x&cert-file=y",
            "cert-file needs key-file",
        ),
        (
            "zookeeper://h1?tls=true&ca-file=x&key-file=y",
            "key-file needs cert-file",
        ),
        (
            "zookeeper://h1?cert-file=x&key-file=y",
            "cert-file needs tls=true",
        ),
        (
            "zookeeper://u:s3cret@h1?username=v",
            "the user before @ and username say the same; give one",
        ),
        (
            "zookeeper://u:s3cret@h1?password=p",
            "the password before @ and password or password-file say the same; give one",
        ),
        (
            "zookeeper://u@h1?password=s3cret&password-file=f",
            "password and password-file say the same; give one",
        ),
        ("zookeeper://u@h1", "the user needs a password"),
        (
            "zookeeper://h1?password=s3cret",
            "the password needs a user",
        ),
        ("zookeeper://u:s3cret%zz@h1", slash),
        (
            "zookeeper://u:s3cret",
            "what follows u: is not a port, a number from 1 to 65535",
        ),
        ("zookeeper://u:s3/cret@h1", slash),
        ("zookeeper://u:s3?cret@h1", slash),
        ("file:", "no path: file:PATH"),
        ("file://host/path", "no path: file:PATH"),
    ] {
        let error = url.parse::<SourceConfig>().expect_err(url).to_string();
        assert_eq!(error, message, "{url}");
        assert!(!error.contains("cret"), "{error}");
    }
}

#[test]
fn it_is_read_from_a_configuration_file() {
    let read: Vec<SourceConfig> = serde_saphyr::from_str("[zookeeper://h1, 'file:x']").unwrap();
    let ids: Vec<_> = read.iter().map(|source| source.id().to_string()).collect();
    assert_eq!(ids, ["zookeeper://h1:2181/dubbo", "file:x"]);
    let error = serde_saphyr::from_str::<Vec<SourceConfig>>("[zookeeper:h1]").unwrap_err();
    assert!(error.to_string().contains("no host"), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(rest in ".*", zookeeper in any::<bool>()) {
        let scheme = if zookeeper { "zookeeper://" } else { "" };
        if let Ok(config) = format!("{scheme}{rest}").parse::<SourceConfig>() {
            let _ = format!("{config:?} {}", config.id());
        }
    }
}
