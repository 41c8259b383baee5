//! The command `dubbo-mesh`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use dubbo_mcp_server::cli::{Check, Cli, Command, Convert, Decode, LogFormat, Plan, Serve};
use dubbo_mcp_server::config::{Config, ConfigError};
use dubbo_mcp_server::convert::{self, Ended};
use dubbo_mcp_server::decode::{self, Failed};
use dubbo_mcp_server::plan::finding::Verdict;
use dubbo_mcp_server::{plan, serve};
use mimalloc::MiMalloc;

/// Most of the work is to make and drop small texts, which this one does at half the price.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Something stopped working, was refused where that was asked, or would change.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong, or a registry could not be read.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(serve) => run_serve(&serve),
        Command::Convert(convert) => run_convert(&convert),
        Command::Check(check) => run_check(&check),
        Command::Decode(decode) => run_decode(&decode),
        Command::Plan(plan) => run_plan(&plan),
    };
    result.unwrap_or_else(|(message, code)| {
        // Nobody is left to tell if this fails.
        let _ = writeln!(io::stderr(), "dubbo-mesh: {message}");
        ExitCode::from(code)
    })
}

fn run_serve(asked: &Serve) -> Result<ExitCode, (String, u8)> {
    let config = asked.config().map_err(unusable)?;
    let filter = tracing_subscriber::EnvFilter::try_new(&asked.log)
        .map_err(|error| (format!("--log {}: {error}", asked.log), UNUSABLE))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match asked.log_format {
        LogFormat::Text => lines.with_ansi(false).with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    runtime()?
        .block_on(serve::run(config))
        .map_err(|error| (error, FAILED))?;
    Ok(ExitCode::SUCCESS)
}

fn run_convert(asked: &Convert) -> Result<ExitCode, (String, u8)> {
    let config = asked.sources.config().map_err(unusable)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut report = io::stderr();
    let ended = runtime()?
        .block_on(convert::run(asked, &config, &mut out, &mut report))
        .map_err(|error| (error, UNUSABLE))?;
    Ok(match ended {
        Ended::Done => ExitCode::SUCCESS,
        Ended::Refused => ExitCode::from(FAILED),
    })
}

fn run_plan(asked: &Plan) -> Result<ExitCode, (String, u8)> {
    let config = asked.sources.config().map_err(unusable)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut report = io::stderr();
    let verdict = runtime()?
        .block_on(plan::run(asked, &config, &mut out, &mut report))
        .map_err(|error| (error, UNUSABLE))?;
    Ok(match verdict {
        Verdict::Unchanged => ExitCode::SUCCESS,
        Verdict::Changed => ExitCode::from(FAILED),
        Verdict::Unknown => ExitCode::from(UNUSABLE),
    })
}

fn run_check(asked: &Check) -> Result<ExitCode, (String, u8)> {
    let config = Config::from_file(&asked.config).map_err(unusable)?;
    let file = asked.config.display();
    let registries: Vec<_> = config
        .registries
        .iter()
        .map(|r| r.id().to_string())
        .collect();
    let listed = if registries.is_empty() {
        "none".into()
    } else {
        registries.join(", ")
    };
    let summary = format!(
        "{file}: ok; registries: {listed}; listen: {}",
        config.listen.address
    );
    let notices = config.notices().into_iter().map(|n| format!("note: {n}\n"));
    let text: String = std::iter::once(summary + "\n").chain(notices).collect();
    write!(io::stdout(), "{text}").map_err(|error| (error.to_string(), FAILED))?;
    Ok(ExitCode::SUCCESS)
}

fn run_decode(asked: &Decode) -> Result<ExitCode, (String, u8)> {
    let file = asked.file.as_ref().filter(|file| file.as_os_str() != "-");
    let name = file.map_or_else(
        || "standard input".into(),
        |file| file.display().to_string(),
    );
    let unreadable = |why: &str| (format!("{name} {why}"), UNUSABLE);
    let mut input: Box<dyn Read> = match file {
        Some(file) => {
            let opened = File::open(file);
            Box::new(opened.map_err(|error| unreadable(&format!("cannot be read: {error}")))?)
        }
        None => Box::new(io::stdin().lock()),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match decode::run(asked, &mut *input, &mut out, &mut io::stderr()) {
        Ok(decode::Ended::Done) => Ok(ExitCode::SUCCESS),
        Ok(decode::Ended::Broken) => Ok(ExitCode::from(FAILED)),
        // Whoever reads has seen enough.
        Err(Failed::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(Failed::Output(error)) => Err((format!("cannot write: {error}"), UNUSABLE)),
        Err(Failed::Input(why)) => Err(unreadable(&why)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, (String, u8)> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| (format!("cannot start: {error}"), FAILED))
}

fn unusable(error: ConfigError) -> (String, u8) {
    (error.to_string(), UNUSABLE)
}
