//! Goes through the steps on the stage, and tells whether each showed what it should.

use std::time::{Duration, Instant};

use support::wait_until;

use crate::show::Show;
use crate::stage::Stage;
use crate::steps::{Caller, Deed, PARTS, Resources, Step};
use crate::tally::{Expected, Tally};

/// A session of ZooKeeper's, and the second after which its end is believed, and then some.
const FORGETS: Duration = Duration::from_secs(60);
/// Calls of a line once the steps are over.
const ROUND: u32 = 50;

pub(crate) struct Play {
    stage: Stage,
    show: Show,
    /// Nobody is there to press Enter.
    unattended: bool,
    /// Files that have been shown.
    known: Vec<&'static str>,
    /// When an instance was killed.
    killed: Instant,
    /// What was not as expected: the titles.
    missed: Vec<String>,
}

impl Play {
    pub(crate) fn new(stage: Stage, show: Show, unattended: bool) -> Self {
        Self {
            stage,
            show,
            unattended,
            known: Vec::new(),
            killed: Instant::now(),
            missed: Vec::new(),
        }
    }

    /// All steps. The titles of those that showed something else.
    pub(crate) async fn all(&mut self) -> &[String] {
        for (part, (title, steps)) in (1..).zip(PARTS) {
            self.show.title(format!("{part}  {title}"));
            for (number, step) in (1..).zip(steps) {
                self.pause("the next step").await;
                self.step(&format!("{part}.{number}  {}", step.title), step)
                    .await;
            }
        }
        &self.missed
    }

    /// Calls without end, for whoever is there and wants to try resources of their own.
    pub(crate) async fn go_on(&mut self) {
        if self.unattended {
            return;
        }
        self.show.title("Your turn");
        let file = self.stage.file();
        self.show.line(format!(
            "Everything runs on. Write your own resources into\n  {}\nand see here where calls go. \
             Ctrl-C ends it.",
            file.display()
        ));
        self.pause("calls").await;
        while !self.unattended {
            let tally = self.calls(Caller::Greeter, ROUND, "greet World").await;
            let failures = tally.failures().first().map(String::as_str);
            let met = failures.map_or(Ok("none failed"), Err);
            self.show
                .all(&label(ROUND, Caller::Greeter, "greet World"), &tally, met);
        }
    }

    async fn step(&mut self, title: &str, step: &Step) {
        self.show.title(title);
        for resources in step.resources {
            self.introduce(resources);
        }
        let texts: Vec<&str> = step.resources.iter().map(|each| each.text).collect();
        self.stage.apply(&texts.join("---\n"));
        for words in step.arrived {
            self.stage.arrived(words).await;
        }
        let before = self.missed.len();
        for deed in step.deeds {
            if !self.done(deed).await && self.missed.len() == before {
                self.missed.push(title.to_owned());
            }
        }
    }

    fn introduce(&mut self, resources: &Resources) {
        if !self.known.contains(&resources.file) {
            self.known.push(resources.file);
            self.show.line(format!("    {}", resources.file));
            self.show.quoted(resources.text);
        }
    }

    /// Does it, shows it, and tells whether it was as expected.
    async fn done(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Call {
                by,
                count,
                command,
                expected,
            } => self.called(*by, *count, command, expected).await,
            Deed::Kill(instance) => {
                self.stage.kill(instance);
                self.killed = Instant::now();
                self.show.line(format!("  {instance} is killed (SIGKILL)"));
                true
            }
            Deed::Ejected(instance) => self.ejected(instance).await,
            Deed::Forgotten(instance) => self.forgotten(instance).await,
        }
    }

    async fn called(&mut self, by: Caller, count: u32, command: &str, expected: &Expected) -> bool {
        let tally = self.calls(by, count, command).await;
        let calls = label(count, by, command);
        let met = expected.met(&tally);
        let said = expected.said(count);
        self.show.all(
            &calls,
            &tally,
            met.as_ref().map(|()| said.as_str()).map_err(String::as_str),
        );
        met.is_ok()
    }

    async fn calls(&mut self, by: Caller, count: u32, command: &str) -> Tally {
        let calls = label(count, by, command);
        let mut tally = Tally::default();
        for _ in 0..count {
            match self.stage.call(by, command).await {
                Ok(instance) => tally.answered(&instance),
                Err(how) => tally.failed(how),
            }
            self.show.so_far(&calls, &tally);
        }
        tally
    }

    async fn ejected(&self, instance: &str) -> bool {
        let ejected = self.stage.is_ejected(instance).await;
        let retries = self.stage.retries().await;
        let seen = format!("{instance} ejected: {ejected:?}, calls retried: {retries:?}");
        match (ejected, retries) {
            (Ok(true), Ok(retries)) if retries > 0 => {
                let seen = format!("{instance} is ejected, and {retries} calls were retried");
                self.show.seen(Ok(&seen));
                true
            }
            _ => {
                self.show.seen(Err(&seen));
                false
            }
        }
    }

    async fn forgotten(&self, instance: &str) -> bool {
        self.show.line(
            "  ZooKeeper lists it until its session ends, 20 s after its last sign of life ...",
        );
        wait_until("the registry forgets it", FORGETS, async || {
            match self.stage.is_known(instance).await? {
                true => Err("the sidecar knows it".to_owned()),
                false => Ok(()),
            }
        })
        .await;
        let seconds = self.killed.elapsed().as_secs();
        self.show.seen(Ok(&format!(
            "{seconds} s after the kill ZooKeeper and the mesh no longer know {instance}"
        )));
        true
    }

    /// Waits for Enter if somebody is there.
    async fn pause(&mut self, what: &str) {
        if self.unattended {
            return;
        }
        self.show
            .line(format!("    [Enter: {what}; Ctrl-C: the end]"));
        let read = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        // Where there is no input there is nobody to wait for.
        if !matches!(read.await, Ok(Ok(1..))) {
            self.unattended = true;
        }
    }
}

/// `40 x Greeter region=gray`: what is called, and the attachments.
fn label(count: u32, by: Caller, command: &str) -> String {
    let attachments: String = command
        .split(' ')
        .skip(2)
        .map(|word| format!(" {word}"))
        .collect();
    format!("{count} x {}{attachments}", by.service())
}
