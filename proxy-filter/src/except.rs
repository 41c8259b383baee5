//! Addresses that `dubbo_sniff` leaves alone: connections to them pass as they are, so that what a
//! connection means (callbacks over it, above all) stays between consumer and provider.
//!
//! The option `except` of that part alone. The options of the others may stand beside it, so that all
//! parts can be given one Struct; they are checked and mean nothing here.

use std::net::IpAddr;
use std::str;

use ipnet::IpNet;
use serde_json::Value;

use crate::config::{Config, ConfigError};

/// The addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Except(Vec<IpNet>);

const NAME: &str = "except";
const WHAT: &str = "a list of addresses and CIDRs";

impl Except {
    /// Reads the options of `dubbo_sniff`. The empty text means that no address is left alone.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let Ok(Value::Object(mut options)) = serde_json::from_slice(text) else {
            // It says best what is wrong with it.
            return Config::parse(text).map(|_| Self::default());
        };
        let except = options.remove(NAME);
        Config::parse(Value::Object(options).to_string().as_bytes())?;
        match except {
            None => Ok(Self::default()),
            Some(Value::Array(items)) => items.iter().map(net).collect::<Result<_, _>>().map(Self),
            Some(other) => Err(problem(&other)),
        }
    }

    /// Whether connections to this address, as Envoy writes it, are left alone.
    pub fn has(&self, address: &[u8]) -> bool {
        let address = || str::from_utf8(address).ok()?.parse::<IpAddr>().ok();
        let within = |ip: IpAddr| self.0.iter().any(|net| net.contains(&ip.to_canonical()));
        !self.0.is_empty() && address().is_some_and(within)
    }
}

fn net(item: &Value) -> Result<IpNet, ConfigError> {
    let text = item.as_str().ok_or_else(|| problem(item))?;
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let net = text.parse::<IpNet>().or_else(|_| address());
    net.map_err(|_| problem(item))
}

fn problem(got: &Value) -> ConfigError {
    ConfigError::expected(NAME, WHAT, got)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_matched_as_envoy_writes_them() {
        let except = br#"{"except": ["10.0.3.0/24", "10.0.4.7", "fd00::/8"], "deadline": false}"#;
        let except = Except::parse(except).unwrap();
        for (address, left_alone) in [
            ("10.0.3.0", true),
            ("10.0.3.255", true),
            ("10.0.4.0", false),
            ("10.0.4.7", true),
            ("::ffff:10.0.4.7", true),
            ("fd12::1", true),
            ("fe80::1", false),
            ("", false),
            ("/a/pipe", false),
        ] {
            assert_eq!(except.has(address.as_bytes()), left_alone, "{address}");
        }
        for none in ["", " ", "{}", r#"{"except": []}"#, r#"{"heartbeat_ms": 0}"#] {
            let except = Except::parse(none.as_bytes()).unwrap();
            assert_eq!(except, Except::default(), "{none}");
            assert!(!except.has(b"10.0.3.1"), "{none}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, words) in [
            (
                r#"{"except": "10.0.0.1"}"#,
                "`except`: expected a list of addresses",
            ),
            (r#"{"except": ["10.0.0.0/33"]}"#, "got \"10.0.0.0/33\""),
            (r#"{"except": [7]}"#, "got 7"),
            (r#"{"excep": []}"#, "`excep`: no such option"),
            ("[]", "expected an object"),
            ("{", "no JSON"),
        ] {
            let error = Except::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
