//! What docs/operations.md tells operators to do, so that the tests do just that.

use std::path::Path;

use anyhow::{Result, bail};
use database::Server;

use crate::support::service::workspace;

/// The blocks of code below a heading of docs/operations.md, of which there must be `N`.
pub(crate) fn documented<const N: usize>(heading: &str) -> [String; N] {
    let path = workspace().join("docs/operations.md");
    let text = std::fs::read_to_string(path).expect("docs/operations.md");
    let mut lines = text.lines();
    let found = lines.any(|line| line.trim_start_matches('#').trim() == heading);
    assert!(found, "docs/operations.md has no heading {heading:?}");
    let mut blocks: Vec<String> = Vec::new();
    let mut within = false;
    for line in lines {
        if line.starts_with("```") {
            within = !within;
            if within {
                blocks.push(String::new());
            }
        } else if within {
            let block = blocks.last_mut().expect("a block");
            block.push_str(line);
            block.push('\n');
        } else if line.starts_with('#') {
            break;
        }
    }
    let count = blocks.len();
    let blocks = blocks.try_into();
    blocks.unwrap_or_else(|_| panic!("{heading:?} has {count} blocks of code"))
}

/// The settings of a block of `postgresql.conf`.
pub(crate) fn settings(block: &str) -> Vec<(String, String)> {
    let setting = |line: &str| {
        let (name, value) = line.split_once(" = ").expect("a setting");
        (name.to_owned(), value.trim_matches('\'').to_owned())
    };
    block.lines().map(setting).collect()
}

/// Runs a script with variables for these folders as an operator of `server` would.
pub(crate) fn run(server: &Server, script: &str, folders: &[(&str, &Path)]) -> Result<()> {
    let mut command = server.shell(script);
    let output = command.envs(folders.iter().copied()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {said}\n{script}", output.status);
    }
    Ok(())
}
