//! Kubernetes services as `kubectl get services -A -o json` prints them: who else has a number. Pure.
//!
//! Only what istiod goes by is read: the cluster address, port numbers, and the protocol, which is
//! `appProtocol`, else the port name up to its first `-` (`protocol.Parse` and
//! `ConvertProtocol` of Istio's `kube` package).

use std::collections::BTreeMap;

use serde::Deserialize;

/// Whom a service is exported to.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// One port of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The namespace of the service.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The number.
    pub port: u16,
    /// Has no cluster address: istiod makes a listener for each of its pods.
    pub headless: bool,
    /// What istiod takes the port for.
    pub speaks: Speaks,
    /// Namespaces that see it; none for all.
    pub export_to: Option<Vec<String>>,
}

/// What istiod takes a port for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// `http2`, `kubernetes.io/h2c`.
    Http2,
    /// HTTP of another kind, gRPC among them.
    Http(String),
    /// Bytes: TCP, TLS, databases.
    Opaque(String),
    /// Nothing is said: istiod has the sidecar look.
    Auto,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    kind: String,
    items: Option<Vec<Service>>,
}

#[derive(Deserialize)]
struct Service {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    ports: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    port: u16,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    app_protocol: Option<String>,
    #[serde(default)]
    protocol: Option<String>,
}

/// Reads the text, JSON or YAML.
///
/// # Errors
/// Where it is no list of services.
pub fn read(text: &str) -> Result<Vec<Neighbour>, String> {
    let read: Read = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())?
    };
    let Some(items) = read.items else {
        let kind = match &*read.kind {
            "" => "something without a kind",
            kind => kind,
        };
        return Err(format!(
            "not a list of services, but {kind}; it is the output of `kubectl get services -A -o json`"
        ));
    };
    Ok(items.iter().flat_map(Service::ports).collect())
}

impl Service {
    fn ports(&self) -> impl Iterator<Item = Neighbour> {
        let export_to = self.metadata.annotations.get(EXPORT_TO);
        let export_to = export_to.map(|names| names.split(',').map(|n| n.trim().to_owned()));
        let export_to: Option<Vec<String>> = export_to.map(Iterator::collect);
        let udp = |port: &&Port| !matches!(port.protocol.as_deref(), Some("UDP" | "SCTP"));
        self.spec
            .ports
            .iter()
            .filter(udp)
            .map(move |port| Neighbour {
                namespace: self.metadata.namespace.clone(),
                name: self.metadata.name.clone(),
                port: port.port,
                headless: self.spec.cluster_ip.as_deref() == Some("None"),
                speaks: port.speaks(),
                export_to: export_to.clone(),
            })
    }
}

impl Port {
    fn speaks(&self) -> Speaks {
        let named = || {
            let name = self.name.as_deref().unwrap_or_default();
            // A name without a dash is a protocol as a whole.
            let prefix = name.split('-').next().unwrap_or_default();
            match name.starts_with("grpc-web") {
                true => "grpc-web",
                false => prefix,
            }
        };
        let text = self.app_protocol.as_deref().unwrap_or_else(named);
        match text.to_ascii_lowercase().as_str() {
            "http2" | "kubernetes.io/h2c" => Speaks::Http2,
            known @ ("http" | "grpc" | "grpc-web" | "kubernetes.io/ws") => {
                Speaks::Http(known.to_owned())
            }
            known @ ("tcp" | "tls" | "https" | "mongo" | "mysql" | "redis"
            | "kubernetes.io/wss") => Speaks::Opaque(known.to_owned()),
            _ => Speaks::Auto,
        }
    }
}

impl Speaks {
    /// One word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Http2 => "http2",
            Self::Http(word) | Self::Opaque(word) => word,
            Self::Auto => "not declared",
        }
    }
}

impl Neighbour {
    /// Whether a sidecar of one of these namespaces sees it.
    pub fn is_seen_by(&self, namespaces: &[impl AsRef<str>]) -> bool {
        let Some(export_to) = &self.export_to else {
            return true;
        };
        let sees = |namespace: &str| {
            export_to.iter().any(|to| match to.as_str() {
                "*" => true,
                "~" => false,
                "." => namespace == "*" || namespace == self.namespace,
                to => namespace == "*" || namespace == to,
            })
        };
        namespaces.iter().any(|namespace| sees(namespace.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut from what kubectl prints; the fields that nobody reads are left in place of all.
    const JSON: &str = r#"{
      "apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""},
      "items": [
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "orders", "namespace": "shop", "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"},
         "spec": {"clusterIP": "None", "clusterIPs": ["None"], "type": "ClusterIP",
                  "ports": [{"name": "dubbo", "port": 20880, "protocol": "TCP", "targetPort": 20880},
                            {"name": "metrics", "port": 9100, "protocol": "UDP", "targetPort": 9100}]},
         "status": {"loadBalancer": {}}},
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "cache", "namespace": "pay", "annotations": {"networking.istio.io/exportTo": "., shop"}},
         "spec": {"clusterIP": "10.96.0.7",
                  "ports": [{"appProtocol": "http2", "port": 20880}, {"name": "grpc-web-x", "port": 20881},
                            {"name": "http", "port": 20882}, {"name": "tcp-a", "port": 20883}]}}
      ]}"#;

    fn expected() -> Vec<Neighbour> {
        let orders = Neighbour {
            namespace: "shop".into(),
            name: "orders".into(),
            port: 20880,
            headless: true,
            speaks: Speaks::Auto,
            export_to: None,
        };
        let cache = |port, speaks| Neighbour {
            namespace: "pay".into(),
            name: "cache".into(),
            port,
            headless: false,
            speaks,
            export_to: Some(vec![".".into(), "shop".into()]),
        };
        vec![
            orders,
            cache(20880, Speaks::Http2),
            cache(20881, Speaks::Http("grpc-web".into())),
            cache(20882, Speaks::Http("http".into())),
            cache(20883, Speaks::Opaque("tcp".into())),
        ]
    }

    #[test]
    fn what_kubectl_prints_is_read_in_both_forms() {
        assert_eq!(read(JSON), Ok(expected()));
        let value: serde_json::Value = serde_json::from_str(JSON).unwrap();
        let yaml = serde_saphyr::to_string(&value).unwrap();
        assert_eq!(read(&yaml), Ok(expected()));
    }

    #[test]
    fn what_is_no_list_is_no_empty_list() {
        for text in [
            "",
            "{}",
            "{\"kind\": \"Service\"}",
            "kind: Pod\n",
            "nonsense",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_service_is_seen_where_it_is_exported_to() {
        let all = expected();
        for (namespaces, orders, cache) in [
            (&["shop"][..], true, true),
            (&["pay"], true, true),
            (&["web"], true, false),
            (&["*"], true, true),
        ] {
            assert_eq!(all[0].is_seen_by(namespaces), orders, "{namespaces:?}");
            assert_eq!(all[1].is_seen_by(namespaces), cache, "{namespaces:?}");
        }
    }
}
