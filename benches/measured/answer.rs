//! What a `DiscoveryResponse` says, read from its bytes as far as needed. Pure.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use dubbo_registry::proto::{McpResource, ServiceEntry};
use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::Any;

/// A response; its resources are looked at only where asked.
#[derive(Clone, Debug)]
pub struct Answer {
    /// As it came.
    pub bytes: Bytes,
    /// Of the set.
    pub version: String,
    /// What it is about.
    pub type_url: String,
    /// To be acknowledged.
    pub nonce: String,
    /// How many there are.
    pub resources: usize,
}

impl Answer {
    /// # Panics
    /// If it is no `DiscoveryResponse`.
    pub fn read(bytes: Bytes) -> Self {
        let mut answer = Self {
            bytes: bytes.clone(),
            version: String::new(),
            type_url: String::new(),
            nonce: String::new(),
            resources: 0,
        };
        let text = |value: Bytes| String::from_utf8(value.into()).expect("texts are UTF-8");
        for (field, value) in fields(bytes) {
            match field {
                1 => answer.version = text(value),
                2 => answer.resources += 1,
                4 => answer.type_url = text(value),
                5 => answer.nonce = text(value),
                _ => {}
            }
        }
        answer
    }

    /// The endpoints of a host, with their weights.
    pub fn endpoints(&self, host: &str) -> BTreeMap<String, u32> {
        let name = format!("/{host}--dubbo");
        let of_host = self.entries(|named| named.ends_with(&name));
        let endpoints = of_host.flat_map(|entry| entry.endpoints);
        endpoints.map(|e| (e.address, e.weight)).collect()
    }

    /// How many endpoints there are in all.
    pub fn endpoint_count(&self) -> usize {
        self.entries(|_| true)
            .map(|entry| entry.endpoints.len())
            .sum()
    }

    /// The entries that have such names.
    fn entries(&self, such: impl Fn(&str) -> bool) -> impl Iterator<Item = ServiceEntry> {
        let resources = fields(self.bytes.clone()).filter(|(field, _)| *field == 2);
        resources.filter_map(move |(_, any)| {
            let any = Any::decode(any).expect("an Any");
            let resource = McpResource::decode(&*any.value).expect("a Resource");
            such(&resource.metadata?.name).then_some(())?;
            let entry = ServiceEntry::decode(&*resource.body?.value);
            Some(entry.expect("a ServiceEntry"))
        })
    }
}

/// The fields of a message that has only length-delimited ones.
fn fields(mut bytes: Bytes) -> impl Iterator<Item = (u32, Bytes)> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let (field, wire_type) = decode_key(&mut bytes).expect("a field");
        assert_eq!(wire_type, WireType::LengthDelimited, "field {field}");
        let length = decode_varint(&mut bytes).expect("a length");
        let length = usize::try_from(length).expect("a length");
        assert!(length <= bytes.remaining(), "field {field} is cut off");
        Some((field, bytes.split_to(length)))
    })
}
