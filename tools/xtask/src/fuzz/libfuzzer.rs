//! A fuzz target as a process: `libFuzzer` with the target in it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use database::{ChildProcess, IfAbandoned};

use crate::cargo::{self, workspace};
use crate::progress::{Line, say};

/// One input may take so many seconds.
const TIMEOUT: u32 = 10;
/// How often a running target is looked at.
const BEAT: Duration = Duration::from_millis(100);
/// So many lines of a target that failed are shown.
const SHOWN: usize = 40;

/// When a target has run enough.
#[derive(Clone, Copy)]
pub(super) enum End {
    Runs(u64),
    Seconds(u64),
}

/// What a run of a target may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) end: End,
    /// The longest input, in bytes.
    pub(super) max_len: usize,
    /// What inputs are drawn from; without it, libFuzzer takes the time.
    pub(super) seed: Option<u32>,
}

/// Whether the progress of a run is shown, or only what came of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Yes,
    No,
}

/// A target did not come to its end.
pub(super) struct Failure {
    pub(super) status: ExitStatus,
    /// Where the input is that made it fail, if one did.
    pub(super) input: Option<String>,
}

/// Runs a target on what is in its corpora and on what comes of that.
pub(super) fn run(
    target: &str,
    program: &Path,
    limits: Limits,
    shown: Shown,
) -> Result<Option<Failure>> {
    let (found, failed) = (found(target), format!("target/fuzz/artifacts/{target}/"));
    for folder in [&found, &failed] {
        fs::create_dir_all(workspace().join(folder))?;
    }
    let end = match limits.end {
        End::Runs(runs) => format!("-runs={runs}"),
        End::Seconds(seconds) => format!("-max_total_time={seconds}"),
    };
    let max_len = format!("-max_len={}", limits.max_len);
    let mut arguments = vec![found, corpus(target), end, max_len];
    arguments.extend(common());
    if let Some(seed) = limits.seed {
        // What it wrote itself is not read again, since when that happens depends on the time.
        arguments.extend([format!("-seed={seed}"), "-reload=0".to_owned()]);
    }
    arguments.push(format!("-artifact_prefix={failed}"));
    let dictionary = format!("fuzz/dictionaries/{target}.dict");
    if workspace().join(&dictionary).exists() {
        arguments.push(format!("-dict={dictionary}"));
    }
    say(&format!("fuzzing {target}"));
    let (status, seen) = watch(target, program, &arguments, shown)?;
    if status.success() {
        return Ok(None);
    }
    for line in &seen.lines {
        eprintln!("    {line}");
    }
    let input = seen.input;
    Ok(Some(Failure { status, input }))
}

/// Gives a target one input again, and shows what it says.
pub(super) fn repeat(program: &Path, input: &Path) -> Result<ExitCode> {
    cargo::exit_code(Command::new(program).arg(input).env("RUST_BACKTRACE", "1"))
}

/// The inputs in the repository.
pub(super) fn corpus(target: &str) -> String {
    format!("fuzz/corpus/{target}")
}

/// The inputs that runs have found.
pub(super) fn found(target: &str) -> String {
    format!("target/fuzz/corpus/{target}")
}

/// What every run of a target is told.
pub(super) fn common() -> [String; 2] {
    [format!("-timeout={TIMEOUT}"), "-print_funcs=0".to_owned()]
}

/// Runs a target to its end.
pub(super) fn watch(
    target: &str,
    program: &Path,
    arguments: &[String],
    shown: Shown,
) -> Result<(ExitStatus, Seen)> {
    let start = Instant::now();
    // libFuzzer writes to standard error.
    let mut line: Vec<OsString> = ["sh", "-c", r#"exec "$@" 2>&1"#, "sh"]
        .map(OsString::from)
        .into();
    line.push(program.into());
    line.extend(arguments.iter().map(OsString::from));
    let line: Vec<&OsStr> = line.iter().map(OsString::as_os_str).collect();
    let mut shell = Command::new("sh");
    // What failed is in the message; where, `--input` says.
    shell
        .current_dir(workspace())
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped());
    let mut process = ChildProcess::start(&mut shell, &line, IfAbandoned::EndGroup)?;
    let output = process.take_output().context("the target has no output")?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let reader = std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || read(output, &seen)
    });
    let status = wait(target, &mut process, &seen, start, shown)?;
    let _ = reader.join();
    let seen = std::mem::take(&mut *lock(&seen));
    let outcome = if status.success() {
        ""
    } else {
        "failed after "
    };
    say(&format!(
        "{target}: {outcome}{}",
        seen.describe(start.elapsed())
    ));
    Ok((status, seen))
}

fn wait(
    target: &str,
    process: &mut ChildProcess,
    seen: &Mutex<Seen>,
    start: Instant,
    shown: Shown,
) -> Result<ExitStatus> {
    let mut line = Line::default();
    loop {
        if let Some(status) = process.status()? {
            return Ok(status);
        }
        if shown == Shown::Yes {
            let progress = lock(seen).describe(start.elapsed());
            line.show(&format!("{target}: {progress}"));
        }
        std::thread::sleep(BEAT);
    }
}

/// What a target has said.
#[derive(Default)]
pub(super) struct Seen {
    inputs: u64,
    edges: u64,
    /// The last lines that tell no progress.
    lines: VecDeque<String>,
    /// Where libFuzzer put the input that the target failed on.
    input: Option<String>,
}

impl Seen {
    /// Takes one line: `#4096 NEW cov: 120 ft: 310 corp: 14/78b …`, or anything else.
    fn see(&mut self, line: String) {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some(inputs) = first
            .strip_prefix('#')
            .and_then(|number| number.parse().ok())
        {
            self.inputs = inputs;
            let edges = words.skip_while(|word| *word != "cov:").nth(1);
            self.edges = edges
                .and_then(|edges| edges.parse().ok())
                .unwrap_or(self.edges);
            return;
        }
        if let Some((_, input)) = line.split_once("Test unit written to ") {
            self.input = Some(input.to_owned());
        }
        if self.lines.len() == SHOWN {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn describe(&self, elapsed: Duration) -> String {
        let Self { inputs, edges, .. } = self;
        format!(
            "{inputs} inputs, {edges} edges reached, {} s",
            elapsed.as_secs()
        )
    }
}

fn read(output: ChildStdout, seen: &Mutex<Seen>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    // What a target quotes may be no UTF-8.
    while output
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        lock(seen).see(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_and_the_failing_input_are_seen() {
        let mut seen = Seen::default();
        seen.see("INFO: Seed: 7".to_owned());
        seen.see("#4096\tNEW    cov: 120 ft: 310 corp: 14/78b lim: 43 exec/s: 0".to_owned());
        seen.see("#8192\tpulse  corp: 14/78b".to_owned());
        let described = seen.describe(Duration::from_secs(3));
        assert_eq!(described, "8192 inputs, 120 edges reached, 3 s");
        seen.see("artifact_prefix='a/'; Test unit written to a/crash-1".to_owned());
        assert_eq!(seen.input.as_deref(), Some("a/crash-1"));
        assert_eq!(seen.lines.len(), 2);
    }
}
