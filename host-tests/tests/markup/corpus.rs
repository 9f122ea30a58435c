//! The texts in `corpus/markup`: entries that begin with a line `=== name`. `{{U+0001}}` stands for a control character.

use std::fs;

use crate::support::service::workspace;

/// What says in an entry's name that its text has no tag, and comes back as it was sent.
const TEXT: &str = " (text)";

/// An entry.
pub(crate) struct Entry {
    /// Says what is special about it.
    pub(crate) name: String,
    /// As it is sent.
    pub(crate) text: String,
    /// Whether it has no tag, and is text by the contract.
    pub(crate) is_text: bool,
}

/// The entries of a file in `corpus/markup`.
pub(crate) fn read(file: &str) -> Vec<Entry> {
    let path = workspace().join("corpus/markup").join(file);
    let content = fs::read_to_string(&path).expect("a corpus");
    let rest = content.strip_prefix("=== ").expect("a name first");
    rest.split("\n=== ").map(entry).collect()
}

fn entry(lines: &str) -> Entry {
    let (name, text) = lines.split_once('\n').expect("a text below the name");
    let plain = name.strip_suffix(TEXT);
    Entry {
        name: plain.unwrap_or(name).to_owned(),
        // The last entry ends with the file's line end.
        text: unescape(text.strip_suffix('\n').unwrap_or(text)),
        is_text: plain.is_some(),
    }
}

fn unescape(text: &str) -> String {
    let mut parts = text.split("{{U+");
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once("}}").expect("an end of {{U+");
        let code = u32::from_str_radix(code, 16).expect("a hexadecimal number");
        unescaped.push(char::from_u32(code).expect("a character"));
        unescaped.push_str(rest);
    }
    unescaped
}

#[test]
fn characters_are_written_by_their_number() {
    assert_eq!(unescape("a{{U+0001}}b{{U+1F389}}"), "a\u{1}b🎉");
    assert_eq!(unescape("{{ .Values.image }}"), "{{ .Values.image }}");
}

#[test]
fn names_are_unique() {
    for file in ["attacks.txt", "harmless.txt"] {
        let mut names: Vec<_> = read(file).into_iter().map(|entry| entry.name).collect();
        names.sort();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "{file}");
    }
}
