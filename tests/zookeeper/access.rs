//! Credentials, ACLs and TLS.

use std::time::{Duration, Instant};

use support::{
    Authority, ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, dubbo_mesh, isolated, work_dir,
};
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Permission};

use super::estate::{Estate, create_only, encode, url};
use super::reader::{LIMIT, Reader};

const ORDERS: &str = "com.acme.Orders";
const STOCK: &str = "com.acme.Stock";

/// Providers of Dubbo 3 give their nodes to themselves.
async fn owner(zookeeper: &ZooKeeper) -> Client {
    let connector = Client::connector().with_auth("digest", b"acme:s3cret/?&");
    connector
        .connect(&zookeeper.address().to_string())
        .await
        .unwrap()
}

async fn add_owned(owner: &Client, interface: &str, url: &str) {
    let options = CreateMode::Ephemeral.with_acls(Acls::creator_all());
    let path = format!("/dubbo/{}/providers/{}", encode(interface), encode(url));
    owner.create(&path, b"", &options).await.unwrap();
}

#[test]
fn a_directory_that_the_acl_forbids_is_named_and_the_others_are_served() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        let owner = owner(&zookeeper).await;
        estate.add(ORDERS, &url(ORDERS, "10.0.0.1", 100, 1)).await;
        create_only(&owner, &format!("/dubbo/{STOCK}"), b"", Acls::anyone_all()).await;
        let stock = format!("/dubbo/{STOCK}/providers");
        create_only(&owner, &stock, b"", Acls::creator_all()).await;
        add_owned(&owner, STOCK, &url(STOCK, "10.0.0.1", 100, 1)).await;

        let registry = zookeeper.registry();
        let mut reader = Reader::live(&format!("{registry}?audit-interval=1s")).await;
        assert!(
            reader.unreadable[STOCK].starts_with("not authorized to read /dubbo/com.acme.Stock")
        );
        assert_eq!(reader.tree().keys().collect::<Vec<_>>(), [ORDERS]);
        let converted = dubbo_mesh(&["convert", "--strict", "--registry", &registry]);
        let report = String::from_utf8_lossy(&converted.stderr).into_owned();
        assert_eq!(converted.status.code(), Some(1), "{report}");
        let refused = format!("refused: {STOCK}: not authorized to read /dubbo/{STOCK}/providers");
        assert!(report.contains(&refused), "{report}");

        // With the owner's credentials, in each of the ways to give them.
        let file = work_dir().join("password");
        std::fs::write(&file, "s3cret/?&\n").unwrap();
        let with_file = format!("{registry}?username=acme&password-file={}", file.display());
        for url in [
            registry.replace("://", "://acme:s3cret%2F%3F%26@"),
            format!("{registry}?username=acme&password=s3cret/?%26"),
            with_file,
        ] {
            let allowed = Reader::live(&url).await;
            assert_eq!(allowed.unreadable.len(), 0, "{url}");
            assert_eq!(
                allowed.tree(),
                Estate::new(owner.clone(), "/dubbo").read().await
            );
        }
        let wrong = Reader::live(&registry.replace("://", "://acme:wrong@")).await;
        assert_eq!(wrong.unreadable.len(), 1);

        // Permission that comes later is found by the audit.
        let open = [Acl::new(Permission::ALL, AuthId::anyone())];
        owner.set_acl(&stock, &open, None).await.unwrap();
        reader
            .until_tree(&Estate::new(owner.clone(), "/dubbo").read().await)
            .await;
        assert_eq!(reader.unreadable.len(), 0);
    });
}

#[test]
fn a_root_that_the_acl_forbids_is_trouble() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_8).await;
        let owner = owner(&zookeeper).await;
        create_only(&owner, "/dubbo", b"", Acls::creator_all()).await;
        for path in ["/dubbo/com.acme.Orders", "/dubbo/com.acme.Orders/providers"] {
            create_only(&owner, path, b"", Acls::creator_all()).await;
        }
        let mut reader = Reader::start(&zookeeper.registry());
        reader.until_says("not authorized to read /dubbo").await;
        Reader::live(
            &zookeeper
                .registry()
                .replace("://", "://acme:s3cret%2F%3F%26@"),
        )
        .await;
    });
}

