//! What is on the terminal, or in a file: a line for each batch of calls, drawn anew with each answer
//! where that is possible. Knows nothing of what is shown.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::exit;

use crate::BROKEN;
use crate::steps::INSTANCES;
use crate::tally::Tally;

/// Blocks of all bars of a line together: a line that is drawn anew has to fit 80 columns.
const WIDTH: u32 = 16;

pub(crate) struct Show {
    live: bool,
}

impl Show {
    pub(crate) fn new() -> Self {
        Self {
            live: std::io::stdout().is_terminal(),
        }
    }

    pub(crate) fn line(&self, text: impl Display) {
        self.write(&format!("{text}\n"));
    }

    /// A headline.
    pub(crate) fn title(&self, text: impl Display) {
        let text = format!("\n== {text}");
        self.line(self.painted("1", &text));
    }

    /// A server, as its directory is called.
    pub(crate) fn started(&self, when: &str, name: &str, what: &str) {
        self.line(format!("{when}  {name:<12} {what}"));
    }

    /// A text of several lines that is somebody's input.
    pub(crate) fn quoted(&self, text: &str) {
        for line in text.lines() {
            self.line(self.painted("2", &format!("    | {line}")));
        }
    }

    /// The answers until now. Only the last of them is shown where lines cannot be drawn anew.
    pub(crate) fn so_far(&self, calls: &str, tally: &Tally) {
        if self.live {
            self.write(&format!("\r\x1b[K{}", bars(calls, tally)));
        }
    }

    /// All answers, and what is to be said of them.
    pub(crate) fn all(&self, calls: &str, tally: &Tally, met: Result<&str, &str>) {
        let start = if self.live { "\r\x1b[K" } else { "" };
        self.write(&format!(
            "{start}{}  {}\n",
            bars(calls, tally),
            self.verdict(met)
        ));
    }

    /// Something else that was to be seen.
    pub(crate) fn seen(&self, met: Result<&str, &str>) {
        self.line(format!("  {}", self.verdict(met)));
    }

    fn verdict(&self, met: Result<&str, &str>) -> String {
        match met {
            Ok(what) => self.painted("32", &format!("ok: {what}")),
            Err(what) => self.painted("31", &format!("NOT AS EXPECTED: {what}")),
        }
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        match self.live {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stdout();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if written.is_err() {
            // Nobody is left to show anything to, and with us ends everything that was started.
            exit(BROKEN.into());
        }
    }
}

/// `  40 x Greeter    v1 ████ 8  v2 ████████████████ 32`
fn bars(calls: &str, tally: &Tally) -> String {
    let mut line = format!("  {calls:<31}");
    for name in INSTANCES.into_iter().chain(["orders"]) {
        let count = tally.of(name);
        let length = (count * WIDTH).div_ceil(tally.made().max(1)) as usize;
        if count > 0 {
            line.push_str(&format!(" {name} {} {count} ", "█".repeat(length)));
        }
    }
    if !tally.failures().is_empty() {
        line.push_str(&format!(" FAILED {}", tally.failures().len()));
    }
    line
}
