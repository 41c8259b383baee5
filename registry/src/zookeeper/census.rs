//! One reading of what nobody follows: consumers, rules, and what providers say about how they are
//! called. [IO]
//!
//! ```text
//! connect ─ sync ─→ names of interfaces ─ four lists of each, up to 64 requests under way ─→ Census
//!               └─→ rules of the configuration center beside them
//! ```
//! Never writes, sets no watch, and ends with its session.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, stream};
use zookeeper_client::{Client, Error};

use super::ask::sort;
use super::config::Config;
use super::connect::connect;
use super::mirror::Refusal;
use super::path::{Root, interface_of};
use crate::census::{Category, Census, Unread};
use crate::rule::Rule;

/// Requests under way at once: enough to hide the way to the server and back.
const IN_FLIGHT: usize = 64;
/// Where Dubbo keeps the rules of its configuration center, under the root.
const RULES: &str = "config/dubbo";
/// Where 2.7 keeps them whatever the root of the registry is.
const RULES_OF_2_7: &str = "/dubbo/config/dubbo";

/// Reads once.
///
/// # Errors
/// What to tell people.
pub(crate) async fn census(
    config: &Config,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Census, String> {
    let client = connect(config).await?;
    let reading = Reading {
        client,
        root: config.root.clone(),
    };
    let read = reading.everything(progress).await;
    read.map_err(|error| format!("the connection broke while it was being read: {error}"))
}

struct Reading {
    client: Client,
    root: Root,
}

/// The entries of one list, or why they could not be read.
type List = Result<Vec<String>, Unread>;

impl Reading {
    async fn everything(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<Census, Error> {
        let root = self.root.as_str();
        self.client.sync(root).await?;
        let mut census = Census::default();
        let mut names = unread_into(&mut census, self.list(root.to_owned()).await?);
        names.retain(|name| self.root.may_be_interface(name));
        let lists = names
            .iter()
            .flat_map(|name| Category::ALL.map(|category| (name, category)));
        let mut lists = stream::iter(lists)
            .map(async |(name, category)| {
                let list = self.list(self.path(&format!("{name}/{}", category.as_str())));
                list.await.map(|list| (name, category, list))
            })
            .buffer_unordered(IN_FLIGHT);
        let mut done = 0;
        while let Some(read) = lists.next().await {
            let (name, category, list) = read?;
            let interface: Arc<str> = interface_of(name).into();
            for node in unread_into(&mut census, list) {
                census.entry(category, &interface, &node);
            }
            done += 1;
            progress(done / Category::ALL.len(), names.len());
        }
        drop(lists);
        self.rules(&mut census).await?;
        Ok(census)
    }

    /// The rules of the configuration center.
    async fn rules(&self, census: &mut Census) -> Result<(), Error> {
        for directory in BTreeSet::from([self.path(RULES), RULES_OF_2_7.to_owned()]) {
            let mut names = unread_into(census, self.list(directory.clone()).await?);
            names.retain(|name| Rule::is_rule(name));
            let mut rules = stream::iter(&names)
                .map(async |name| {
                    let path = format!("{directory}/{name}");
                    let data = sort(self.client.get_data(&path).await, &path)?;
                    Ok::<_, Error>((name, path, data))
                })
                .buffer_unordered(IN_FLIGHT);
            while let Some(read) = rules.next().await {
                match read? {
                    (name, _, Ok((data, _))) => {
                        let text = String::from_utf8_lossy(&data);
                        census.rules.extend(Rule::of_config(name, &text));
                    }
                    (_, _, Err(Refusal::Missing)) => {}
                    (_, path, Err(Refusal::Other(reason))) => census.unread.push(Unread {
                        what: path.into(),
                        reason,
                    }),
                }
            }
        }
        Ok(())
    }

    /// A list that is not there is an empty one.
    async fn list(&self, path: String) -> Result<List, Error> {
        Ok(match sort(self.client.list_children(&path).await, &path)? {
            Ok(names) => Ok(names),
            Err(Refusal::Missing) => Ok(Vec::new()),
            Err(Refusal::Other(reason)) => Err(Unread {
                what: path.into(),
                reason,
            }),
        })
    }

    fn path(&self, below: &str) -> String {
        format!("{}/{below}", self.root.as_str().trim_end_matches('/'))
    }
}

fn unread_into(census: &mut Census, list: List) -> Vec<String> {
    list.unwrap_or_else(|unread| {
        census.unread.push(unread);
        Vec::new()
    })
}
