//! One consumer as Dubbo writes it to a registry: who calls a service, and how it picks. Pure.
//!
//! ```text
//! consumer://10.0.0.7/com.acme.Orders?application=web&category=consumers&cluster=broadcast&group=*&…
//! ```
//! The category makes a consumer, not the scheme: 3.x writes `dubbo://10.0.0.7/…` where a reference
//! names its protocol. There is no port.

use std::net::IpAddr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use crate::choice::Choice;
use crate::provider::{MAX_URL, ProviderError, pairs};

/// One reference of one application.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consumer {
    /// The interface.
    pub interface: Arc<str>,
    /// `group`: empty for none, `*` for any, or several with commas.
    pub group: Box<str>,
    /// `version`: empty for none, `*` for any.
    pub version: Box<str>,
    /// Where it runs: an address, or a host's name.
    pub host: Box<str>,
    /// `application`; empty where it is not written.
    pub application: Box<str>,
    /// What it says about who is called.
    pub choices: Box<[Choice]>,
}

impl Consumer {
    /// Reads a decoded URL that stands among the consumers of `directory`.
    ///
    /// # Errors
    /// Where there is no scheme or no host, or it is longer than [`MAX_URL`].
    pub fn parse(url: &str, directory: &Arc<str>) -> Result<Self, ProviderError> {
        if url.len() > MAX_URL {
            return Err(ProviderError::TooLong(url.len()));
        }
        let (body, query) = url.split_once('?').unwrap_or((url, ""));
        let (_, rest) = body.split_once("://").ok_or(ProviderError::NoScheme)?;
        let authority = rest
            .split_once('/')
            .map_or(rest, |(authority, _)| authority);
        let host = host_of(authority);
        if host.is_empty() {
            return Err(ProviderError::NoHost);
        }
        let [mut application, mut group, mut version] = [""; 3];
        let mut interface = &**directory;
        for (name, value) in pairs(query).filter_map(|pair| pair.split_once('=')) {
            match name {
                "application" => application = value,
                "group" => group = value,
                "version" => version = value,
                "interface" if !value.is_empty() => interface = value,
                _ => {}
            }
        }
        Ok(Self {
            interface: match interface == &**directory {
                true => directory.clone(),
                false => interface.into(),
            },
            group: group.into(),
            version: if version == "0.0.0" { "" } else { version }.into(),
            host: host.into(),
            application: application.into(),
            choices: Choice::read(query),
        })
    }

    /// Whether it calls providers of this service (`UrlUtils.isMatch`).
    pub fn calls(&self, service: &ServiceKey) -> bool {
        let group = &*self.group;
        *self.interface == *service.interface()
            && (group == "*"
                || group == service.group()
                || group.split(',').any(|one| one.trim() == service.group()))
            && (&*self.version == "*" || &*self.version == service.version())
    }

    /// Its address; none where it wrote a name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// `[group/]interface[:version]`, as it asks for it.
    pub fn reference(&self) -> String {
        let group = match &*self.group {
            "" => String::new(),
            group => format!("{group}/"),
        };
        let version = match &*self.version {
            "" => String::new(),
            version => format!(":{version}"),
        };
        format!("{group}{}{version}", self.interface)
    }
}

