//! What detect-secrets finds: its own program, from `PyPI`, with the plugins that it uses without a configuration.

use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use corpus::{Harmless, Secrets};
use serde_json::json;

use super::score::Score;
use crate::load::servers::workspace;
use crate::store::say;

const PACKAGE: &str = "detect-secrets==1.5.0";
const SCRIPT: &str = include_str!("detect_secrets.py");

pub(super) fn measure(secrets: &[Secrets], harmless: &[Harmless]) -> Result<Score> {
    let mut texts: Vec<(&str, String)> = secrets
        .iter()
        .map(|it| (ending(&it.form), it.marked.text()))
        .collect();
    texts.extend(
        harmless
            .iter()
            .map(|it| (ending(&it.kind), it.text.clone())),
    );
    let values = scan(&texts)?;
    let mut next = values.into_iter();
    Ok(Score::of_findings(secrets, harmless, |text, _| {
        let values = next.next().unwrap_or_default();
        values
            .iter()
            .flat_map(|value| places(text, value))
            .collect()
    }))
}

/// The kind of file that such texts stand in, which detect-secrets goes by.
fn ending(form: &str) -> &'static str {
    match form {
        "json" | "records" => "json",
        "yaml" | "kubernetes" | "manifests" | "references" => "yaml",
        "toml" => "toml",
        "properties" | "env" | "connection-string" => "ini",
        "go" => "go",
        "python" => "py",
        "java" => "java",
        "shell" => "sh",
        "xml" => "xml",
        "html" => "html",
        _ => "txt",
    }
}

/// Wherever the value stands: the tool says no more than its line.
fn places(text: &str, value: &str) -> Vec<Range<usize>> {
    if value.is_empty() {
        return Vec::new();
    }
    text.match_indices(value)
        .map(|(start, found)| start..start + found.len())
        .collect()
}

fn scan(texts: &[(&str, String)]) -> Result<Vec<Vec<String>>> {
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .env("PYTHONPATH", installed()?)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run python3")?;
    // It reads all before it writes anything.
    let mut input = python.stdin.take().context("its input is closed")?;
    input.write_all(json!(texts).to_string().as_bytes())?;
    drop(input);
    let output = python.wait_with_output()?;
    if !output.status.success() {
        bail!("detect-secrets failed");
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Installs detect-secrets, unless it is there, and returns the folder.
fn installed() -> Result<PathBuf> {
    let folder = workspace().join(".cache").join(PACKAGE);
    if folder.join("detect_secrets").is_dir() {
        return Ok(folder);
    }
    say("installing detect-secrets");
    let partial = folder.with_extension("partial");
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", PACKAGE, "--target"])
        .arg(&partial)
        .output()
        .context("cannot run python3; install it with its pip")?;
    if !output.status.success() {
        bail!("pip could not install {PACKAGE}");
    }
    std::fs::rename(&partial, &folder)?;
    Ok(folder)
}
