//! What stands in ZooKeeper, and nodes put there by hand.

use std::collections::BTreeMap;

use zookeeper_client::{Acls, Client, CreateMode, Error};

/// A node as [`tree`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its data, as text.
    pub data: String,
    /// Whether it goes with the session that made it.
    pub ephemeral: bool,
}

/// Creates a node, with its parents (persistent, empty) where they are missing.
///
/// # Panics
/// If ZooKeeper refuses, also because the node exists.
pub async fn create(client: &Client, path: &str, data: &str, mode: CreateMode) {
    let open = CreateMode::Persistent.with_acls(Acls::anyone_all());
    // mkdir would do, but it needs what only servers from 3.5 on have.
    for (slash, _) in path.match_indices('/').skip(1) {
        match client.create(&path[..slash], b"", &open).await {
            Ok(_) | Err(Error::NodeExists) => {}
            Err(error) => panic!("{}: {error}", &path[..slash]),
        }
    }
    let options = mode.with_acls(Acls::anyone_all());
    client
        .create(path, data.as_bytes(), &options)
        .await
        .unwrap_or_else(|error| panic!("{path}: {error}"));
}

/// All nodes under `root`, without it, by path. ZooKeeper's own are left out.
///
/// # Panics
/// If ZooKeeper does not answer. A node that goes meanwhile is left out.
pub async fn tree(client: &Client, root: &str) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    let mut unread = vec![root.trim_end_matches('/').to_owned()];
    while let Some(parent) = unread.pop() {
        let children = match client
            .list_children(if parent.is_empty() { "/" } else { &parent })
            .await
        {
            Err(Error::NoNode) => continue,
            children => children.unwrap_or_else(|error| panic!("{parent}: {error}")),
        };
        for child in children {
            let path = format!("{parent}/{child}");
            if path == "/zookeeper" {
                continue;
            }
            match client.get_data(&path).await {
                Err(Error::NoNode) => continue,
                Err(error) => panic!("{path}: {error}"),
                Ok((data, stat)) => {
                    let data = String::from_utf8_lossy(&data).into_owned();
                    nodes.insert(
                        path.clone(),
                        Node {
                            data,
                            ephemeral: stat.ephemeral_owner != 0,
                        },
                    );
                }
            }
            unread.push(path);
        }
    }
    nodes
}
