//! Routing rules that people put into a registry: who is called is decided by them, in the
//! consumer. Pure.
//!
//! ```text
//! <root>/<interface>/routers/route://0.0.0.0/…?router=condition&rule=…             2.5, 2.6
//! <root>/<interface>/configurators/override://0.0.0.0/…?loadbalance=…              2.5, 2.6
//! <root>/config/dubbo/<key>.condition-router, .configurators …                     2.7 and later
//! ```
//! Only that there is one is read, and what it is for; not what it says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use crate::choice::Choice;
use crate::provider::{is_true, pairs};

/// A rule that is in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The interface or the application that it is for, as the registry names it.
    pub key: Arc<str>,
    /// What it is.
    pub kind: Kind,
}

/// What a rule is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Decides by conditions.
    Condition,
    /// Decides by tags, which it gives to addresses.
    Tag,
    /// Decides by a script.
    Script,
    /// Dubbo's own mesh rule.
    Mesh,
    /// A router of another name.
    Router(Box<str>),
    /// Overrides what consumers say about who is called; nothing where it cannot be read.
    Override(Box<[Choice]>),
}

/// Suffix of the overrides of the configuration center.
const OVERRIDES: &str = ".configurators";
/// Suffixes of the other rules of the configuration center.
const SUFFIXES: [(&str, Kind); 4] = [
    (".condition-router", Kind::Condition),
    (".tag-router", Kind::Tag),
    (".script-router", Kind::Script),
    (".MESHAPPRULE", Kind::Mesh),
];

impl Rule {
    /// A node among the routers of an interface. None for what is switched off.
    pub fn of_router(url: &str, interface: &Arc<str>) -> Option<Self> {
        let parameters = Parameters::read(url)?;
        let kind = match parameters.get("router") {
            "" | "condition" => Kind::Condition,
            "tag" => Kind::Tag,
            "script" | "file" => Kind::Script,
            other => Kind::Router(other.into()),
        };
        parameters.in_force().then(|| Self {
            key: interface.clone(),
            kind,
        })
    }

    /// A node among the configurators of an interface. None for what is switched off, and for what
    /// says nothing about who is called.
    pub fn of_configurator(url: &str, interface: &Arc<str>) -> Option<Self> {
        let parameters = Parameters::read(url)?;
        let choices = Choice::read(parameters.0);
        (parameters.in_force() && !choices.is_empty()).then(|| Self {
            key: interface.clone(),
            kind: Kind::Override(choices),
        })
    }

    /// Whether a node of the configuration center can be a rule, and its data is worth reading.
    pub fn is_rule(name: &str) -> bool {
        let mut suffixes = SUFFIXES.iter().map(|(suffix, _)| *suffix);
        name.ends_with(OVERRIDES) || suffixes.any(|suffix| name.ends_with(suffix))
    }

    /// A node of the configuration center. None for what is no rule, is empty, or says `enabled:
    /// false`. A rule that cannot be read counts: Dubbo's own reader may take it.
    pub fn of_config(name: &str, data: &str) -> Option<Self> {
        if let Some(key) = name.strip_suffix(OVERRIDES) {
            let choices = overrides(data)?;
            return Some(Self {
                key: key.into(),
                kind: Kind::Override(choices),
            });
        }
        let fits = |(suffix, kind): &(&str, Kind)| Some((name.strip_suffix(suffix)?, kind.clone()));
        let (key, kind) = SUFFIXES.iter().find_map(fits)?;
        if data.trim().is_empty() {
            return None;
        }
        let switch = serde_saphyr::from_str::<Switch>(data);
        switch.map_or(true, |s| s.enabled).then(|| Self {
            key: key.into(),
            kind,
        })
    }
}

/// What an override of the configuration center says about who is called, to consumers; what is for
/// providers stands in their URLs. None where it says nothing, an empty list where it cannot be read.
fn overrides(data: &str) -> Option<Box<[Choice]>> {
    if data.trim().is_empty() {
        return None;
    }
    let Ok(written) = serde_saphyr::from_str::<Written>(data) else {
        return Some(Box::default());
    };
    let configs = written.configs.into_iter().filter(|_| written.enabled);
    let for_consumers = configs.filter(|c| c.enabled && c.side.as_deref() != Some("provider"));
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let pairs: Vec<String> = for_consumers
        .flat_map(|config| config.parameters)
        .map(|(name, value)| format!("{name}={}", text(&value)))
        .collect();
    let choices = Choice::read(&pairs.join("&"));
    (!choices.is_empty()).then_some(choices)
}

#[derive(Deserialize)]
struct Written {
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    configs: Vec<WrittenConfig>,
}