/// The host without user, port and brackets. IPv6 stands with and without brackets, and a consumer
/// has no port, so that a colon of an unbracketed address ends nothing.
fn host_of(authority: &str) -> &str {
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some((host, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return host;
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::Rule;

    /// What each version writes for a reference with `cluster=broadcast`, `loadbalance`, `sticky`,
    /// `onconnect`, and a method's own load balancing and callback.
    const CHOOSY: [(&str, &str); 5] = [
        (
            "2.6.12",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&category=consumers&\
             check=false&cluster=broadcast&dubbo=2.0.2&dubbo.stub.event=true&forks=3&\
             greet.0.callback=true&greet.loadbalance=roundrobin&interface=com.acme.Greeter&\
             loadbalance=consistenthash&logger=slf4j&methods=sleep,fail,attachments,greet&\
             onconnect=up&pid=263&qos.enable=false&retries=0&side=consumer&sticky=true&\
             timeout=5000&timestamp=1795374949333",
        ),
        (
            "2.7.23",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&category=consumers&\
             check=false&cluster=broadcast&dubbo=2.0.2&dubbo.stub.event=true&forks=3&\
             greet.0.callback=true&greet.loadbalance=roundrobin&interface=com.acme.Greeter&\
             loadbalance=consistenthash&logger=slf4j&metadata-type=remote&\
             methods=sleep,fail,attachments,greet&onconnect=up&pid=336&qos.enable=false&\
             release=2.7.23&retries=0&side=consumer&sticky=true&timeout=5000&\
             timestamp=1795374953508",
        ),
        (
            "3.1.11",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&background=false&\
             category=consumers&check=false&cluster=broadcast&dubbo=2.0.2&dubbo.stub.event=true&\
             forks=3&greet.0.callback=true&greet.loadbalance=roundrobin&\
             interface=com.acme.Greeter&loadbalance=consistenthash&logger=slf4j&\
             methods=attachments,fail,greet,sleep&onconnect=up&pid=423&qos.enable=false&\
             release=3.1.11&retries=0&side=consumer&sticky=true&timeout=5000&\
             timestamp=1795374959640&unloadClusterRelated=false",
        ),
        (
            "3.2.16",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&background=false&\
             category=consumers&check=false&cluster=broadcast&dubbo=2.0.2&dubbo.stub.event=true&\
             executor-management-mode=isolation&file-cache=true&forks=3&greet.0.callback=true&\
             greet.loadbalance=roundrobin&interface=com.acme.Greeter&loadbalance=consistenthash&\
             logger=slf4j&methods=attachments,fail,greet,sleep&onconnect=up&pid=533&\
             qos.enable=false&release=3.2.16&retries=0&side=consumer&sticky=true&timeout=5000&\
             timestamp=1795374965734&unloadClusterRelated=false",
        ),
        (
            "3.3.6",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&background=false&\
             category=consumers&check=false&cluster=broadcast&dubbo=2.0.2&dubbo.stub.event=true&\
             executor-management-mode=isolation&file-cache=true&forks=3&greet.0.callback=true&\
             greet.loadbalance=roundrobin&interface=com.acme.Greeter&loadbalance=consistenthash&\
             logger=slf4j&methods=attachments,fail,greet,sleep&onconnect=up&pid=648&\
             qos.enable=false&release=3.3.6&retries=0&side=consumer&sticky=true&timeout=5000&\
             timestamp=1795374971470&unloadClusterRelated=false",
        ),
    ];
    /// For any group and version, with a tag.
    const ANY: [(&str, &str); 5] = [
        (
            "2.6.12",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&category=consumers&\
             check=false&dubbo=2.0.2&dubbo.tag=gray&group=*&interface=com.acme.Greeter&\
             logger=slf4j&methods=sleep,fail,attachments,greet&pid=288&qos.enable=false&\
             retries=0&revision=*&side=consumer&timeout=5000&timestamp=1795374950316&version=*",
        ),
        (
            "2.7.23",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&category=consumers&\
             check=false&dubbo=2.0.2&dubbo.tag=gray&group=*&interface=com.acme.Greeter&\
             logger=slf4j&metadata-type=remote&methods=sleep,fail,attachments,greet&pid=362&\
             qos.enable=false&release=2.7.23&retries=0&revision=*&side=consumer&sticky=false&\
             timeout=5000&timestamp=1795374954978&version=*",
        ),
        (
            "3.1.11",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&background=false&\
             category=consumers&check=false&dubbo=2.0.2&dubbo.tag=gray&group=*&\
             interface=com.acme.Greeter&logger=slf4j&methods=attachments,fail,greet,sleep&\
             pid=460&qos.enable=false&release=3.1.11&retries=0&revision=*&side=consumer&\
             sticky=false&timeout=5000&timestamp=1795374961495&unloadClusterRelated=false&\
             version=*",
        ),
        (
            "3.2.16",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&background=false&\
             category=consumers&check=false&dubbo=2.0.2&dubbo.tag=gray&\
             executor-management-mode=isolation&file-cache=true&group=*&\
             interface=com.acme.Greeter&logger=slf4j&methods=attachments,fail,greet,sleep&\
             pid=573&qos.enable=false&release=3.2.16&retries=0&revision=*&side=consumer&\
             sticky=false&timeout=5000&timestamp=1795374967993&unloadClusterRelated=false&\
             version=*",
        ),
        (
            "3.3.6",
            "consumer://127.0.0.1/com.acme.Greeter?application=acme-web&background=false&\
             category=consumers&check=false&dubbo=2.0.2&dubbo.tag=gray&\
             executor-management-mode=isolation&file-cache=true&group=*&\
             interface=com.acme.Greeter&logger=slf4j&methods=attachments,fail,greet,sleep&\
             pid=684&qos.enable=false&release=3.3.6&retries=0&revision=*&side=consumer&\
             sticky=false&timeout=5000&timestamp=1795374973135&unloadClusterRelated=false&\
             version=*",
        ),
    ];

    fn parse(url: &str) -> Consumer {
        Consumer::parse(url, &"com.acme.Greeter".into()).unwrap()
    }

    fn choices(consumer: &Consumer) -> Vec<String> {
        consumer.choices.iter().map(Choice::to_string).collect()
    }

    #[test]
    fn each_version_writes_its_choices() {
        for (version, url) in CHOOSY {
            let consumer = parse(url);
            assert_eq!(
                choices(&consumer),
                [
                    "cluster=broadcast",
                    "loadbalance=consistenthash",
                    "sticky=true",
                    "dubbo.stub.event=true",
                    "onconnect=up",
                    "greet.loadbalance=roundrobin",
                    "greet.0.callback=true",
                ],
                "{version}"
            );
            let expected = Consumer {
                interface: "com.acme.Greeter".into(),
                group: "".into(),
                version: "".into(),
                host: "127.0.0.1".into(),
                application: "acme-web".into(),
                choices: consumer.choices.clone(),
            };
            assert_eq!(consumer, expected, "{version}");
        }
    }

    #[test]
    fn a_star_calls_every_group_and_version() {
        for (version, url) in ANY {
            let consumer = parse(url);
            assert_eq!(choices(&consumer), ["dubbo.tag=gray"], "{version}");
            assert_eq!(consumer.reference(), "*/com.acme.Greeter:*", "{version}");
            for key in ["com.acme.Greeter", "gray/com.acme.Greeter:1.0.0"] {
                assert!(consumer.calls(&key.parse().unwrap()), "{version} {key}");
            }
            assert!(
                !consumer.calls(&"com.acme.Orders".parse().unwrap()),
                "{version}"
            );
        }
    }

    #[test]
    fn who_is_called_is_what_was_asked_for() {
        let calls = |query: &str, key: &str| {
            parse(&format!("consumer://10.0.0.7/com.acme.Greeter?{query}"))
                .calls(&key.parse().unwrap())
        };
        for (query, key, expected) in [
            ("", "com.acme.Greeter", true),
            ("", "com.acme.Greeter:1.0.0", false),
            ("", "gray/com.acme.Greeter", false),
            ("version=0.0.0", "com.acme.Greeter", true),
            ("version=1.0.0", "com.acme.Greeter:1.0.0", true),
            ("group=a,gray", "gray/com.acme.Greeter", true),
            ("group=a,gray", "b/com.acme.Greeter", false),
            ("interface=com.acme.Other", "com.acme.Greeter", false),
        ] {
            assert_eq!(calls(query, key), expected, "{query} {key}");
        }
    }

    #[test]
    fn the_host_stands_in_many_forms() {
        for (url, host) in [
            ("consumer://10.0.0.7/x", "10.0.0.7"),
            ("dubbo://10.0.0.7:20880/x?category=consumers", "10.0.0.7"),
            ("consumer://me:secret@web-1/x", "web-1"),
            ("consumer://[2001:db8::1]/x", "2001:db8::1"),
            ("consumer://[2001:db8::1]:0/x", "2001:db8::1"),
            ("consumer://2001:db8:0:0:0:0:0:1/x", "2001:db8:0:0:0:0:0:1"),
        ] {
            assert_eq!(&*parse(url).host, host, "{url}");
        }
        for (url, error) in [
            ("x", ProviderError::NoScheme),
            ("consumer:///x", ProviderError::NoHost),
        ] {
            assert_eq!(Consumer::parse(url, &"x".into()), Err(error), "{url}");
        }
    }

    proptest! {
        /// Whoever can write to a registry writes these.
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), query in "[a-z.0-9=&;*]{0,60}") {
            let directory = "com.acme.Greeter".into();
            for url in [text.clone(), format!("consumer://{text}?{query}"), format!("a://b/c?{query}")] {
                let _ = Consumer::parse(&url, &directory);
                let _ = Rule::of_router(&url, &directory);
                let _ = Rule::of_configurator(&url, &directory);
                let _ = Rule::of_config(&format!("{query}.tag-router"), &text);
            }
        }
    }
}
