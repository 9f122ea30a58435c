//! The download. pip knows the index, its mirrors, proxies and credentials.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::at;
use crate::{Error, Wheel};

/// The names that pip goes by.
const PIPS: [&[&str]; 3] = [&["pip3"], &["pip"], &["python3", "-m", "pip"]];

/// Downloads the wheel into `folder` and returns its file.
pub(crate) fn download(wheel: &Wheel, folder: &Path) -> Result<PathBuf, Error> {
    let mut cause = String::from("pip is not installed");
    for pip in PIPS {
        let output = Command::new(pip[0])
            .args(&pip[1..])
            .args(["download", "--quiet", "--no-deps", "--only-binary=:all:"])
            .args(["--python-version", "3.12", "--platform", wheel.platform])
            .args(["--disable-pip-version-check", "--no-input", "--dest"])
            .arg(folder)
            .arg(wheel.requirement)
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => match file_in(folder)? {
                Some(file) => return Ok(file),
                None => cause = String::from("it succeeded without a wheel"),
            },
            Ok(output) => cause = last_lines(&String::from_utf8_lossy(&output.stderr), 3),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => cause = error.to_string(),
        }
    }
    Err(Error::Download {
        requirement: wheel.requirement,
        cause,
    })
}

fn file_in(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl")))
}

/// The end of a program's output: where it says what went wrong.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" / ")
}