#[derive(Deserialize)]
struct WrittenConfig {
    #[serde(default = "yes")]
    enabled: bool,
    side: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, serde_json::Value>,
}

/// The one line of a rule that is read.
#[derive(Deserialize)]
struct Switch {
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// The query of a rule's URL.
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    /// None for what is no rule: `empty://`.
    fn read(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        (scheme != "empty").then(|| Self(rest.split_once('?').map_or("", |(_, query)| query)))
    }

    fn get(&self, name: &str) -> &'a str {
        let mut named = pairs(self.0).filter_map(|pair| pair.split_once('='));
        named.find(|(n, _)| *n == name).map_or("", |(_, v)| v)
    }

    fn in_force(&self) -> bool {
        let enabled = self.get("enabled");
        (enabled.is_empty() || is_true(enabled)) && !is_true(self.get("disabled"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition => f.write_str("condition rule"),
            Self::Tag => f.write_str("tag rule"),
            Self::Script => f.write_str("script rule"),
            Self::Mesh => f.write_str("Dubbo's mesh rule"),
            Self::Router(name) => write!(f, "router {name}"),
            Self::Override(choices) if choices.is_empty() => {
                f.write_str("override that cannot be read")
            }
            Self::Override(choices) => {
                let choices: Vec<_> = choices.iter().map(Choice::to_string).collect();
                write!(f, "override with {}", choices.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_a_rule() {
        let orders: Arc<str> = "com.acme.Orders".into();
        let router = |url: &str| Rule::of_router(url, &orders).map(|rule| rule.kind);
        for (url, kind) in [
            (
                "route://0.0.0.0/com.acme.Orders?category=routers&router=condition&rule=host",
                Some(Kind::Condition),
            ),
            (
                "route://0.0.0.0/com.acme.Orders?router=mine",
                Some(Kind::Router("mine".into())),
            ),
            (
                "script://0.0.0.0/com.acme.Orders?router=script",
                Some(Kind::Script),
            ),
            (
                "route://0.0.0.0/com.acme.Orders?enabled=false&router=condition",
                None,
            ),
            ("empty://0.0.0.0/com.acme.Orders", None),
            ("no url", None),
        ] {
            assert_eq!(router(url), kind, "{url}");
        }
        let configurator =
            |url: &str| Rule::of_configurator(url, &orders).map(|r| r.kind.to_string());
        for (url, kind) in [
            (
                "override://0.0.0.0/com.acme.Orders?category=configurators&dynamic=false&enabled=true&sticky=true",
                Some("override with sticky=true".to_owned()),
            ),
            (
                "override://0.0.0.0/com.acme.Orders?enabled=true&weight=7",
                None,
            ),
            (
                "override://0.0.0.0/com.acme.Orders?disabled=true&sticky=true",
                None,
            ),
        ] {
            assert_eq!(configurator(url), kind, "{url}");
        }
        let config = |name: &str, data: &str| Rule::of_config(name, data).map(|r| (r.key, r.kind));
        let tag = Some(("shop".into(), Kind::Tag));
        let rule =
            "force: false\nkey: shop\ntags:\n- name: gray\n  addresses: [\"10.0.0.1:20880\"]\n";
        assert_eq!(config("shop.tag-router", rule), tag);
        assert_eq!(
            config("shop.tag-router", &format!("enabled: false\n{rule}")),
            None
        );
        assert_eq!(config("shop.tag-router", "not: [yaml"), tag);
        assert_eq!(config("shop.tag-router", " \n"), None);
        let overriding = |configs: &str| {
            let rule = Rule::of_config("shop.configurators", configs);
            rule.map(|rule| rule.kind.to_string())
        };
        for (text, kind) in [
            (
                "configVersion: v2.7\nconfigs:\n- side: consumer\n  parameters: {loadbalance: consistenthash, sticky: true, timeout: 9}\n",
                Some("override with loadbalance=consistenthash, sticky=true"),
            ),
            (
                "configs:\n- side: provider\n  parameters: {sticky: true}\n",
                None,
            ),
            (
                "enabled: false\nconfigs:\n- side: consumer\n  parameters: {sticky: true}\n",
                None,
            ),
            (
                "configs: [{side: consumer, parameters: {timeout: 9}}]",
                None,
            ),
            ("", None),
            (
                "[\"override://0.0.0.0/x?sticky=true\"]",
                Some("override that cannot be read"),
            ),
        ] {
            assert_eq!(overriding(text).as_deref(), kind, "{text}");
        }
        let condition = Some(("com.acme.Orders::".into(), Kind::Condition));
        assert_eq!(
            config("com.acme.Orders::.condition-router", "force: true"),
            condition
        );
    }
}
