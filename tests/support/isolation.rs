//! A test in a process of its own, with its own network, processes and mounts.
//!
//! Dubbo registers the address of a network interface and refuses 127.0.0.1 as
//! soon as there is another one; istiod, ZooKeeper and Envoy want their fixed
//! ports. So the test binary starts itself again, for this one test, inside
//! fresh Linux namespaces where only `lo` exists:
//!
//! ```text
//! cargo test ── test binary ── setpriv, unshare ── sh ── test binary --exact NAME
//!                    │            (dies with us)            ├── ZooKeeper
//!                    └── waits, prints the output,           ├── istiod, Envoy …
//!                        fails if the inner run failed       (all die with sh)
//! ```
//!
//! The process namespace is what ends every server when the test ends, however
//! it ends: on success, panic, time-out, or a kill of `cargo test`.
//! Needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Tells the inner run that it is the inner run, and its directory.
const WORK_DIR: &str = "DUBBO_MESH_TEST_DIR";

/// The limit of [`isolated`]: long, because a test that hangs is rare and a
/// slow machine is not.
const LIMIT: Duration = Duration::from_secs(600);

/// Prepares the namespaces; `$@` is the inner run. Not `exec`: this shell is
/// process 1 of its namespace, and when it ends the kernel kills the rest.
/// `/run/netns` and `/mnt` become the test's own, see `network.rs`, `envoy.rs`; `/dev/shm` too,
/// since an Envoy that is killed leaves there what it shares with a successor.
/// The name server is one that refuses at once: Java asks for the names of
/// addresses, and would wait for one that cannot be reached. Ctrl-C is for the outer run.
const PREPARE: &str = "set -e; PATH=$PATH:/usr/sbin:/sbin; trap '' INT
mkdir -p /run/netns /mnt
mount -t tmpfs tmpfs /run/netns; mount -t tmpfs tmpfs /mnt
[ ! -d /dev/shm ] || mount -t tmpfs tmpfs /dev/shm
echo nameserver 127.0.0.1 >/mnt/resolv.conf
[ ! -e /etc/resolv.conf ] || mount --bind /mnt/resolv.conf /etc/resolv.conf
ip link set lo up
set +e; \"$@\"; exit $?";

/// Runs the body of a test alone, see the module's description.
///
/// Call it in a `#[test]` function, directly and as the only thing: the name of
/// the test is taken from the closure's type.
///
/// # Panics
/// If the inner run fails, or takes more than ten minutes.
pub fn isolated<F: AsyncFnOnce()>(body: F) {
    isolated_for(LIMIT, body);
}

/// [`isolated`] with a limit of its own, for a test that is known to be long.
pub fn isolated_for<F: AsyncFnOnce()>(limit: Duration, body: F) {
    if is_alone() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for the test");
        // On this thread and not on a worker's, so that the servers that the
        // body starts have a parent thread that lives as long as they do.
        runtime.block_on(body());
    } else {
        run_again(&name_of(&body), limit);
    }
}

/// Where the test that is running keeps its files.
///
/// # Panics
/// Outside of [`isolated`].
#[must_use]
pub fn work_dir() -> PathBuf {
    std::env::var_os(WORK_DIR)
        .expect("servers are started inside of isolated()")
        .into()
}

/// A new directory in [`work_dir`] for one server: `name`, or `name-2`, …
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn fresh_dir(name: &str) -> PathBuf {
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
    let mut dirs = names.map(|name| work_dir().join(name));
    let dir = dirs
        .find(|dir| !dir.exists())
        .expect("an endless list of names");
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Cargo's target directory of this build, with the profile's directory in it.
///
/// # Panics
/// If the binary is not where Cargo puts it: tests in `deps`, programs beside it.
#[must_use]
pub fn target_dir() -> (PathBuf, PathBuf) {
    let binary = std::env::current_exe().expect("the path of the binary");
    let profile = binary
        .ancestors()
        .skip(1)
        .find(|dir| !dir.ends_with("deps"))
        .expect("target/PROFILE[/deps]/BINARY")
        .to_path_buf();
    (
        profile.parent().expect("target/PROFILE").to_path_buf(),
        profile,
    )
}

/// The name that libtest knows the test by: `crate::module::test::{{closure}}`
/// without its ends. If it were wrong, the inner run would run no test, and
/// that is an error.
fn name_of<F>(_: &F) -> String {
    let whole = std::any::type_name::<F>();
    let inner = whole.split_once("::").map_or(whole, |(_, inner)| inner);
    inner
        .split("::{{closure}}")
        .next()
        .unwrap_or(inner)
        .to_owned()
}

/// This binary, to be run in namespaces of its own, with its files in `dir`:
/// there [`work_dir`] is `dir`.
///
/// # Panics
/// If the path of this binary is not known.
#[must_use]
pub fn alone(dir: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "--mount",
            "--mount-proc",
        ])
        .args([
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--",
            "sh",
            "-c",
            PREPARE,
            "sh",
        ])
        .arg(std::env::current_exe().expect("the path of the binary"))
        .env(WORK_DIR, dir);
    command
}

/// Whether this is the process that [`alone`] has started.
#[must_use]
pub fn is_alone() -> bool {
    std::env::var_os(WORK_DIR).is_some()
}

fn run_again(test: &str, limit: Duration) {
    let dir = target_dir()
        .0
        .join("tmp/real")
        .join(test.replace("::", "/"));
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            panic!("{}: {error}", dir.display())
        }
        _ => fs::create_dir_all(&dir).expect("the directory of the test"),
    }
    let (ended, output) = run_inner(test, &dir, limit);
    print_captured(&output);
    assert!(
        ended.as_ref().is_ok_and(|success| *success)
            && output.contains("test result: ok. 1 passed"),
        "{test} failed in its namespace ({}); its files are in {}",
        ended.map_or_else(|reason| reason, |_| "see its output above".to_owned()),
        dir.display(),
    );
}

/// Whether the inner run ended well, or why it did not end; and its output.
fn run_inner(test: &str, dir: &Path, limit: Duration) -> (Result<bool, String>, String) {
    let out = dir.join("output");
    let file = fs::File::create(&out).expect("the output of the test");
    let mut child = alone(dir)
        .args([
            "--exact",
            test,
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ])
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a second handle"))
        .stderr(file)
        .spawn()
        .expect("setpriv of util-linux");
    let began = Instant::now();
    let ended = loop {
        match child.try_wait().expect("the state of the inner run") {
            Some(status) => break Ok(status.success()),
            None if began.elapsed() > limit => {
                child.kill().expect("to end the inner run");
                child.wait().expect("the end of the inner run");
                break Err(format!("not finished after {limit:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    (
        ended,
        fs::read_to_string(&out).expect("the output of the test"),
    )
}

#[expect(
    clippy::print_stdout,
    reason = "this is how libtest gets the output of the inner run"
)]
fn print_captured(output: &str) {
    print!("{output}");
}
