//! Lines of the documents that begin with `cargo xtask` are read as this program reads them, so that no document names a
//! command or an option that there is not.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use clap::Parser;
use clap::error::ErrorKind;

use crate::cargo::workspace;
use crate::program;
use crate::{Arguments, Command};

/// A line of a document.
struct Line {
    page: String,
    words: Vec<String>,
}

impl Line {
    fn names(&self, command: &str) -> bool {
        self.words.get(2).is_some_and(|word| word == command)
    }
}

#[test]
fn every_command_of_the_documents_can_be_read() {
    let lines = lines();
    assert!(lines.len() > 50, "only {} were found", lines.len());
    for Line { page, words } in lines {
        // What is named in a sentence need not be complete.
        match Arguments::try_parse_from(&words[1..]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {}
            Err(error) => panic!("{page}: {}\n{error}", words.join(" ")),
        }
    }
}

/// The commands that are programs of their own read their options themselves.
#[test]
fn every_option_of_the_other_programs_can_be_read() {
    for (package, name) in [
        ("migrate", "migrate"),
        ("backfill", "backfill"),
        ("project", "project"),
        ("archive", "archive"),
        ("archive", "restore"),
    ] {
        let named: Vec<_> = lines()
            .into_iter()
            .filter(|line| line.names(name))
            .collect();
        assert!(!named.is_empty(), "no document names {name}");
        for Line { page, words } in named {
            let mut program = program(package, name);
            // What stands before it has to be right all the same.
            let output = program
                .args(&words[3..])
                .arg("--help")
                .output()
                .expect("its help");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{page}: {}\n{said}",
                words.join(" ")
            );
        }
    }
}

/// The program of this name in a package: the one that the tests of its own package use, if it was built with this one.
fn program(package: &str, name: &str) -> process::Command {
    let own = env::current_exe().expect("this program");
    let built = own
        .parent()
        .and_then(Path::parent)
        .map(|folder| folder.join(name));
    match built.filter(|path| path.is_file()) {
        Some(path) => process::Command::new(path),
        None => program::command(package, name).expect("the program"),
    }
}

#[test]
fn what_there_is_not_cannot_be_read() {
    for line in [
        "cargo xtask fly",
        "cargo xtask up --wings 2",
        "cargo xtask deploy render --target moon",
    ] {
        let words = words(line).expect("a command");
        assert!(Arguments::try_parse_from(&words[1..]).is_err(), "{line}");
    }
    let line = words("`cargo xtask deploy render --target kubernetes`").expect("a command");
    let read = Arguments::try_parse_from(&line[1..]).expect("a command");
    assert!(matches!(read.command, Command::Deploy(_)));
}

/// All of them.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let page = page.display().to_string();
        let found = text
            .match_indices("cargo xtask ")
            .filter_map(|(at, _)| words(&text[at.saturating_sub(1)..]));
        lines.extend(found.map(|words| Line {
            page: page.clone(),
            words,
        }));
    }
    lines
}

fn pages() -> Vec<PathBuf> {
    let root = workspace();
    let mut pages = vec![root.join("README.md"), root.join("migrations/README.md")];
    for folder in ["docs", "docs/performance"] {
        let entries = fs::read_dir(root.join(folder)).expect("a folder");
        let files = entries.map(|entry| entry.expect("a file").path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|end| end == "md")));
    }
    pages
}

/// The words of a command, which ends with its line or with what it stands in.
fn words(text: &str) -> Option<Vec<String>> {
    let quoted = text.starts_with(['`', '(']);
    let text = text.trim_start_matches(['`', '(', ' ', '\n', '$', '|']);
    let end = text
        .find(['\n', '#', '>', '|', ')', ';', '&'])
        .unwrap_or(text.len());
    let text = &text[..end];
    let text = if quoted {
        text.split('`').next()?
    } else {
        text
    };
    let words: Vec<_> = text
        .split_whitespace()
        .map(|word| word.trim_matches(['"', ',', ':', '`']))
        // What stands for a number, or for an address.
        .map(|word| match word {
            "N" => "1",
            "URL" => "http://127.0.0.1:3000",
            other => other,
        })
        .map(str::to_owned)
        .collect();
    (words.len() > 2).then_some(words)
}