/// Servers since 3.8.4 and 3.9.2 tell a watcher nothing of nodes that it may not read, though it
/// may list them: a registry in which some providers have credentials, and we have none.
#[test]
fn nodes_of_others_are_found_by_the_audit_and_then_at_once() {
    isolated(async || {
        let withheld = [ZooKeeperVersion::V3_8, ZooKeeperVersion::V3_9];
        for version in [
            ZooKeeperVersion::V3_6,
            ZooKeeperVersion::V3_8,
            ZooKeeperVersion::V3_9,
        ] {
            let mut zookeeper = ZooKeeper::start(version).await;
            let estate = Estate::new(zookeeper.client().await, "/dubbo");
            let owner = owner(&zookeeper).await;
            for interface in [ORDERS, STOCK] {
                estate
                    .add(interface, &url(interface, "10.0.0.1", 100, 1))
                    .await;
                add_owned(&owner, interface, &url(interface, "10.0.0.2", 100, 1)).await;
            }
            let registry = zookeeper.registry();
            let mut reader = Reader::live(&format!("{registry}?audit-interval=3s")).await;
            assert_eq!(reader.tree(), estate.read().await, "names can be listed");
            let mut unaudited = Reader::live(&format!("{registry}?audit-interval=1h")).await;

            add_owned(&owner, ORDERS, &url(ORDERS, "10.0.0.3", 100, 2)).await;
            let expected = estate.read().await;
            reader.until_tree(&expected).await;
            match withheld.contains(&version) {
                // The first has been told by an audit, long after the change was made.
                true => assert!(!unaudited.next(Duration::from_secs(1)).await, "{version:?}"),
                false => unaudited.until_tree(&expected).await,
            }

            // From now on the directory is watched by itself, creations and deletions alike: audits would
            // take three seconds for each.
            let began = Instant::now();
            for n in 4..14 {
                let provider = url(ORDERS, &format!("10.0.0.{n}"), 100, 2);
                add_owned(&owner, ORDERS, &provider).await;
                reader.until_tree(&estate.read().await).await;
                let path = estate.path(ORDERS, &provider);
                owner.delete(&path, None).await.unwrap();
                reader.until_tree(&estate.read().await).await;
            }
            let all_by_audits = 9 * Duration::from_secs(3);
            assert!(began.elapsed() < all_by_audits, "{:?}", began.elapsed());

            // And over the next session too.
            let address = zookeeper.address();
            drop((estate, owner));
            zookeeper.kill();
            reader.until_says("Connection refused").await;
            zookeeper.start_again().await;
            reader.until_live().await;
            assert_eq!(address, zookeeper.address());
            zookeeper.stop().await;
        }
    });
}

/// An interface whose very directory is withheld.
#[test]
fn an_interface_of_others_is_found_by_the_audit() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        let owner = owner(&zookeeper).await;
        estate.add(ORDERS, &url(ORDERS, "10.0.0.1", 100, 1)).await;
        let mut reader = Reader::live(&format!("{}?audit-interval=1s", zookeeper.registry())).await;
        create_only(&owner, &format!("/dubbo/{STOCK}"), b"", Acls::creator_all()).await;
        let providers = format!("/dubbo/{STOCK}/providers");
        create_only(&owner, &providers, b"", Acls::creator_all()).await;
        reader
            .until("the forbidden interface", |r| match r.unreadable.len() {
                1 => Ok(()),
                n => Err(format!("{n} unreadable")),
            })
            .await;
        assert!(reader.unreadable.contains_key(STOCK));
    });
}

#[test]
fn tls_with_and_without_a_certificate_of_ours() {
    isolated(async || {
        let authority = Authority::new("tests");
        let file = |name: &str, text: &str| {
            let path = work_dir().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let mine = authority.issue(&["client"]);
        let ca = file("ca.pem", &authority.pem);
        let (cert, key) = (file("cert.pem", &mine.pem), file("key.pem", &mine.key));
        let foreign = file("foreign.pem", &Authority::new("others").pem);
        let settings = ZooKeeperSettings::new(ZooKeeperVersion::V3_9).tls(&authority, "need");
        let zookeeper = settings.start().await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        estate.add(ORDERS, &url(ORDERS, "10.0.0.1", 100, 1)).await;

        let url = format!("zookeeper://{}?tls=true", zookeeper.tls_address());
        let began = Instant::now();
        let mut reader = Reader::live(&format!(
            "{url}&ca-file={ca}&cert-file={cert}&key-file={key}"
        ))
        .await;
        assert!(began.elapsed() < LIMIT);
        estate
            .add(ORDERS, &super::estate::url(ORDERS, "10.0.0.2", 100, 1))
            .await;
        reader.until_tree(&estate.read().await).await;

        for bad in [
            format!("{url}&ca-file={ca}"),
            format!("{url}&ca-file={foreign}&cert-file={cert}&key-file={key}"),
            format!("zookeeper://{}?tls=true&ca-file={ca}", zookeeper.address()),
        ] {
            let mut refused = Reader::start(&bad);
            refused.until_says("gives no session over TLS").await;
        }
        let mut unread = Reader::start(&format!("{url}&ca-file=/nowhere/ca.pem"));
        unread.until_says("cannot read /nowhere/ca.pem").await;
    });
}
