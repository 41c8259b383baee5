//! What a URL says about who is to be called, and who calls back. Pure.
//!
//! A Dubbo consumer picks the provider of each call itself. These are the parameters by which an
//! application tells it how, on the consumer's side, on the provider's (whose parameters a consumer
//! takes over where it has none: `ClusterUtils.mergeUrl`), or in an override rule.
//!
//! ```text
//! cluster=broadcast                all methods          default.cluster=…   the same, of 2.5 and 2.6
//! greet.loadbalance=roundrobin     one method
//! listen.1.callback=true           the second argument of one method
//! ```

use std::collections::BTreeMap;
use std::fmt;

use crate::provider::{is_true, pairs};

/// One choice, and the method that it is for; all methods where there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Choice {
    /// The method.
    pub method: Option<Box<str>>,
    /// What is chosen.
    pub how: How,
}

/// What can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// `cluster`: what a call does with all the providers, `broadcast` or `failover`.
    Cluster(Box<str>),
    /// `loadbalance`: how one of them is picked.
    LoadBalance(Box<str>),
    /// `sticky=true`: the one before again.
    Sticky,
    /// `dubbo.tag`: those with this tag.
    Tag(Box<str>),
    /// `router`: a router of the application's own.
    Router(Box<str>),
    /// `<method>.<n>.callback=true`: the argument `n` is an object that the provider calls.
    CallbackArgument(u32),
    /// `callbacks`: so many of them at once.
    Callbacks(u32),
    /// `dubbo.stub.event=true`, which `onconnect` and `ondisconnect` set: the provider tells the
    /// consumer's stub about the connection.
    StubEvent,
    /// `onconnect`: a method that is called at each connection.
    OnConnect(Box<str>),
    /// `ondisconnect`: the same, at its end.
    OnDisconnect(Box<str>),
}

impl Choice {
    /// Reads the part of a URL after its `?`. Sorted, each once.
    pub fn read(query: &str) -> Box<[Self]> {
        let mut defaults: BTreeMap<&str, How> = BTreeMap::new();
        let mut own: BTreeMap<&str, How> = BTreeMap::new();
        let mut choices = Vec::new();
        for (name, value) in pairs(query).filter_map(|pair| pair.split_once('=')) {
            if let Some(name) = name.strip_prefix("default.") {
                defaults.extend(How::of(name, value).map(|how| (name, how)));
            } else if let Some(how) = How::of(name, value) {
                own.insert(name, how);
            } else {
                choices.extend(of_method(name, value));
            }
        }
        defaults.extend(own);
        let of_all = |how| Self { method: None, how };
        choices.extend(defaults.into_values().map(of_all));
        choices.sort_unstable();
        choices.dedup();
        choices.into()
    }
}

impl How {
    /// A parameter that holds for all methods.
    fn of(name: &str, value: &str) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        Some(match name {
            "cluster" => Self::Cluster(value.into()),
            "loadbalance" => Self::LoadBalance(value.into()),
            "sticky" if is_true(value) => Self::Sticky,
            "dubbo.tag" => Self::Tag(value.into()),
            "router" => Self::Router(value.into()),
            "callbacks" => Self::Callbacks(value.parse().ok()?),
            "dubbo.stub.event" if is_true(value) => Self::StubEvent,
            "onconnect" => Self::OnConnect(value.into()),
            "ondisconnect" => Self::OnDisconnect(value.into()),
            _ => return None,
        })
    }
}

/// A parameter of one method, or of one of its arguments.
fn of_method(name: &str, value: &str) -> Option<Choice> {
    let (method, what) = name.rsplit_once('.')?;
    let (method, how) = match what {
        "loadbalance" | "sticky" => (method, How::of(what, value)?),
        "callback" if is_true(value) => {
            let (method, argument) = method.rsplit_once('.')?;
            (method, How::CallbackArgument(argument.parse().ok()?))
        }
        _ => return None,
    };
    (!method.is_empty()).then(|| Choice {
        method: Some(method.into()),
        how,
    })
}

impl fmt::Display for Choice {
    /// As it stands in the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method}.")?;
        }
        match &self.how {
            How::Cluster(name) => write!(f, "cluster={name}"),
            How::LoadBalance(name) => write!(f, "loadbalance={name}"),
            How::Sticky => f.write_str("sticky=true"),
            How::Tag(tag) => write!(f, "dubbo.tag={tag}"),
            How::Router(name) => write!(f, "router={name}"),
            How::CallbackArgument(n) => write!(f, "{n}.callback=true"),
            How::Callbacks(n) => write!(f, "callbacks={n}"),
            How::StubEvent => f.write_str("dubbo.stub.event=true"),
            How::OnConnect(method) => write!(f, "onconnect={method}"),
            How::OnDisconnect(method) => write!(f, "ondisconnect={method}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Choice;

    fn read(query: &str) -> Vec<String> {
        Choice::read(query).iter().map(Choice::to_string).collect()
    }

    #[test]
    fn what_is_chosen_is_read_and_nothing_else() {
        assert_eq!(
            read(
                "application=web&callbacks=3&cluster=broadcast&dubbo.stub.event=true&dubbo.tag=gray\
                 &greet.0.callback=true&greet.loadbalance=roundrobin&greet.timeout=3\
                 &loadbalance=consistenthash&onconnect=up&retries=0&router=mine&sticky=true&timeout=5000"
            ),
            [
                "cluster=broadcast",
                "loadbalance=consistenthash",
                "sticky=true",
                "dubbo.tag=gray",
                "router=mine",
                "callbacks=3",
                "dubbo.stub.event=true",
                "onconnect=up",
                "greet.loadbalance=roundrobin",
                "greet.0.callback=true",
            ]
        );
    }

    #[test]
    fn what_says_no_is_no_choice() {
        assert_eq!(
            read(
                "cluster=&dubbo.stub.event=false&greet.0.callback=false&greet.x.callback=true&sticky=false&callbacks=x&.sticky=true"
            ),
            [""; 0]
        );
    }

    /// 2.5 and 2.6 write what a ConsumerConfig says under `default.`; the reference's own goes first.
    #[test]
    fn a_default_holds_where_nothing_else_is_said() {
        assert_eq!(
            read(
                "default.cluster=forking&default.loadbalance=consistenthash&default.sticky=true&loadbalance=random"
            ),
            ["cluster=forking", "loadbalance=random", "sticky=true"]
        );
    }

    #[test]
    fn a_semicolon_ends_a_pair_too() {
        assert_eq!(
            read("sticky=true;cluster=available"),
            ["cluster=available", "sticky=true"]
        );
    }
}
