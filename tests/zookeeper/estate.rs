//! Dubbo's tree as a test makes it, and reads it back without any code of the product.

use std::collections::{BTreeMap, BTreeSet};

use support::create;
use zookeeper_client::{Acls, Client, CreateMode, Error};

/// The providers of each interface, in the form of [`brief`].
pub(crate) type Tree = BTreeMap<String, BTreeSet<String>>;

/// A registry that a test fills.
#[derive(Clone)]
pub(crate) struct Estate {
    pub(crate) client: Client,
    pub(crate) root: String,
}

impl Estate {
    pub(crate) fn new(client: Client, root: &str) -> Self {
        let root = root.to_owned();
        Self { client, root }
    }

    /// Registers a provider as Dubbo does: parents persistent, the node itself ephemeral.
    pub(crate) async fn add(&self, interface: &str, url: &str) {
        let path = self.path(interface, url);
        create(&self.client, &path, "10.0.0.1", CreateMode::Ephemeral).await;
    }

    pub(crate) async fn remove(&self, interface: &str, url: &str) {
        let path = self.path(interface, url);
        self.client.delete(&path, None).await.unwrap();
    }

    /// An interface with `providers` and `consumers`, and no provider.
    pub(crate) async fn add_interface(&self, interface: &str) {
        for child in ["providers", "consumers"] {
            let path = format!("{}/{}/{child}", self.root, encode(interface));
            create(&self.client, &path, "", CreateMode::Persistent).await;
        }
    }

    /// Deletes an interface with all that is in it.
    pub(crate) async fn remove_interface(&self, interface: &str) {
        let path = format!("{}/{}", self.root, encode(interface));
        delete_all(&self.client, &path).await;
    }

    pub(crate) fn path(&self, interface: &str, url: &str) -> String {
        format!(
            "{}/{}/providers/{}",
            self.root,
            encode(interface),
            encode(url)
        )
    }

    /// What stands there now, by a fresh listing.
    pub(crate) async fn read(&self) -> Tree {
        let mut tree = Tree::new();
        for directory in self.client.list_children(&self.root).await.unwrap() {
            let path = format!("{}/{directory}/providers", self.root);
            match self.client.list_children(&path).await {
                Ok(nodes) => {
                    let urls = nodes.iter().map(|node| brief(&decode(node)));
                    tree.insert(decode(&directory), urls.collect());
                }
                Err(Error::NoNode) => {}
                Err(error) => panic!("{path}: {error}"),
            }
        }
        tree
    }
}

/// Creates a node, not its parents.
pub(crate) async fn create_only(client: &Client, path: &str, data: &[u8], acls: Acls<'_>) {
    let options = CreateMode::Persistent.with_acls(acls);
    client.create(path, data, &options).await.unwrap();
}

/// Deletes a node and all below it.
pub(crate) async fn delete_all(client: &Client, path: &str) {
    for child in client.list_children(path).await.unwrap() {
        Box::pin(delete_all(client, &format!("{path}/{child}"))).await;
    }
    client.delete(path, None).await.unwrap();
}

/// A provider's URL of the length and shape that Dubbo 3.2 writes.
pub(crate) fn url(interface: &str, host: &str, weight: u32, timestamp: u64) -> String {
    format!(
        "dubbo://{host}:20880/{interface}?application=acme-orders&deprecated=false&dubbo=2.0.2\
         &dynamic=true&generic=false&interface={interface}\
         &methods=archive,archiveAll,count,countByCustomer,create,createAll,exists,find,findAll,\
         findByCustomer,remove,removeAll,update,updateAll\
         &prefer.serialization=fastjson2,hessian2&release=3.2.16&revision=1.4.2\
         &service-name-mapping=true&side=provider&timestamp={timestamp}&weight={weight}"
    )
}

/// What tells one provider from another here: `dubbo://10.0.0.1:20880 weight 100 at 1`.
pub(crate) fn brief(url: &str) -> String {
    let (start, query) = url.split_once('?').unwrap_or((url, ""));
    let address: Vec<&str> = start.splitn(4, '/').collect();
    let value = |name: &str, default| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        values.next().unwrap_or(default)
    };
    let (weight, at) = (value("weight", "100"), value("timestamp", "0"));
    format!("{}//{} weight {weight} at {at}", address[0], address[2])
}

/// As `java.net.URLEncoder` writes it.
pub(crate) fn encode(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
            char::from(b).to_string()
        }
        b' ' => "+".to_owned(),
        _ => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = str::from_utf8(&rest[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
