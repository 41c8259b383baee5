//! From the start of the process to the first complete answer at a client, beside the time in which
//! a bare program lists the same tree. By turns, so that both have the same machine.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::mesh::Mesh;
use crate::registry::Registry;
use crate::table::Row;
use dubbo_mesh_benches::{Summary, megabytes, say};

/// At most so many times what the bare program needs.
const FACTOR: u32 = 2;

pub(crate) async fn run(registry: &Registry, rounds: usize) -> Row {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let (mut sent, mut listed) = (0, 0);
    for round in 0..rounds {
        let (took, bytes) = serve(registry, round == 0).await;
        ours.push(took);
        sent = bytes;
        let (took, bytes) = list(registry);
        bare.push(took);
        listed = bytes;
        say(&format!(
            "first answer, round {}: {:?}, bare list {:?}",
            round + 1,
            ours[round],
            bare[round]
        ));
    }
    let (ours, bare) = (Summary::of(ours), Summary::of(bare));
    let ratio = ours.median().as_secs_f64() / bare.median().as_secs_f64();
    Row {
        what: format!(
            "process start to first complete answer, {}",
            registry.tree.size.name
        ),
        measured: format!("{ours} = {ratio:.2} x"),
        bound: format!("{FACTOR} x {bare}"),
        met: ours.median() <= FACTOR * bare.median(),
        note: format!(
            "the bare program lists {} of names, 128 requests under way, from its start to its last \
             answer; the answer has {}; by turns",
            megabytes(listed),
            megabytes(sent)
        ),
    }
}

async fn serve(registry: &Registry, thorough: bool) -> (Duration, u64) {
    let mesh = Mesh::start(&registry.url(), 0);
    let mut client = mesh.client().await;
    let answer = client.answer().await;
    let took = mesh.started.elapsed();
    assert_eq!(answer.resources, registry.tree.size.interfaces);
    if thorough {
        assert_eq!(answer.endpoint_count(), registry.tree.len());
    }
    client.acknowledge(&answer);
    mesh.stop().await;
    (took, answer.bytes.len() as u64)
}

/// The time, and how many bytes of names there were.
fn list(registry: &Registry) -> (Duration, u64) {
    let (server, root) = (registry.server.to_string(), registry.tree.root());
    let program = std::env::current_exe().expect("the path of this program");
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(["bare-list", &server, root])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again");
    let output = child.stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .expect("its result");
    let took = began.elapsed();
    assert!(child.wait().expect("its end").success());
    let (count, bytes) = line.trim().split_once(' ').expect("two numbers");
    assert_eq!(count, registry.tree.len().to_string());
    (took, bytes.parse().expect("a number"))
}
