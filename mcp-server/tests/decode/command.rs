//! The command as a process: exit status, standard input, a reader that goes away.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use crate::support::{recorded, stream};

fn spawn(words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_dubbo-mesh"))
        .arg("decode")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Exit status, standard output, standard error.
fn ran(words: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = spawn(words);
    // It may have ended before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_exit_status_says_how_it_went() {
    let heartbeat = b"\xda\xbb\xe2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N";
    let shown = "@0 event 7 heartbeat, hessian2, 17 bytes\n".to_owned();
    assert_eq!(ran(&["-"], heartbeat), (Some(0), shown, "1 frame\n".into()));
    let (status, out, report) = ran(&[], &heartbeat[..16]);
    assert_eq!(status, Some(1));
    assert!(out.contains("0 of 1 bytes of the body are there"), "{out}");
    assert_eq!(report, "1 frame, 1 broken or missing\n");
    for (words, report) in [
        (
            &["/nowhere"][..],
            "/nowhere cannot be read: No such file or directory (os error 2)",
        ),
        (&["--hex"], "standard input is empty"),
    ] {
        let report = format!("dubbo-mesh: {report}\n");
        assert_eq!(ran(words, b""), (Some(2), String::new(), report));
    }
    assert_eq!(ran(&["--jsonb", "--hessian2"], b"").0, Some(2));
}

/// What came is shown while the input is still open, and `head` ends it without a word.
#[test]
fn output_comes_as_input_does_and_a_closed_pipe_ends_it() {
    let frames = stream(&recorded("2.7.23"));
    let mut child = spawn(&["--output", "json"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(&frames).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("{\"kind\":\"request\",\"id\":0,"),
        "{line}"
    );
    drop(output);
    // It notices when it writes again.
    for _ in 0..100 {
        if input.write_all(&frames).is_err() {
            break;
        }
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), report.as_str()), (Some(0), ""));
}
