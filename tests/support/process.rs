//! A server's process: its log, its standard input, its end.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::wait::wait_until;

/// Longer than a signal takes to arrive.
const STANDS_STILL: Duration = Duration::from_secs(10);

/// A process in a group of its own whose output goes to `log` in its directory.
/// It is killed when dropped, and if that is because the test fails, the end of
/// its log is printed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` for the server that keeps its files in `dir`.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn spawn(dir: &Path, command: &mut Command) -> Self {
        let name = dir
            .file_name()
            .expect("a named directory")
            .to_string_lossy()
            .into_owned();
        let log = dir.join("log");
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        // An Envoy that is another user opens its own output again, by name, for its access log.
        file.set_permissions(fs::Permissions::from_mode(0o666))
            .expect("a log file of our own");
        let child = command
            .stdin(Stdio::piped())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        Self { name, child, log }
    }

    /// All that it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("a log file")).into_owned()
    }

    /// How many bytes it has printed.
    ///
    /// # Panics
    /// If its log is gone.
    #[must_use]
    pub fn printed(&self) -> u64 {
        fs::metadata(&self.log).expect("a log file").len()
    }

    /// What it has printed after the first `skip` bytes: of a long log the end alone is read.
    pub(crate) fn log_after(&self, skip: u64) -> String {
        let mut log = fs::File::open(&self.log).expect("a log file");
        let mut bytes = Vec::new();
        log.seek(SeekFrom::Start(skip)).expect("a log file");
        log.read_to_end(&mut bytes).expect("a log file");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its name, which is unique in the test.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, inside of the test's namespace.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to it and its children, e.g. STOP and CONT. After STOP it stands still, with
    /// all of its threads: on another processor they go on for a moment.
    pub fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(self.child.id().cast_signed()).expect("a process id");
        // An error says that the process has ended, which is for the caller to see.
        let sent = kill_process_group(group, signal);
        let began = Instant::now();
        while signal == Signal::STOP
            && sent.is_ok()
            && !self.stands_still()
            && began.elapsed() < STANDS_STILL
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether all of its threads are stopped, by proc(5).
    fn stands_still(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id()));
        threads.is_ok_and(|threads| {
            threads.flatten().all(|thread| {
                let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
                // The name before it may have any character in it.
                stat.rsplit_once(") ")
                    .is_some_and(|(_, rest)| rest.starts_with('T'))
            })
        })
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// After `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait_until(&what, limit, async || {
            self.ended().ok_or_else(|| "it runs".to_owned())
        })
        .await
    }

    /// SIGTERM, and waits for its end.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(limit).await
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("the end of a child");
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// If it no longer reads.
    pub fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Probes as [`wait_until`] does, but fails at once when the process ends.
    pub async fn wait_until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut probe: impl AsyncFnMut(&mut Self) -> Result<T, String>,
    ) -> T {
        let what = format!("{}: {what}", self.name);
        wait_until(&what, limit, async || {
            if let Some(status) = self.ended() {
                panic!("{what}: but it ended with {status}");
            }
            probe(self).await
        })
        .await
    }

    /// Waits for a line of the log after the first `skip` bytes of it, and
    /// returns the line.
    pub async fn wait_for_line(
        &mut self,
        skip: u64,
        limit: Duration,
        fits: impl Fn(&str) -> bool,
    ) -> String {
        self.wait_until("a line of its log", limit, async |process| {
            let log = process.log_after(skip);
            let complete = log.rfind('\n').map_or("", |end| &log[..end]);
            let mut lines = complete.lines();
            lines
                .find(|line| fits(line))
                .map(str::to_owned)
                .ok_or_else(|| log.lines().last().unwrap_or("").to_owned())
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
        if std::thread::panicking() {
            print_tail(&self.name, &self.log);
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the reader of a failed test wants the servers' last words"
)]
fn print_tail(name: &str, log: &Path) {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    eprintln!("---- the end of {}", log.display());
    for line in &lines[lines.len().saturating_sub(30)..] {
        eprintln!("{name}: {}", line.chars().take(400).collect::<String>());
    }
}
