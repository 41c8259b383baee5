//! One request to the server and its answer. [IO]

use std::sync::Arc;

use zookeeper_client::{Client, Error, OneshotWatcher, Stat};

use super::mirror::{Answer, Refusal, Request, Version};
use super::path::Root;

/// An answer, and the child watch that came with it.
pub(super) struct Reply(pub(super) Answer, pub(super) Option<OneshotWatcher>);

/// Asks.
///
/// # Errors
/// If the connection is of no more use. What the server refuses is an answer.
pub(super) async fn ask(client: Client, root: Root, request: Request) -> Result<Reply, Error> {
    match request {
        Request::Root => {
            let names = client.list_children(root.as_str()).await;
            Ok(Reply(Answer::Root(sort(names, root.as_str())?), None))
        }
        Request::Stat(directory) => {
            let path = root.providers(&directory);
            let stat = sort(client.check_stat(&path).await, &path)?;
            // Refused is as good as missing here: both are not what is known, so it will be listed.
            let version = stat.ok().flatten().map(|stat| version(&stat));
            Ok(Reply(Answer::Stat(directory, version), None))
        }
        Request::List(directory) => {
            let path = root.providers(&directory);
            let listed = sort(client.get_children(&path).await, &path)?;
            let listed = listed.map(|(names, stat)| (names, version(&stat)));
            Ok(Reply(Answer::Listed(directory, listed), None))
        }
        Request::Watch(directory) => {
            let path = root.providers(&directory);
            match sort(client.get_and_watch_children(&path).await, &path)? {
                Ok((names, stat, watcher)) => {
                    let listed = Ok((names, version(&stat)));
                    Ok(Reply(Answer::Listed(directory, listed), Some(watcher)))
                }
                Err(refusal) => Ok(Reply(Answer::Listed(directory, Err(refusal)), None)),
            }
        }
    }
}

/// Tells an error about one node from one of the connection.
pub(super) fn sort<T>(result: Result<T, Error>, path: &str) -> Result<Result<T, Refusal>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::NoNode) => Ok(Err(Refusal::Missing)),
        Err(Error::NoAuth) => Ok(Err(Refusal::Other(forbidden(path).into()))),
        Err(
            error @ (Error::UnmarshalError { .. }
            | Error::UnexpectedErrorCode(_)
            | Error::BadArguments(_)
            | Error::MarshallingError
            | Error::QuotaExceeded
            | Error::Throttled),
        ) => {
            let reason: Arc<str> = format!("{path} cannot be read: {error}").into();
            Ok(Err(Refusal::Other(reason)))
        }
        Err(error) => Err(error),
    }
}

/// What people can do about a node whose ACL forbids it.
pub(super) fn forbidden(path: &str) -> String {
    format!("not authorized to read {path}: its ACL needs (other) credentials")
}

fn version(stat: &Stat) -> Version {
    Version {
        czxid: stat.czxid,
        cversion: stat.cversion,
        children: stat.num_children,
    }
}
