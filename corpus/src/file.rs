//! The files of the corpus.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use crate::{Marked, Unbalanced};

/// A text with secrets.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// What they are secrets of, for example `github-token`.
    pub family: String,
    /// What prints such texts, for example `json` or `shell`.
    pub form: String,
    /// The text.
    pub marked: Marked,
}

/// A text without secrets.
#[derive(Clone, Debug)]
pub struct Harmless {
    /// Where it comes from, for example `kubectl`.
    pub kind: String,
    /// The text.
    pub text: String,
}

/// Why the corpus cannot be read.
#[derive(Debug)]
pub enum Error {
    /// A file or folder cannot be read.
    File(PathBuf, io::Error),
    /// An entry whose marks do not belong together.
    Entry(PathBuf, String),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(formatter, "cannot read {}: {error}", path.display()),
            Self::Entry(path, text) => {
                write!(formatter, "{}: {Unbalanced} in\n{text}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}

/// All texts with secrets, by family and in the order of their files.
pub fn secrets() -> Result<Vec<Secrets>, Error> {
    let mut all = Vec::new();
    for (path, family, content) in files("secrets")? {
        for (form, text) in entries(&content, |line| line.strip_prefix("=== ").filter(is_word)) {
            let marked = Marked::parse(&text).ok().filter(|it| it.parts.len() > 1);
            let marked = marked.ok_or_else(|| Error::Entry(path.clone(), text.clone()))?;
            all.push(Secrets {
                family: family.clone(),
                form: form.to_owned(),
                marked,
            });
        }
    }
    Ok(all)
}

/// All texts without secrets, by kind and in the order of their files.
pub fn harmless() -> Result<Vec<Harmless>, Error> {
    let mut all = Vec::new();
    for (_, kind, content) in files("harmless")? {
        for (_, text) in entries(&content, |line| (line == "===").then_some("")) {
            all.push(Harmless {
                kind: kind.clone(),
                text,
            });
        }
    }
    Ok(all)
}

/// A word as forms are named, so that `=== RUN   TestIt` in a text separates nothing.
fn is_word(text: &&str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    !text.is_empty() && text.bytes().all(letter)
}

/// Each file's path, its name without the ending, and its content.
fn files(folder: &str) -> Result<Vec<(PathBuf, String, String)>, Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("redaction")
        .join(folder);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| Error::File(path, error)
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(at(&folder))? {
        let path = entry.map_err(at(&folder))?.path();
        let content = fs::read_to_string(&path).map_err(at(&path))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        files.push((path.clone(), name.into_owned(), content));
    }
    files.sort();
    Ok(files)
}

/// Entries that begin behind a line which `separator` recognises, each with what the line says.
fn entries<'a>(
    content: &'a str,
    separator: impl Fn(&'a str) -> Option<&'a str>,
) -> Vec<(&'a str, String)> {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in content.split_inclusive('\n') {
        if let Some(label) = separator(line.trim_end_matches('\n')) {
            entries.push((label, String::new()));
        } else if let Some((_, text)) = entries.last_mut() {
            text.push_str(line);
        }
    }
    for (_, text) in &mut entries {
        if text.ends_with('\n') {
            text.pop();
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_lines_but_the_last_break() {
        let found = entries("=== a\none\n\ntwo\n=== b\n=== RUN x\n", |line| {
            line.strip_prefix("=== ").filter(is_word)
        });
        assert_eq!(
            found,
            [
                ("a", "one\n\ntwo".to_owned()),
                ("b", "=== RUN x".to_owned())
            ]
        );
    }

    #[test]
    fn the_corpus_is_as_large_as_it_must_be() {
        assert!(secrets().unwrap().len() >= 600);
        assert!(harmless().unwrap().len() >= 600);
    }

    #[test]
    fn every_harmless_text_says_something() {
        for harmless in harmless().unwrap() {
            assert!(
                !harmless.text.trim().is_empty(),
                "an empty entry in {}",
                harmless.kind
            );
        }
    }
}
