//! Which service an HTTP/2 request calls, and its headers under that service's name.

use std::borrow::Cow;

use dubbo_codec::ServiceKey;

use crate::header::decode_text;
use crate::hpack::{Field, HeaderList};
use crate::names;

/// The service that a request calls by its path, version and group. `None` for what is no call of an
/// interface's method, has a name already, or says anything twice: then the manager judges it as it is.
pub(super) fn service(headers: &HeaderList) -> Option<ServiceKey> {
    const NAMES: [&str; 6] = [
        names::METHOD,
        names::AUTHORITY,
        names::PATH,
        names::CONTENT_TYPE,
        names::VERSION,
        names::GROUP,
    ];
    let mut values = [None; NAMES.len()];
    for (name, value) in headers.iter() {
        if let Some(at) = NAMES.iter().position(|known| known.as_bytes() == name)
            && values[at].replace(value).is_some()
        {
            return None;
        }
    }
    let [method, _, path, content_type, version, group] = values;
    if method != Some(b"POST") || content_type == Some(names::CONTENT_TYPE_DUBBO.as_bytes()) {
        return None;
    }
    let interface = interface(path?)?;
    let (version, group) = (optional(version)?, optional(group)?);
    ServiceKey::new(interface, &group, &version).ok()
}

/// A text, the empty one where there is no header; `None` if it is no text.
fn optional(value: Option<&[u8]>) -> Option<Cow<'_, str>> {
    value.map_or(Some(Cow::Borrowed("")), decode_text)
}

/// The interface in `/<interface>/<method>`, where both are names as they stand.
fn interface(path: &[u8]) -> Option<&str> {
    let path = str::from_utf8(path).ok()?.strip_prefix('/')?;
    let (interface, method) = path.split_once('/')?;
    let is_name = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-$".contains(&byte);
        !name.is_empty() && name.bytes().all(is_plain)
    };
    (is_name(interface) && is_name(method)).then_some(interface)
}

/// The headers with this authority and no other. Pseudo headers may stand in any order.
pub(super) fn under<'h>(host: &'h str, headers: &'h HeaderList) -> impl Iterator<Item = Field<'h>> {
    let ours = Field::from((names::AUTHORITY.as_bytes(), host.as_bytes()));
    let others = headers
        .fields()
        .filter(move |field| field.name != ours.name);
    std::iter::once(ours).chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(fields: &[(&str, &str)]) -> Option<String> {
        let mut list = HeaderList::new();
        for (name, value) in fields {
            list.push(name.as_bytes(), value.as_bytes());
        }
        service(&list).map(|key| key.host())
    }

    /// The hosts are those of `fixtures/service-hosts.tsv`, which holds for Dubbo2 too.
    #[test]
    fn a_call_of_a_method_has_its_service_s_host() {
        let (post, path) = ((":method", "POST"), (":path", "/com.acme.Orders/create"));
        let grpc = ("content-type", "application/grpc+proto");
        let orders = Some("com.acme.orders.dubbo".to_owned());
        for (fields, expected) in [
            (&[post, path][..], orders.clone()),
            (
                &[post, path, grpc, (":authority", "10.0.0.7:50051")],
                orders.clone(),
            ),
            (&[post, path, ("tri-service-version", "0.0.0")], orders),
            (
                &[
                    post,
                    path,
                    ("tri-service-version", "1.0.0"),
                    ("tri-service-group", "gray"),
                ],
                Some("v1-0-0.g-gray.com.acme.orders.dubbo".to_owned()),
            ),
            (&[path], None),
            (&[post], None),
            (&[(":method", "GET"), path], None),
            (
                &[post, path, ("content-type", "application/x-dubbo2")],
                None,
            ),
            (&[post, path, path], None),
            (
                &[post, path, (":authority", "a"), (":authority", "b")],
                None,
            ),
            (
                &[
                    post,
                    path,
                    ("tri-service-group", "a"),
                    ("tri-service-group", "b"),
                ],
                None,
            ),
            (&[post, (":path", "/com.acme.Orders")], None),
            (&[post, (":path", "/a/com.acme.Orders/create")], None),
            (&[post, (":path", "/com.acme.Orders/create?x=y")], None),
            (&[post, (":path", "/com.acme.%4frders/create")], None),
            (&[post, (":path", "//create")], None),
            (&[post, (":path", "*")], None),
        ] {
            assert_eq!(host(fields), expected, "{fields:?}");
        }
    }
}
