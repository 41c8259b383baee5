//! What a consumer puts into a call because the provider that it picked asks for it. Pure.
//!
//! A provider that asks for something else refuses such a call, or cannot read it; so it matters
//! once somebody besides the consumer picks. The third such thing, the path, is part of
//! [`Identity`](crate::provider::Identity).

use xxhash_rust::xxh3::xxh3_64;

use crate::provider::pairs;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    /// A hash of the `token` that it wants to see; it is a secret. `token=true` makes one for each
    /// start of a provider (`ServiceConfig`).
    pub token: Option<u64>,
    /// What it reads, in order: `serialization`, hessian2 where nothing is said, and all of
    /// `prefer.serialization`, of which consumers from 3.2 on take the first that they know.
    pub serializations: Box<str>,
}

impl Terms {
    /// Reads the part of a URL after its `?`.
    pub fn read(query: &str) -> Self {
        let get = |name: &str| {
            let value = |wanted: &str| {
                let mut named = pairs(query).filter_map(|pair| pair.split_once('='));
                named
                    .find(|(n, v)| *n == wanted && !v.is_empty())
                    .map(|(_, v)| v)
            };
            value(name).or_else(|| value(&format!("default.{name}")))
        };
        let preferred = get("prefer.serialization").unwrap_or_default();
        let own = get("serialization").unwrap_or("hessian2");
        let mut all: Vec<&str> = preferred.split(',').map(str::trim).chain([own]).collect();
        all.retain(|name| !name.is_empty());
        all.sort_unstable();
        all.dedup();
        Self {
            token: get("token").map(|token| xxh3_64(token.as_bytes())),
            serializations: all.join(",").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Terms;

    #[test]
    fn each_version_says_what_it_reads() {
        for (query, serializations) in [
            ("application=acme&dubbo=2.0.2", "hessian2"),
            (
                "prefer.serialization=fastjson2,hessian2&release=3.2.16",
                "fastjson2,hessian2",
            ),
            (
                "prefer.serialization=hessian2,fastjson2&release=3.3.6",
                "fastjson2,hessian2",
            ),
            (
                "prefer.serialization=fastjson2,hessian2&serialization=kryo",
                "fastjson2,hessian2,kryo",
            ),
            ("default.serialization=java", "java"),
            ("serialization=", "hessian2"),
        ] {
            assert_eq!(
                &*Terms::read(query).serializations,
                serializations,
                "{query}"
            );
        }
    }

    #[test]
    fn a_token_is_compared_and_never_shown() {
        let [one, same, other, none] = [
            "token=s3cret",
            "default.token=s3cret",
            "token=another",
            "a=b",
        ]
        .map(Terms::read);
        assert_eq!(one, same);
        assert!(one.token != other.token && one.token.is_some());
        assert_eq!(none.token, None);
        assert!(!format!("{one:?}").contains("s3cret"));
    }
}
