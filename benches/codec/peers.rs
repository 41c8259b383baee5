//! The peers: programs that are given the samples and print what they measured.
//!
//! ```text
//! PROGRAM FILE     FILE: a sample a line, name TAB hexadecimal frame
//!                  stdout: row TAB sample TAB nanoseconds, for the rows that it has
//! ```
//! `index` is the cheapest way that a peer has to reach the attachments, `decode` all values as its
//! caller gets them, `encode` a body from those.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::said;
use crate::samples::Sample;

/// The library of Dubbo 3.3.
pub(crate) const HESSIAN_LITE: &str = "hessian-lite";

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// A peer that is built and not yet run.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Version, compiler, virtual machine.
    pub(crate) made_by: String,
    command: Command,
}

/// A peer and what it measured.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    times: Vec<(String, String, f64)>,
}

pub(crate) fn build(samples: &[Sample]) -> Vec<Program> {
    let out = Path::new(HERE).join("../../target/codec-peers");
    std::fs::create_dir_all(&out).expect("a directory for peers");
    let file = out.join("samples.tsv");
    let text = samples.iter().fold(String::new(), |mut text, sample| {
        text += sample.name;
        text.push('\t');
        sample.frame.iter().for_each(|byte| {
            let _ = write!(text, "{byte:02x}");
        });
        text + "\n"
    });
    std::fs::write(&file, text).expect("the file of samples");
    let mut programs = vec![
        java(&out),
        go(&out, "go 1.10.2", "mosn"),
        go(&out, "go 1.12.5", "fresh"),
        rust(&out),
    ];
    for program in &mut programs {
        program.command.arg(&file);
    }
    programs
}

/// hessian-lite 4.0.4 in a warm virtual machine.
fn java(out: &Path) -> Program {
    let setup = PathBuf::from(HERE).join("../../tests/setup");
    done(Command::new(&setup).arg("dubbo-3.3.6"));
    let paths = done(Command::new(&setup).arg("--paths"));
    let path = paths
        .lines()
        .find_map(|line| line.strip_prefix("dubbo-3.3.6\t"));
    let path = path.and_then(|rest| rest.split('\t').next());
    let path = path.expect("tests/setup knows dubbo-3.3.6");
    let classes = out.join("java");
    std::fs::create_dir_all(&classes).expect("a directory for classes");
    let source = Path::new(HERE).join("java/HessianPeer.java");
    done(
        Command::new("javac")
            .args(["-nowarn", "-cp", path, "-d"])
            .args([&classes, &source]),
    );
    let mut command = Command::new("java");
    command.args(["-Xms1g", "-Xmx1g", "-XX:+UseParallelGC"]);
    for package in ["lang", "util", "math"] {
        command.arg("--add-opens");
        command.arg(format!("java.base/java.{package}=ALL-UNNAMED"));
    }
    command
        .arg("-cp")
        .arg(format!("{}:{path}", classes.display()));
    command.arg("com.acme.orders.HessianPeer");
    Program {
        name: HESSIAN_LITE,
        made_by: format!("4.0.4, {}", said(Command::new("java").arg("-version"))),
        command,
    }
}

/// A version of dubbo-go-hessian2. `mosn`: with the pools of decoders of MOSN, which stays with 1.10.2
/// for their sake; `fresh`: a decoder for each frame.
fn go(out: &Path, name: &'static str, way: &str) -> Program {
    let source = Path::new(HERE).join("go");
    let version = &name[3..];
    let program = out.join(name.replace(' ', "-"));
    let mut build = Command::new("go");
    build.current_dir(&source).args(["build", "-mod=readonly"]);
    build.arg(format!("-modfile=v{version}.mod"));
    done(build.arg("-o").arg(&program).arg("."));
    let mut command = Command::new(program);
    command.arg(way);
    Program {
        name,
        made_by: format!(
            "dubbo-go-hessian2 {version}, {way}, {}",
            said(Command::new("go").arg("version"))
        ),
        command,
    }
}

/// The crate `hessian_rs`, whose licence (GPL) keeps it in a program and a lock file of its own.
fn rust(out: &Path) -> Program {
    let manifest = Path::new(HERE).join("hessian-rs/Cargo.toml");
    let target = out.join("hessian-rs");
    let mut build = Command::new("cargo");
    build.args([
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--manifest-path",
    ]);
    done(build.arg(manifest).arg("--target-dir").arg(&target));
    Program {
        name: "hessian_rs",
        made_by: format!(
            "0.0.4-rc3, {}",
            said(Command::new("rustc").arg("--version"))
        ),
        command: Command::new(target.join("release/hessian-rs-peer")),
    }
}

/// What a program prints; its failure is ours.
fn done(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text
}

impl Program {
    pub(crate) fn measure(mut self) -> Peer {
        let times = done(&mut self.command);
        let times = times.lines().map(|line| {
            let [row, sample, ns] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{} said {line:?}", self.name);
            };
            (row.into(), sample.into(), ns.parse().expect("nanoseconds"))
        });
        Peer {
            name: self.name,
            times: times.collect(),
        }
    }
}

impl Peer {
    pub(crate) fn time(&self, row: &str, sample: &str) -> Option<f64> {
        let mut times = self.times.iter();
        times.find(|(r, s, _)| r == row && s == sample).map(|t| t.2)
    }

    pub(crate) fn expect(&self, row: &str, sample: &str) -> f64 {
        let time = self.time(row, sample);
        time.unwrap_or_else(|| panic!("{} did not measure {row} of {sample}", self.name))
    }
}
