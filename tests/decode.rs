//! `dubbo-mesh decode` against tcpdump and real consumers and providers: what a capture of their
//! calls says is what they were asked and what they answered.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::{
    ConsumerSettings, DubboVersion, Process, ProviderSettings, Service, Signal, dubbo_mesh,
    fresh_dir, isolated, wait_until,
};

/// Longer than any of this takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// `tcpdump` on loopback, until it is told to stop.
struct Tcpdump {
    process: Process,
    file: String,
}

impl Tcpdump {
    async fn start(arguments: &[&str]) -> Self {
        let dir = fresh_dir("tcpdump");
        let file = dir.join("capture").to_str().unwrap().to_owned();
        let mut command = Command::new("tcpdump");
        command
            .args(["-U", "-Z", "root", "-w", &file])
            .args(arguments)
            .args(["tcp", "port", "20880"]);
        let mut process = Process::spawn(&dir, &mut command);
        let listens = |line: &str| line.contains("listening on");
        process.wait_for_line(0, SOON, listens).await;
        Self { process, file }
    }

    /// Ends it, and returns what is printed of its capture, with how `decode` ended.
    async fn decoded(mut self) -> (Vec<Value>, Option<i32>) {
        // It writes each packet as it comes, and a moment after the peers have it.
        wait_until("the last answer", SOON, async || {
            let (objects, status) = decode(&self.file);
            let is_last = |object: &&Value| object["method"] == "fail";
            match responses(&objects).iter().any(is_last) {
                true => Ok(()),
                false => Err(format!("{status:?}, {} frames", objects.len())),
            }
        })
        .await;
        self.process.signal(Signal::INT);
        self.process.wait(SOON).await;
        decode(&self.file)
    }
}

fn decode(file: &str) -> (Vec<Value>, Option<i32>) {
    let output = dubbo_mesh(&["decode", "--output", "json", file]);
    let text = String::from_utf8(output.stdout).unwrap();
    let objects = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (objects.collect(), output.status.code())
}

/// Calls, and what the consumer itself printed of each.
async fn calls(version: DubboVersion, url: &str) -> Vec<String> {
    let mut consumer = ConsumerSettings::new(version, "N/A", "com.acme.Greeter")
        .set("reference.url", url)
        .set("reference.group", "gray")
        .set("reference.version", "1.0.0")
        .start()
        .await;
    let mut answers = Vec::new();
    for call in [
        "greet Wörld😀",
        "sleep 300",
        "attachments x color=blue",
        "fail because",
    ] {
        answers.push(consumer.call(call).await);
    }
    answers
}

fn responses(objects: &[Value]) -> Vec<&Value> {
    let is_call = |object: &&Value| object["kind"] == "response" && object.get("event").is_none();
    objects.iter().filter(is_call).collect()
}

async fn says_what_happened(version: DubboVersion, link: &[&str], serialization: &str) {
    let provider = ProviderSettings::new(version, "N/A")
        .protocol("dubbo", 20880)
        .service(
            Service::new("com.acme.Greeter")
                .set("group", "gray")
                .set("version", "1.0.0"),
        )
        .start()
        .await;
    let tcpdump = Tcpdump::start(link).await;
    let url = format!(
        "dubbo://127.0.0.1:20880/com.acme.Greeter?serialization={serialization}&prefer.serialization={serialization}"
    );
    let answers = calls(version, &url).await;
    let (objects, status) = tcpdump.decoded().await;
    let name = format!("{version:?} {link:?}: {objects:#?}");
    assert_eq!(status, Some(0), "{name}");
    let requests: Vec<_> = objects
        .iter()
        .filter(|object| object["kind"] == "request" && object.get("event").is_none())
        .collect();
    let asked = [
        ("greet", json!("Wörld😀")),
        ("sleep", json!(300)),
        ("attachments", json!(null)),
        ("fail", json!("because")),
    ];
    assert_eq!(requests.len(), asked.len(), "{name}");
    for (request, (method, argument)) in requests.iter().zip(&asked) {
        assert_eq!(request["interface"], "com.acme.Greeter", "{name}");
        assert_eq!(
            (&request["group"], &request["version"]),
            (&json!("gray"), &json!("1.0.0"))
        );
        assert_eq!(request["method"], *method, "{name}");
        let arguments = if argument.is_null() {
            json!([])
        } else {
            json!([argument])
        };
        assert_eq!(request["arguments"], arguments, "{name}");
        assert_eq!(request["serialization"], serialization, "{name}");
        assert_eq!(request["connection"]["server"], "127.0.0.1:20880", "{name}");
        assert_eq!(request["direction"], "toServer", "{name}");
    }
    assert_eq!(requests[2]["attachments"]["color"], "blue", "{name}");
    let responses = responses(&objects);
    for ((response, answer), (method, _)) in responses.iter().zip(&answers).zip(&asked) {
        assert_eq!(response["method"], *method, "{name}");
        match answer.strip_prefix("RESULT ") {
            Some(map) if *method == "attachments" => {
                assert!(map.contains("color=blue"), "{map}");
                assert_eq!(response["value"]["color"], "blue", "{name}");
            }
            Some(text) => assert_eq!(response["value"], text, "{name}"),
            None => {
                let class = response["exception"]["class"].as_str().unwrap();
                assert!(
                    answer.starts_with(&format!("THROWN {class}: ")),
                    "{answer} {name}"
                );
            }
        }
    }
    assert_eq!(responses.len(), asked.len(), "{name}");
    let elapsed = responses[1]["elapsedMs"].as_f64().unwrap();
    assert!((300.0..5000.0).contains(&elapsed), "{elapsed}");
    provider.kill();
}

#[test]
fn a_capture_says_what_dubbo_2_6_was_asked_and_answered() {
    isolated(async || says_what_happened(DubboVersion::V2_6, &["-i", "lo"], "hessian2").await);
}

#[test]
fn a_capture_says_what_dubbo_2_7_was_asked_and_answered() {
    let cooked = ["-i", "any", "-y", "LINUX_SLL"];
    isolated(async || says_what_happened(DubboVersion::V2_7, &cooked, "hessian2").await);
}

#[test]
fn a_capture_says_what_dubbo_3_2_was_asked_and_answered() {
    isolated(async || says_what_happened(DubboVersion::V3_2, &["-i", "any"], "fastjson2").await);
}

#[test]
fn a_capture_says_what_dubbo_3_3_was_asked_and_answered() {
    isolated(async || says_what_happened(DubboVersion::V3_3, &["-i", "lo"], "hessian2").await);
}
