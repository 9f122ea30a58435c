//! Blocks of ` ```console `: a line that begins with `$ ` is typed, the lines behind it are what it prints.

use std::fs;

use regex::{Captures, NoExpand, Regex};

use crate::support::service::workspace;

/// A command of a document.
#[derive(Debug, PartialEq)]
pub(crate) struct Command {
    /// The heading that it stands under.
    pub(crate) section: String,
    /// What is typed.
    pub(crate) typed: String,
    /// What it prints, in lines.
    pub(crate) prints: Vec<String>,
}

/// All commands of a document, in their order.
pub(crate) fn commands(page: &str) -> Vec<Command> {
    let commands = parse(&read(page));
    for Command { typed, prints, .. } in &commands {
        assert!(!prints.is_empty(), "{page}: `{typed}` prints nothing");
    }
    commands
}

/// The text of a file of `docs`.
pub(crate) fn read(page: &str) -> String {
    let path = workspace().join("docs").join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut section = String::new();
    let mut within = false;
    for line in text.lines() {
        if line.starts_with("```") {
            within = line == "```console";
        } else if within && let Some(typed) = line.strip_prefix("$ ") {
            commands.push(Command {
                section: section.clone(),
                typed: typed.to_owned(),
                prints: Vec::new(),
            });
        } else if within {
            let command = commands.last_mut();
            let command = command.unwrap_or_else(|| panic!("{section}: {line:?} has no command"));
            command.prints.push(line.to_owned());
        } else if line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut section);
        }
    }
    commands
}

impl Command {
    /// Whether `output` is what the document says: its lines come in this order, though others may stand between them.
    /// Within a line, numbers other than a status may be others; `…` may be anything, and space may be of any width.
    pub(crate) fn has_printed(&self, output: &str) -> bool {
        let mut lines = output.lines();
        self.prints.iter().all(|expected| {
            let pattern = pattern(expected);
            lines.any(|line| pattern.is_match(line.trim()))
        })
    }
}

fn pattern(expected: &str) -> Regex {
    let escaped = regex::escape(expected.trim());
    let mut pattern = escaped.replace('…', ".*");
    let is_number = expected.trim().bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        let number = Regex::new(r#"("status":)?\d+"#).expect("a pattern");
        let any = |found: &Captures<'_>| match found.get(1) {
            Some(_) => found[0].to_owned(),
            None => r"\d+".to_owned(),
        };
        pattern = number.replace_all(&pattern, any).into_owned();
    }
    for (from, to) in [(r"(\\-|-){3,}", "-+"), (r"\s+", r"\s+")] {
        let from = Regex::new(from).expect("a pattern");
        pattern = from.replace_all(&pattern, NoExpand(to)).into_owned();
    }
    Regex::new(&format!("^{pattern}$")).expect("a pattern")
}

#[test]
fn commands_and_what_they_print_are_told_apart() {
    let text = "# A page\n```console\n$ one\nline\n  line\n$ two\n```\n## A section\n```\n$ none\n```\n```console\n$ three\n```";
    let command = |section: &str, typed: &str, prints: &[&str]| Command {
        section: section.to_owned(),
        typed: typed.to_owned(),
        prints: prints.iter().map(|&line| line.to_owned()).collect(),
    };
    let expected = [
        command("A page", "one", &["line", "  line"]),
        command("A page", "two", &[]),
        command("A section", "three", &[]),
    ];
    assert_eq!(parse(text), expected);
}

#[test]
fn what_is_printed_has_the_form_that_the_document_shows() {
    let command = Command {
        section: String::new(),
        typed: String::new(),
        prints: ["{\"a\":1,…}", " n | -----", "415", "\"status\":404"]
            .map(str::to_owned)
            .into(),
    };
    for (output, expected) in [
        ("{\"a\":1,\"b\":2}\n n   | --\n415\n\"status\":404", true),
        (
            "before\n{\"a\":23,}\nbetween\nn | -------\n415\n\"status\":404\nbehind",
            true,
        ),
        ("{\"a\":1,\"b\":2}\n n | -----\n415", false),
        ("{\"a\":1,\"b\":2}\n n | -----\n413\n\"status\":404", false),
        ("{\"a\":1,\"b\":2}\n n | -----\n415\n\"status\":500", false),
        ("{\"a\":\"1\",}\n n | -----\n415\n\"status\":404", false),
        ("n | -----\n{\"a\":1,}\n415\n\"status\":404", false),
        ("", false),
    ] {
        assert_eq!(command.has_printed(output), expected, "{output}");
    }
}
