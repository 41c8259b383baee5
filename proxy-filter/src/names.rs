//! The names of all headers that a call has inside of Envoy, in one table.
//!
//! This file owns the names and what they mean; README.md shows the same table, and a test holds the
//! two together. It must not know where a value comes from.

/// One header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Name {
    /// The header's name, as it is in HTTP/2.
    pub name: &'static str,
    /// Which messages have it.
    pub on: On,
    /// What its value means.
    pub meaning: &'static str,
}

/// Which messages have a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are requests, responses and what stays between our halves"
)]
pub enum On {
    /// The request of a call.
    Request,
    /// Its response.
    Response,
    /// Both of them.
    Both,
    /// A request, from one half of the filter to the other: the other takes it away.
    Between,
}

impl On {
    /// The word in the documentation's table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Both => "both",
            Self::Between => "between our halves",
        }
    }
}

pub(crate) const METHOD: &str = ":method";
pub(crate) const SCHEME: &str = ":scheme";
pub(crate) const AUTHORITY: &str = ":authority";
pub(crate) const PATH: &str = ":path";
pub(crate) const STATUS: &str = ":status";
pub(crate) const CONTENT_TYPE: &str = "content-type";
pub(crate) const VERSION: &str = "tri-service-version";
pub(crate) const GROUP: &str = "tri-service-group";
pub(crate) const APPLICATION: &str = "tri-consumer-appname";
pub(crate) const TIMEOUT: &str = "tri-service-timeout";
pub(crate) const SERIALIZATION: &str = "dubbo-serialization";
pub(crate) const GENERIC: &str = "dubbo-generic";
pub(crate) const ONE_WAY: &str = "dubbo-oneway";
pub(crate) const DUBBO_STATUS: &str = "dubbo-status";
pub(crate) const EXCEPTION: &str = "dubbo-exception";
pub(crate) const SEAL: &str = "dubbo-mesh-seal";
pub(crate) const HELD: &str = "dubbo-mesh-held";

/// The content type of a Dubbo2 frame: head and body as they are on the wire. It is one of our own,
/// so that nothing that Istio does for gRPC happens to Dubbo.
pub const CONTENT_TYPE_DUBBO: &str = "application/x-dubbo2";

/// Authority of calls whose body cannot be read, see the option `unreadable`.
pub const UNREADABLE_AUTHORITY: &str = "unreadable.dubbo";

/// All headers that the filter itself makes. Attachments come under their own names.
pub const TABLE: [Name; 17] = [
    row(METHOD, On::Request, "`POST`"),
    row(SCHEME, On::Request, "`http`"),
    row(
        AUTHORITY,
        On::Request,
        "the service's name on the mesh, `[v<version>.][g-<group>.]<interface>.dubbo`",
    ),
    row(
        PATH,
        On::Request,
        "`/<interface>/<method>`; of a generic call the method that is meant",
    ),
    row(CONTENT_TYPE, On::Both, "`application/x-dubbo2`"),
    row(
        VERSION,
        On::Request,
        "the service's version; absent for none and `0.0.0`; a change is written into the call",
    ),
    row(
        GROUP,
        On::Request,
        "the service's group; absent for none; a change is written into the call",
    ),
    row(
        APPLICATION,
        On::Request,
        "the caller's application, if it says which",
    ),
    row(
        TIMEOUT,
        On::Request,
        "milliseconds that the caller waits, if it says so",
    ),
    row(
        SERIALIZATION,
        On::Request,
        "how the body is written: `hessian2`, `fastjson2`, ..., or a number without a name",
    ),
    row(
        GENERIC,
        On::Request,
        "on calls by `$invoke` and `$invokeAsync`: their attachment `generic`, or `true`",
    ),
    row(
        ONE_WAY,
        On::Both,
        "`true` on calls that want no reply, and on the empty response that ends them",
    ),
    row(
        STATUS,
        On::Response,
        "from the Dubbo status, see the table of statuses",
    ),
    row(
        DUBBO_STATUS,
        On::Response,
        "the number of the Dubbo status: `20`, `80`, ...",
    ),
    row(
        EXCEPTION,
        On::Response,
        "the class of the exception that the method threw; `unknown` if it cannot be told",
    ),
    row(
        SEAL,
        On::Between,
        "tells the provider's half of the same process that nothing was changed; it is bound to the frame's head and the headers, not to the rest of the body: do not hand it on",
    ),
    row(
        HELD,
        On::Between,
        "says to `dubbo_hold` since when a call waits that begins anew",
    ),
];

const fn row(name: &'static str, on: On, meaning: &'static str) -> Name {
    Name { name, on, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_same_table() {
        let rows =
            TABLE.map(|row| format!("| `{}` | {} | {} |\n", row.name, row.on.word(), row.meaning));
        let table = format!(
            "| header | on | value |\n|---|---|---|\n{}\n",
            rows.concat()
        );
        assert!(
            include_str!("../README.md").contains(&table),
            "README.md should have\n{table}"
        );
    }

    #[test]
    fn each_name_is_a_header_of_http_2_and_stands_once() {
        for (at, row) in TABLE.iter().enumerate() {
            let token = row.name.trim_start_matches(':');
            assert!(
                token.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{token}"
            );
            assert!(TABLE[..at].iter().all(|other| other.name != row.name));
        }
    }
}
