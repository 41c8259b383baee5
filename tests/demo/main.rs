//! A gray release of unmodified Dubbo applications, shown: see `./demo --help` in the root.
//!
//! ```text
//! steps (data) ─→ play ─→ stage (servers)
//!                   └──→ tally ─→ show (terminal)
//! ```
//!
//! It runs itself again in namespaces of its own, as the tests do: every server has its usual port,
//! nothing reaches the network, and when the inner process ends, so does everything else. Of Ctrl-C
//! the outer process alone knows, and ends the inner one: nothing inside shall die first, and be missed.

mod play;
mod show;
mod stage;
mod steps;
mod tally;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ExitCode};
use std::time::Duration;

use support::{alone, dubbo_mesh, is_alone, module_dir, target_dir, work_dir};
use tokio::signal::ctrl_c;
use tokio::time::{Instant, sleep};

use crate::play::Play;
use crate::show::Show;
use crate::stage::Stage;

/// A step showed something else.
const MISSED: u8 = 1;
/// It could not run.
const BROKEN: u8 = 2;
/// The same, as the inner process says it: what could not even start it ends with 1.
const MISSED_INSIDE: u8 = 3;
/// As of a shell command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let unattended = std::env::args().any(|argument| argument == "--once");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    // On this thread, which lives as long as the servers that it starts.
    let code = runtime.block_on(async {
        match is_alone() {
            true => shown(unattended).await,
            false => outside(unattended).await,
        }
    });
    // A thread may still wait for a line of the terminal.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Starts the inner process, and sees to it that it ends.
async fn outside(unattended: bool) -> u8 {
    let dir = target_dir().0.join("tmp/demo");
    let _lock = match prepared(&dir) {
        Ok(lock) => lock,
        Err(error) => return end(BROKEN, &format!("{}: {error}", dir.display())),
    };
    let mut command = alone(&dir);
    command.args(unattended.then_some("--once"));
    let mut inner = match command.spawn() {
        Ok(inner) => inner,
        Err(error) => return end(BROKEN, &format!("setpriv: {error}")),
    };
    let code = tokio::select! {
        code = ended(&mut inner) => code,
        _ = ctrl_c() => {
            // With it the kernel ends everything inside.
            let _ = inner.kill();
            ended(&mut inner).await;
            INTERRUPTED
        }
    };
    let logs = format!("the logs are in {}/<server>/log", dir.display());
    match code {
        0 => end(code, &format!("everything has ended; {logs}")),
        MISSED_INSIDE => end(MISSED, &format!("everything has ended; {logs}")),
        INTERRUPTED => end(
            code,
            &format!("interrupted, and everything has ended; {logs}"),
        ),
        _ => end(BROKEN, &format!("it could not run, see above; {logs}")),
    }
}

/// An empty directory, and what keeps a second demo out of it.
fn prepared(dir: &Path) -> std::io::Result<fs::File> {
    fs::create_dir_all(dir)?;
    let lock = fs::File::create(dir.with_extension("lock"))?;
    if lock.try_lock().is_err() {
        return Err(std::io::Error::other("another demo is running here"));
    }
    fs::remove_dir_all(dir)?;
    fs::create_dir(dir)?;
    Ok(lock)
}

/// Its exit status; [`BROKEN`] if a signal ended it.
async fn ended(inner: &mut Child) -> u8 {
    loop {
        match inner.try_wait() {
            Ok(None) => sleep(Duration::from_millis(50)).await,
            Ok(Some(status)) => {
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                return code.unwrap_or(BROKEN);
            }
            Err(_) => return BROKEN,
        }
    }
}

fn end(code: u8, text: &str) -> u8 {
    // Nobody is left to hear of an error.
    let _ = writeln!(std::io::stderr(), "\ndemo: {text}");
    code
}

async fn shown(unattended: bool) -> u8 {
    let began = Instant::now();
    let show = Show::new();
    // Built, if need be, before anything waits for it.
    assert!(dubbo_mesh(&["--version"]).status.success(), "dubbo-mesh");
    assert!(module_dir().is_dir(), "our module");
    show.title("What runs here");
    show.line(format!(
        "All in namespaces of its own. Each has a directory, with its log, in\n  {}\n",
        work_dir().display()
    ));
    let stage = Stage::set(&show).await;
    let mut play = Play::new(stage, show, unattended);
    let missed = play.all().await.to_vec();
    let show = Show::new();
    show.title(match missed.is_empty() {
        true => format!(
            "Every step showed what it should ({} s)",
            began.elapsed().as_secs()
        ),
        false => format!("NOT AS EXPECTED:\n  {}", missed.join("\n  ")),
    });
    play.go_on().await;
    if missed.is_empty() { 0 } else { MISSED_INSIDE }
}
