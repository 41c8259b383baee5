//! The oracles as processes: one line in, one line out.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use support::installed;

/// A running oracle.
pub(super) struct Oracle {
    process: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// hessian-lite 3.2.13 and 4.0.4, by the versions of Dubbo that bring them.
pub(super) fn hessian_lite() -> [Oracle; 2] {
    ["dubbo-2.7.23", "dubbo-3.3.6"].map(|dubbo| Oracle::java("HessianOracle", dubbo))
}

impl Oracle {
    /// `js/oracle.js` with hessian.js.
    pub(super) fn hessian_js() -> Self {
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("oracle/js/oracle.js");
        Self::start(
            Command::new("node")
                .env("NODE_PATH", installed("hessian-js-2.11.0"))
                .arg(program),
        )
    }

    /// `go/main.go` with a version of dubbo-go-hessian2.
    pub(super) fn hessian_go(version: &str) -> Self {
        let program = installed(&format!("dubbo-go-hessian2-{version}"));
        Self::start(&mut Command::new(program))
    }

    /// Compiles a program of `java/` against a version of Dubbo and starts it.
    pub(super) fn java(program: &str, dubbo: &str) -> Self {
        let classpath = installed(dubbo);
        let source =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("oracle/java/{program}.java"));
        // Tests of one binary run side by side, each with a directory of its own.
        let id = format!("{program}-{dubbo}-{:?}", std::thread::current().id());
        let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join("oracle")
            .join(id);
        std::fs::create_dir_all(&out).expect("a directory for classes");
        let javac = Command::new("javac")
            .args(["-nowarn", "-Xlint:none", "-cp", classpath, "-d"])
            .args([&out, &source])
            .output()
            .expect("javac");
        assert!(
            javac.status.success(),
            "{}",
            String::from_utf8_lossy(&javac.stderr)
        );
        let mut command = Command::new("java");
        command
            .args([
                "-Xmx512m",
                "-Xss2m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
            ])
            .args(
                ["java.lang", "java.util", "java.math"]
                    .iter()
                    .flat_map(|package| {
                        [
                            "--add-opens".to_owned(),
                            format!("java.base/{package}=ALL-UNNAMED"),
                        ]
                    }),
            )
            .arg("-cp")
            .arg(format!("{}:{classpath}", out.display()))
            .arg(program);
        Self::start(&mut command)
    }

    fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the oracle starts");
        let input = BufWriter::new(process.stdin.take().expect("a pipe"));
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        Self {
            process,
            input,
            output,
        }
    }

    /// Asks one question; an error of the library is an error.
    pub(super) fn ask(&mut self, what: char, bytes: &[u8]) -> Result<String, String> {
        writeln!(self.input, "{what} {}", super::recorded::hex(bytes)).expect("the oracle listens");
        self.input.flush().expect("the oracle listens");
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("the oracle answers");
        let line = line.trim_end_matches('\n');
        match line.split_once(' ').unwrap_or((line, "")) {
            ("OK", answer) => Ok(answer.into()),
            ("ERR", error) => Err(error.into()),
            _ => panic!("the oracle said {line:?}"),
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
