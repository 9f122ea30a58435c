//! Which process is whose child.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::Pid;

/// The direct children of a process: for a postmaster, all of the server's other processes.
pub(crate) fn children(parent: Pid) -> Result<Vec<Pid>> {
    let parent = parent.as_raw_nonzero().get();
    let family = if Path::new("/proc/self/stat").exists() {
        from_proc()?
    } else {
        from_ps()?
    };
    Ok(family
        .into_iter()
        .filter(|&(_, its_parent)| its_parent == parent)
        .filter_map(|(child, _)| Pid::from_raw(child))
        .collect())
}

/// Pairs of child and parent, on Linux, where `ps` is not always installed.
fn from_proc() -> Result<Vec<(i32, i32)>> {
    let entries = fs::read_dir("/proc").context("cannot list processes")?;
    Ok(entries
        .filter_map(|entry| parse_stat(&fs::read_to_string(entry.ok()?.path().join("stat")).ok()?))
        .collect())
}

/// `pid (name) state parent …`; the name may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<(i32, i32)> {
    let (child, _) = stat.split_once(' ')?;
    let (_, rest) = stat.rsplit_once(')')?;
    let parent = rest.split_whitespace().nth(1)?;
    Some((child.parse().ok()?, parent.parse().ok()?))
}

/// Pairs of child and parent, elsewhere.
fn from_ps() -> Result<Vec<(i32, i32)>> {
    let output = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output()
        .context("cannot list processes with ps")?;
    let pair = |line: &str| {
        let (child, parent) = line.trim().split_once(char::is_whitespace)?;
        Some((child.parse().ok()?, parent.trim().parse().ok()?))
    };
    let table = String::from_utf8_lossy(&output.stdout);
    Ok(table.lines().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_look_like_the_end_of_the_name() {
        assert_eq!(parse_stat("12 (a) b) S 7 12 12"), Some((12, 7)));
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_child_of_this_process_is_found() {
        let mut sleeper = Command::new("sleep").arg("60").spawn().expect("sleep");
        let found = children(rustix::process::getpid()).expect("a list");
        let expected = Pid::from_child(&sleeper);
        sleeper.kill().expect("killed");
        sleeper.wait().expect("reaped");
        assert!(found.contains(&expected));
    }
}
