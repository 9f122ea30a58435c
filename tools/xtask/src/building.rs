//! A build by cargo that says how far it is, instead of a line for each crate, and that ends with this program.

mod estimate;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned};
use rustix::process::Signal;
use serde_json::Value;

use crate::cargo;
use crate::progress::Line;
use estimate::Estimate;

/// Programs by name, wherever cargo put them.
pub(crate) type Programs = BTreeMap<String, PathBuf>;

/// How often a build is looked at.
const BEAT: Duration = Duration::from_millis(100);

/// Whether a build may take the processor from others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    Usual,
    /// Only what others leave.
    Low,
}

/// A running build. It ends when this value is dropped, at the latest.
pub(crate) struct Build {
    what: String,
    start: Instant,
    cargo: ChildProcess,
    messages: Option<JoinHandle<Programs>>,
    estimate: Arc<Mutex<Estimate>>,
}

impl Build {
    /// Starts `cargo build` with these arguments, which select packages and a target.
    ///
    /// `what` is what a person calls the result.
    pub(crate) fn start<S: AsRef<OsStr>>(
        what: &str,
        arguments: &[S],
        priority: Priority,
    ) -> Result<Self> {
        Self::start_with(what, arguments, priority, &[])
    }

    /// The same, with variables for cargo.
    pub(crate) fn start_with<S: AsRef<OsStr>>(
        what: &str,
        arguments: &[S],
        priority: Priority,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let estimate = Arc::new(Mutex::new(Estimate::of(arguments)?));
        let colour = if std::io::stderr().is_terminal() {
            "always"
        } else {
            "auto"
        };
        let mut line: Vec<OsString> = Vec::new();
        if priority == Priority::Low {
            line.extend(["nice", "-n", "19"].map(OsString::from));
        }
        line.push(cargo::program());
        // Quiet: errors and warnings are shown, the crates that are compiled are not.
        line.extend(["build", "--quiet", "--color", colour].map(OsString::from));
        line.push("--message-format=json-render-diagnostics".into());
        line.extend(arguments.iter().map(OsString::from));
        let line: Vec<&OsStr> = line.iter().map(OsString::as_os_str).collect();
        let mut shell = Command::new("sh");
        shell
            .current_dir(cargo::workspace())
            .envs(variables.iter().copied())
            .stdout(Stdio::piped());
        let mut cargo = ChildProcess::start(&mut shell, &line, IfAbandoned::EndGroup)?;
        let output = cargo.take_output().context("cargo has no output")?;
        let seen = Arc::clone(&estimate);
        Ok(Self {
            what: what.to_owned(),
            start: Instant::now(),
            cargo,
            messages: Some(std::thread::spawn(move || read(output, &seen))),
            estimate,
        })
    }

    /// Waits for the build, which is shown meanwhile.
    pub(crate) fn wait(self) -> Result<Programs> {
        let mut builds = Builds::from(vec![self]);
        loop {
            if let Some(programs) = builds.poll()? {
                return Ok(programs);
            }
            std::thread::sleep(BEAT);
        }
    }

    /// The programs, once the build has ended.
    pub(crate) fn poll(&mut self) -> Result<Option<Programs>> {
        let Some(status) = self.cargo.status()? else {
            return Ok(None);
        };
        if !status.success() {
            bail!("{} cannot be built; see above", self.what);
        }
        let messages = self.messages.take().context("the build was asked twice")?;
        match messages.join() {
            Ok(programs) => Ok(Some(programs)),
            Err(_) => bail!("the messages of cargo could not be read"),
        }
    }

    /// How far it is, for a person.
    pub(crate) fn progress(&self) -> String {
        let estimate = self.estimate.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{}: {}", self.what, estimate.describe(self.start.elapsed()))
    }

    /// Ends it with its compilers.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.cargo.stop(Signal::TERM, Duration::from_secs(15))
    }
}

/// Builds that run side by side. When one fails, the others end.
pub(crate) struct Builds {
    running: Vec<Build>,
    programs: Programs,
    line: Line,
}

impl From<Vec<Build>> for Builds {
    fn from(running: Vec<Build>) -> Self {
        Self {
            running,
            programs: Programs::new(),
            line: Line::default(),
        }
    }
}

impl Builds {
    /// Waits for all, which are shown meanwhile, and returns their programs.
    pub(crate) async fn wait(mut self) -> Result<Programs> {
        loop {
            if let Some(programs) = self.poll()? {
                return Ok(programs);
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    fn poll(&mut self) -> Result<Option<Programs>> {
        for mut build in std::mem::take(&mut self.running) {
            match build.poll()? {
                Some(built) => self.programs.extend(built),
                None => self.running.push(build),
            }
        }
        if self.running.is_empty() {
            return Ok(Some(std::mem::take(&mut self.programs)));
        }
        let progress: Vec<String> = self.running.iter().map(Build::progress).collect();
        self.line.show(&progress.join("; "));
        Ok(None)
    }
}

/// Counts what cargo reports, and collects the programs.
fn read(output: ChildStdout, estimate: &Mutex<Estimate>) -> Programs {
    let mut programs = Programs::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        estimate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .see(&message);
        if let Some(name) = message["target"]["name"].as_str()
            && let Some(path) = message["executable"].as_str()
            && message["profile"]["test"] == false
        {
            programs.insert(name.to_owned(), path.into());
        }
    }
    programs
}
