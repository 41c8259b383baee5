//! A synthetic tree in a real ZooKeeper, and its changes.

use std::net::SocketAddr;
use std::time::Instant;

use futures::{StreamExt, future, stream};
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions};

use crate::tree::Tree;

/// Requests under way while the tree is made. The server takes them in the order in which they were
/// sent, so parents are there before their children.
const IN_FLIGHT: usize = 256;

/// A tree that stands in a ZooKeeper.
pub(crate) struct Registry {
    pub(crate) tree: Tree,
    pub(crate) server: SocketAddr,
    client: Client,
}

impl Registry {
    /// Writes the tree.
    pub(crate) async fn fill(client: Client, server: SocketAddr, tree: Tree) -> Self {
        let paths = tree.directories().chain(tree.nodes());
        let created = paths.map(|path| create(client.clone(), path));
        stream::iter(created)
            .buffered(IN_FLIGHT)
            .for_each(future::ready)
            .await;
        Self {
            tree,
            server,
            client,
        }
    }

    /// For `--registry`.
    pub(crate) fn url(&self) -> String {
        format!("zookeeper://{}{}", self.server, self.tree.root())
    }

    /// Registers a provider; when this was asked of the server.
    pub(crate) async fn add(&mut self, interface: usize, instance: usize) -> Instant {
        let path = self.tree.add(interface, instance);
        let asked = Instant::now();
        create(self.client.clone(), path).await;
        asked
    }

    /// Takes a provider away; when this was asked of the server.
    pub(crate) async fn remove(&mut self, interface: usize, instance: usize) -> Instant {
        let path = self.tree.remove(interface, instance);
        let asked = Instant::now();
        delete(self.client.clone(), path).await;
        asked
    }

    /// Gives a provider another weight as Dubbo does it, by two requests: the old node goes, a new
    /// one comes. When the first was asked of the server.
    pub(crate) async fn reweight(&mut self, interface: usize, instance: usize) -> Instant {
        let (old, new) = self.tree.reweight(interface, instance);
        let asked = Instant::now();
        let client = &self.client;
        future::join(delete(client.clone(), old), create(client.clone(), new)).await;
        asked
    }
}

async fn create(client: Client, path: String) {
    let open: CreateOptions<'_> = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let created = client.create(&path, b"", &open).await;
    created.unwrap_or_else(|error| panic!("{path}: {error}"));
}

async fn delete(client: Client, path: String) {
    let deleted = client.delete(&path, None).await;
    deleted.unwrap_or_else(|error| panic!("{path}: {error}"));
}
