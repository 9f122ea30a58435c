//! The programs that tests are in: building them, and running several side by side.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned};
use serde_json::Value;

use super::counts::Counts;
use crate::cargo;
use crate::progress::Line;

/// How often suites are looked at.
const BEAT: Duration = Duration::from_millis(100);

/// A program with tests in it.
pub(super) struct Suite {
    pub(super) name: String,
    program: PathBuf,
    /// The package's, where its tests expect to be.
    folder: PathBuf,
}

/// Builds what `selection` of `cargo test` selects.
pub(super) fn build(selection: &[&str]) -> Result<Vec<Suite>> {
    let mut shell = Command::new("sh");
    shell.current_dir(cargo::workspace()).stdout(Stdio::piped());
    let program = cargo::program();
    let arguments = [
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ];
    let line: Vec<&OsStr> = [program.as_os_str()]
        .into_iter()
        .chain(arguments.map(OsStr::new))
        .chain(selection.iter().map(OsStr::new))
        .collect();
    let mut cargo = ChildProcess::start(&mut shell, &line, IfAbandoned::EndGroup)?;
    let output = cargo.take_output().context("cargo has no output")?;
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    let suites = lines.filter_map(|line| suite(&line)).collect();
    if !cargo.wait()?.success() {
        bail!("the tests cannot be built; see above");
    }
    Ok(suites)
}

/// What a message of cargo's says of a program with tests.
fn suite(message: &str) -> Option<Suite> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"] == true;
    let program = message["executable"].as_str().filter(|_| is_test)?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    let package = folder.strip_prefix(cargo::workspace()).ok()?;
    let kind = message["target"]["kind"][0].as_str()?;
    let target = message["target"]["name"].as_str()?;
    Some(Suite {
        name: format!("{} ({kind} {target})", package.display()),
        program: program.into(),
        folder: folder.to_owned(),
    })
}

/// Runs all suites, `jobs` at a time, and shows what each one says when it has ended.
pub(super) fn run(
    suites: Vec<Suite>,
    jobs: usize,
    arguments: &[String],
    url: &str,
) -> Result<Counts> {
    let mut waiting = VecDeque::from(suites);
    let mut running: Vec<Running> = Vec::new();
    let mut counts = Counts::default();
    let mut line = Line::default();
    while !(waiting.is_empty() && running.is_empty()) {
        while running.len() < jobs
            && let Some(suite) = waiting.pop_front()
        {
            running.push(Running::start(suite, arguments, url)?);
        }
        for mut suite in std::mem::take(&mut running) {
            match suite.process.status()? {
                None => running.push(suite),
                Some(status) => {
                    let output = suite.output()?;
                    let seconds = suite.began.elapsed().as_secs();
                    let mut all = std::io::stdout().lock();
                    writeln!(all, "     Running {}, {seconds} s", suite.name)?;
                    all.write_all(&output)?;
                    all.flush()?;
                    counts.add(
                        &suite.name,
                        status.success(),
                        &String::from_utf8_lossy(&output),
                    );
                }
            }
        }
        let names: Vec<_> = running.iter().map(|suite| suite.name.as_str()).collect();
        line.show(&names.join(", "));
        std::thread::sleep(BEAT);
    }
    Ok(counts)
}

/// A suite that runs.
struct Running {
    name: String,
    process: ChildProcess,
    output: File,
    began: Instant,
}

impl Running {
    fn start(suite: Suite, arguments: &[String], url: &str) -> Result<Self> {
        let output = tempfile::tempfile().context("no temporary file can be made")?;
        let mut shell = Command::new("sh");
        shell
            .current_dir(&suite.folder)
            .env("TEST_DATABASE_URL", url)
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?);
        let line: Vec<OsString> = [suite.program.into_os_string()]
            .into_iter()
            .chain(arguments.iter().map(OsString::from))
            .collect();
        let line: Vec<&OsStr> = line.iter().map(OsString::as_os_str).collect();
        Ok(Self {
            name: suite.name,
            process: ChildProcess::start(&mut shell, &line, IfAbandoned::EndGroup)?,
            output,
            began: Instant::now(),
        })
    }

    /// What it has said.
    fn output(&mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        self.output.rewind()?;
        self.output.read_to_end(&mut all)?;
        Ok(all)
    }
}
