//! The authority of Triple calls, for the option `authority_for_http2`.
//!
//! An unmodified Triple SDK sends the provider's address as authority, by which the mesh finds no
//! service. Path and `tri-service-*` say which one is meant, in the same words as those of Dubbo2.

use dubbo_codec::ServiceKey;

use crate::header::percent_decode;
use crate::names;

/// The authority that a Triple request should have, from its other headers. `None` if they are not
/// those of a Triple call: its path is `[/context]/<interface>/<method>`.
pub fn triple_authority<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Option<String> {
    let (mut path, mut version, mut group) = (None, "", "");
    for (name, value) in headers {
        let value = std::str::from_utf8(value);
        if name == names::PATH.as_bytes() {
            path = Some(value.ok()?);
        } else if name == names::VERSION.as_bytes() {
            version = value.ok()?;
        } else if name == names::GROUP.as_bytes() {
            group = value.ok()?;
        }
    }
    let path = path?.split(['?', '#']).next()?;
    let mut segments = path.strip_prefix('/')?.rsplit('/');
    let method = segments.next().filter(|method| !method.is_empty());
    let interface = segments.next().filter(|_| method.is_some())?;
    let interface = String::from_utf8(percent_decode(interface.as_bytes())?).ok()?;
    Some(ServiceKey::new(&interface, group, version).ok()?.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hosts are those of `fixtures/service-hosts.tsv`.
    #[test]
    fn a_triple_call_is_found_by_path_version_and_group() {
        for (path, version, group, host) in [
            (
                "/com.acme.Orders/get",
                "",
                "",
                Some("com.acme.orders.dubbo"),
            ),
            (
                "/com.acme.Orders/get",
                "0.0.0",
                "",
                Some("com.acme.orders.dubbo"),
            ),
            (
                "/com.acme.Orders/get?a=/b/c",
                "1.0.0",
                "gray",
                Some("v1-0-0.g-gray.com.acme.orders.dubbo"),
            ),
            (
                "/shop/com.acme.Orders/get",
                "",
                "Gray",
                Some("g-gray-3ac6ffba.com.acme.orders.dubbo"),
            ),
            (
                "/com.acme.Outer%24Inner/get",
                "",
                "",
                Some("com.acme.outer-inner-c3e7fdd0.dubbo"),
            ),
            ("/com.acme.Orders/", "", "", None),
            ("/get", "", "", None),
            ("//get", "", "", None),
            ("*", "", "", None),
            ("", "", "", None),
            ("/%ff/get", "", "", None),
        ] {
            let mut headers = vec![
                (":method", "POST"),
                (":authority", "10.0.0.1:50051"),
                (":path", path),
            ];
            headers.extend([
                ("tri-service-version", version),
                ("tri-service-group", group),
            ]);
            let pairs = headers
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(triple_authority(pairs).as_deref(), host, "{path}");
        }
        assert_eq!(triple_authority([].into_iter()), None);
    }
}
