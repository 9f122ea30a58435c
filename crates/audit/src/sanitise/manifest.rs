//! Kubernetes Secrets in a text: which `data` holds secrets and not settings.
//!
//! One pass over YAML, JSON, JSON in strings and Go's `map[…]`. Objects are known by their braces and by their columns at the same
//! time; a text that mixes both has its data found by one of them.

use super::text::{BACKSLASH, BLANK, NAME, QUOTE, Text, minus, plus};
use super::value::indentation;

/// An object, as far as it is known.
#[derive(Default)]
struct Object {
    column: usize,
    kind: Kind,
    /// Where the colons of its data are.
    data: Vec<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Unknown,
    /// By a Secret's `type`.
    Likely,
    Secret,
    List,
    Other,
}

/// Whether a name is one of a Secret's data.
pub(super) fn is_data(name: &[u8]) -> bool {
    matches!(
        name,
        b"data" | b"Data" | b"stringData" | b"StringData" | b"binaryData" | b"BinaryData"
    )
}

/// Where the colons are behind which a Secret's data is, in order.
pub(super) fn secret_data(text: Text<'_>) -> Vec<usize> {
    let mut pass = Pass {
        text,
        // What no brace is around.
        braces: vec![Object::default()],
        ..Pass::default()
    };
    for (at, byte) in text.0.iter().enumerate() {
        match byte {
            b'{' | b'[' => pass.braces.push(Object {
                kind: if text.has(minus(at, 6), "Secret{") {
                    Kind::Secret
                } else {
                    Kind::Unknown
                },
                ..Object::default()
            }),
            b'}' | b']' if pass.braces.len() > 1 => close(&mut pass.braces, &mut pass.found),
            b'\n' if text.has(plus(at, 1), "---") => pass.end_lines(0),
            b':' => pass.pair(at),
            _ => {}
        }
    }
    pass.end_lines(0);
    while !pass.braces.is_empty() {
        close(&mut pass.braces, &mut pass.found);
    }
    pass.found.sort_unstable();
    pass.found.dedup();
    pass.found
}

struct Pass<'t> {
    text: Text<'t>,
    braces: Vec<Object>,
    lines: Vec<Object>,
    found: Vec<usize>,
}

impl Default for Pass<'_> {
    fn default() -> Self {
        Self {
            text: Text(b""),
            braces: Vec::new(),
            lines: Vec::new(),
            found: Vec::new(),
        }
    }
}

impl Pass<'_> {
    /// At the colon of a pair.
    fn pair(&mut self, at: usize) {
        let text = self.text;
        let floor = minus(at, 32);
        let end = text.run_back(floor, at, QUOTE | BACKSLASH | BLANK);
        let start = text.run_back(floor, end, NAME);
        let name = text.slice(start, end);
        let begins_line = self.begin_line(start);
        let depth = self.braces.len();
        let word = text.run(plus(at, 1), BLANK | QUOTE | BACKSLASH);
        let value = text.slice(word, text.run(word, NAME));
        let kind = match name {
            b"kind" | b"Kind" => match value {
                b"Secret" => Kind::Secret,
                b"SecretList" => Kind::List,
                b"" => return,
                _ => Kind::Other,
            },
            b"type" | b"Type" if is_secret_type(value) => Kind::Likely,
            _ if is_data(name) => {
                let braces = self.braces.last_mut().filter(|_| depth > 1 || !begins_line);
                for object in [braces, self.lines.last_mut()].into_iter().flatten() {
                    object.data.push(at);
                }
                // Only Secrets have texts that are still to be encoded.
                if name.starts_with(b"string") || name.starts_with(b"String") {
                    self.found.push(at);
                }
                return;
            }
            _ => return,
        };
        for object in [self.braces.last_mut(), self.lines.last_mut()]
            .into_iter()
            .flatten()
        {
            if object.kind == Kind::Unknown || object.kind == Kind::Likely {
                object.kind = kind;
            }
        }
    }

    /// Notices that a name begins a line.
    fn begin_line(&mut self, start: usize) -> bool {
        let text = self.text;
        let floor = minus(start, 256);
        let mut line = start;
        while line > floor && matches!(text.byte_before(line), b' ' | b'-' | b'+' | b'"') {
            line = minus(line, 1);
        }
        if line > 0 && text.byte_before(line) != b'\n' {
            return false;
        }
        let column = minus(start, line);
        let is_item = text.slice(indentation(text, line), start).contains(&b'-');
        self.end_lines(if is_item { column } else { plus(column, 1) });
        if self
            .lines
            .last()
            .is_none_or(|object| object.column < column)
        {
            self.lines.push(Object {
                column,
                ..Object::default()
            });
        }
        true
    }

    /// Ends the objects from a column on.
    fn end_lines(&mut self, column: usize) {
        while self
            .lines
            .last()
            .is_some_and(|object| object.column >= column)
        {
            close(&mut self.lines, &mut self.found);
        }
    }
}

/// Ends the innermost object. What is not known of it, the one around may say.
fn close(objects: &mut Vec<Object>, found: &mut Vec<usize>) {
    let Some(object) = objects.pop() else {
        return;
    };
    match (object.kind, objects.last_mut()) {
        (Kind::Secret | Kind::Likely | Kind::List, _) => found.extend(object.data),
        (Kind::Unknown, Some(around)) if !object.data.is_empty() => around.data.extend(object.data),
        _ => {}
    }
}

/// A `type` that only Secrets have.
fn is_secret_type(value: &[u8]) -> bool {
    let known = [
        &b"Opaque"[..],
        b"kubernetes.io",
        b"bootstrap.kubernetes.io",
        b"helm.sh",
    ];
    known.contains(&value)
}
