//! The text, and a file that changes under a reader.

use std::fs;

use futures::StreamExt;
use tokio::time::timeout;

use super::*;
use crate::provider::Reading;
use crate::source::SourceConfig;

const LIMIT: Duration = Duration::from_secs(20);

fn read(text: &str) -> Result<Vec<String>, String> {
    let reading = Reading { labels: [].into() };
    let lists = lists(text, "providers.yaml", &reading)?;
    let show = |list: ProviderList| {
        let providers = list.providers.iter().map(|p| format!(" {}", p.id));
        let rejected = list.rejected.iter().map(|r| format!(" !{r}"));
        list.list.to_string() + &providers.chain(rejected).collect::<String>()
    };
    Ok(lists.into_values().map(show).collect())
}

#[test]
fn a_list_at_the_top_or_under_providers() {
    let expected = [
        "com.acme.Orders dubbo://10.0.0.1:20880/gray/com.acme.Orders:1.0.0 \
         tri://orders.example.com:50051/com.acme.Orders",
        "com.acme.Stock dubbo://10.0.0.1:20880/com.acme.Stock",
        "providers.yaml !what is this: no scheme:// at the beginning",
    ];
    let list = "
# the shop
- dubbo://10.0.0.1:20880/com.acme.Orders?version=1.0.0&group=gray   # and a comment
- 'tri://orders.example.com:50051/com.acme.Orders'
- dubbo://10.0.0.1:20880/com.acme.Stock
- what is this
";
    assert_eq!(read(list).unwrap(), expected);
    let nested = format!("providers:\n{}", list.replace("\n- ", "\n  - "));
    assert_eq!(read(&nested).unwrap(), expected);
    for nothing in ["[]", "providers: []", "# nobody yet\n[]\n"] {
        assert_eq!(read(nothing).unwrap(), [] as [String; 0], "{nothing}");
    }
}

#[test]
fn what_is_no_list_is_an_error_with_its_place() {
    for (text, place) in [
        ("", ""),
        ("# only a comment\n", ""),
        ("providers:\n", ""),
        (
            "just text",
            "invalid type: string \"just text\", expected a list",
        ),
        ("- a\n- [b]\n", "line 2, column 3: "),
        ("- a\n- b: c\n", "line 2, column 3: "),
        (
            "provider:\n- a\n",
            "line 1, column 1: unknown field `provider`, expected one of providers",
        ),
        ("- a\n- 'b\n", "line 2, column "),
        ("- \"a\n", "line "),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.starts_with(place), "{text:?}: {error}");
        assert!(!error.is_empty());
    }
}

struct Watched {
    dir: PathBuf,
    events: futures::stream::BoxStream<'static, Event>,
}

impl Watched {
    fn new(test: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("dubbo-mesh-{test}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("providers.yaml");
        let config = SourceConfig::File(Config { path });
        let reading = Reading { labels: [].into() };
        Self {
            dir,
            events: crate::watch(config, reading).boxed(),
        }
    }

    /// As editors and deployments do: another file, renamed.
    fn replace(&self, text: &str) {
        fs::write(self.dir.join("new"), text).unwrap();
        fs::rename(self.dir.join("new"), self.dir.join("providers.yaml")).unwrap();
    }

    async fn says(&mut self, expected: &[&str]) {
        for expected in expected {
            let event = timeout(LIMIT, self.events.next())
                .await
                .expect(expected)
                .unwrap();
            let said = match event.news {
                News::State(SourceState::Connecting(why)) => format!("connecting: {why}"),
                News::State(SourceState::Stale(why)) => format!("stale: {why}"),
                News::Providers(list) => format!("{} {}", list.list, list.providers.len()),
                news => format!("{news:?}"),
            };
            assert!(said.starts_with(expected), "{said}, not {expected}");
        }
    }

    async fn says_no_more(&mut self) {
        let silence = timeout(3 * LOOK, self.events.next()).await;
        assert!(silence.is_err(), "{silence:?}");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.dir).unwrap();
    }
}

#[tokio::test]
async fn a_file_is_followed_and_a_bad_one_removes_nothing() {
    let mut file = Watched::new("follow");
    file.says(&["connecting: No such file or directory"]).await;
    file.replace("- dubbo://10.0.0.1:1/A\n- dubbo://10.0.0.1:1/B\n- dubbo://10.0.0.2:1/B\n");
    file.says(&["Restarted", "A 1", "B 2", "Synced", "State(Live)"])
        .await;

    file.replace("- dubbo://10.0.0.1:1/A\n- dubbo://10.0.0.1:1/B\n- dubbo://10.0.0.1:1/C\n");
    file.says(&["B 1", "C 1"]).await;
    // The same again, in another order of lists and as another file.
    file.replace("- dubbo://10.0.0.1:1/C\n- dubbo://10.0.0.1:1/A\n- dubbo://10.0.0.1:1/B\n");
    file.says_no_more().await;

    file.replace("- dubbo://10.0.0.1:1/C\n- [");
    file.says(&["stale: line 2, column "]).await;
    fs::remove_file(file.dir.join("providers.yaml")).unwrap();
    file.says(&["stale: No such file or directory"]).await;
    file.replace("");
    file.says(&["stale: "]).await;
    file.replace("[]");
    file.says(&["Restarted", "Synced", "State(Live)"]).await;
    fs::write(file.dir.join("providers.yaml"), "- dubbo://10.0.0.1:1/A\n").unwrap();
    file.says(&["A 1"]).await;
    file.replace("[]");
    file.says(&["A 0"]).await;
}
