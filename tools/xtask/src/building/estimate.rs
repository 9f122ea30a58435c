//! How far a build is, and how long the rest may take.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

/// Seconds of one core for the crates that take long, from `cargo build --timings`; a crate that is not here takes
/// [`USUAL`]. Only their proportions matter.
const SLOW: [(&str, f64); 14] = [
    ("cranelift_codegen", 70.0),
    ("candle_core", 70.0),
    ("host", 50.0),
    ("tokenizers", 25.0),
    ("wasmtime", 18.0),
    ("zstd_sys", 15.0),
    ("wasmparser", 13.0),
    ("wasmtime_internal_cranelift", 13.0),
    ("wasmtime_environ", 12.0),
    ("wasmtime_wasi", 12.0),
    ("candle_nn", 10.0),
    ("libsqlite3_sys", 10.0),
    ("audit", 8.0),
    ("cranelift_assembler_x64", 8.0),
];
const USUAL: f64 = 1.3;
/// Less than this share of the work says nothing about the rest.
const TELLING: f64 = 0.05;

/// The crates of a build, and those that are there.
#[derive(Default)]
pub(super) struct Estimate {
    crates: usize,
    /// Package ids that cargo has reported.
    done: HashSet<String>,
    /// Seconds of all crates, of those that were there before, and of those that were compiled since.
    total: f64,
    fresh: f64,
    compiled: f64,
}

impl Estimate {
    /// Of `cargo build` with these arguments. Downloads what is missing.
    pub(super) fn of<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Self> {
        let mut command = cargo::cargo();
        command
            .args(["tree", "--quiet", "--prefix", "none", "--edges"])
            .args(["normal,build", "--format", "{p}"])
            .args(selection(arguments))
            .stderr(Stdio::inherit());
        let output = command.output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo cannot tell what has to be built; see above");
        }
        let tree = String::from_utf8_lossy(&output.stdout);
        let crates: BTreeSet<&str> = tree
            .lines()
            .map(|line| {
                line.trim_end_matches(" (*)")
                    .trim_end_matches(" (proc-macro)")
            })
            .filter(|line| !line.is_empty())
            .collect();
        Ok(Self {
            crates: crates.len(),
            total: crates.iter().map(|package| seconds(&name(package))).sum(),
            ..Self::default()
        })
    }

    /// A message `compiler-artifact` of cargo.
    pub(super) fn see(&mut self, message: &Value) {
        let target = &message["target"];
        let is_build_script = target["kind"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "custom-build"));
        let id = message["package_id"].as_str().unwrap_or_default();
        if is_build_script || !self.done.insert(id.to_owned()) {
            return;
        }
        let seconds = seconds(
            &target["name"]
                .as_str()
                .unwrap_or_default()
                .replace('-', "_"),
        );
        if message["fresh"] == true {
            self.fresh += seconds;
        } else {
            self.compiled += seconds;
        }
    }

    /// For a person: crates, time since the start, and the rest as far as it can be told.
    pub(super) fn describe(&self, elapsed: Duration) -> String {
        let done = self.done.len().min(self.crates);
        let more = self.rest(elapsed).map_or_else(String::new, |rest| {
            format!(", about {} s more", rest.as_secs())
        });
        format!(
            "{done} of {} crates, {} s{more}",
            self.crates,
            elapsed.as_secs()
        )
    }

    fn rest(&self, elapsed: Duration) -> Option<Duration> {
        let work = self.total - self.fresh;
        if self.compiled <= TELLING * work {
            return None;
        }
        let rest = elapsed.as_secs_f64() * (work - self.compiled) / self.compiled;
        Duration::try_from_secs_f64(rest.max(1.0)).ok()
    }
}

/// What `cargo tree` takes of the arguments of `cargo build`: packages and the target, but neither profiles nor the
/// kinds of programs.
fn selection<S: AsRef<OsStr>>(arguments: &[S]) -> Vec<&OsStr> {
    let mut selection = Vec::new();
    let mut arguments = arguments.iter().map(AsRef::as_ref);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("-p" | "--exclude" | "--target") => {
                selection.push(argument);
                selection.extend(arguments.next());
            }
            Some("--workspace") => selection.push(argument),
            _ => {}
        }
    }
    selection
}

/// `wasmtime v47.0.4` is `wasmtime`; the crate of the package host-tests is `host`.
fn name(package: &str) -> String {
    match package.split(' ').next().unwrap_or_default() {
        "host-tests" => "host".to_owned(),
        name => name.replace('-', "_"),
    }
}

fn seconds(name: &str) -> f64 {
    let slow = SLOW.iter().find(|(slow, _)| *slow == name);
    slow.map_or(USUAL, |(_, seconds)| *seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artifact(name: &str, fresh: bool) -> Value {
        json!({ "package_id": name, "fresh": fresh, "target": { "name": name, "kind": ["lib"] } })
    }

    #[test]
    fn what_was_there_before_tells_nothing_about_the_rest() {
        let mut estimate = Estimate {
            crates: 4,
            total: 4.0 * USUAL,
            ..Estimate::default()
        };
        estimate.see(&artifact("there", true));
        let ten = Duration::from_secs(10);
        assert_eq!(estimate.describe(ten), "1 of 4 crates, 10 s");
        estimate.see(&artifact("compiled", false));
        assert_eq!(
            estimate.describe(ten),
            "2 of 4 crates, 10 s, about 20 s more"
        );
    }

    #[test]
    fn a_build_script_is_not_its_crate() {
        let mut estimate = Estimate::default();
        let mut script = artifact("ring", false);
        script["target"]["kind"] = json!(["custom-build"]);
        estimate.see(&script);
        assert!(estimate.done.is_empty());
    }

    #[test]
    fn cargo_tree_gets_packages_and_target() {
        let arguments = [
            "--release",
            "--target",
            "wasm32-wasip2",
            "-p",
            "write",
            "--bins",
        ];
        assert_eq!(
            selection(&arguments),
            ["--target", "wasm32-wasip2", "-p", "write"]
        );
    }
}
