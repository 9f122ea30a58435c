//! `docs/logging.md` has every `msg` that the service writes, with its levels, and every field of a line; and nothing else.
//! What is inside the arguments of a macro is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use syn::visit::{self, Visit};

use crate::modules::{files, flatten, is_test, parse, sorted};
use crate::workspace;

/// Messages, and the levels of each. The line of a request has the level that its status asks for.
type Messages = BTreeMap<String, BTreeSet<String>>;

const REQUEST: &str = "request";

/// What writes all others.
const EVENT: [&str; 2] = ["instance", "event"];

#[test]
fn every_message_is_documented() {
    let mut written = Messages::new();
    let mut faults = Vec::new();
    for folder in ["crates", "components"] {
        for package in sorted(&workspace().join(folder)) {
            for file in files(&package.join("src")) {
                // Where events are made into lines.
                if file.ends_with("instance/src/log.rs") {
                    continue;
                }
                let found = messages(&parse(&file));
                for fault in found.faults {
                    faults.push(format!("{}: {fault}", file.display()));
                }
                for (msg, levels) in found.messages {
                    written.entry(msg).or_default().extend(levels);
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let mut documented = table("messages");
    let of_requests = documented.remove(REQUEST);
    assert!(of_requests.is_some() && written.remove(REQUEST).is_some());
    assert_eq!(documented, written, "docs/logging.md, and the sources");
}

#[test]
fn every_field_is_documented() {
    let file = parse(&workspace().join("crates/instance/src/log.rs"));
    let fields_of = |name: &str| {
        let fields = file.items.iter().find_map(|item| match item {
            syn::Item::Struct(item) if item.ident == name => Some(&item.fields),
            _ => None,
        });
        let fields = fields.unwrap_or_else(|| panic!("log.rs has no {name}"));
        let names = fields.iter().filter_map(|field| field.ident.as_ref());
        names.map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut written: BTreeSet<_> = fields_of("Stamp").into_iter().collect();
    assert!(written.remove("line"), "a stamp has a line");
    written.extend(fields_of("Line"));
    let documented: BTreeSet<_> = table("fields").into_keys().collect();
    assert_eq!(documented, written, "docs/logging.md, and the sources");
}

#[test]
fn every_way_to_write_a_message_is_seen() {
    let of = |code: &str| messages(&syn::parse_file(code).expect("Rust"));
    let seen = of(r#"
        fn f() {
            instance::event(Level::Warn, "a", &format!("{x}"));
            instance::event(instance::Level::Error, "a", "why");
            event(x);
            let line = Line { msg: "b", ..Line::default() };
            g(instance::Line { msg: "c", ..Line::default() });
        }
        #[cfg(test)]
        mod tests { fn f() { instance::event(Level::Info, "d", ""); } }
    "#);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let expected: Messages = [
        ("a", words(&["warn", "error"])),
        ("b", words(&[])),
        ("c", words(&[])),
    ]
    .map(|(msg, levels)| (msg.to_owned(), levels))
    .into();
    assert_eq!(seen.messages, expected);
    assert_eq!(seen.faults, [""; 0]);
    for unclear in [
        r#"fn f() { instance::event(Level::Warn, msg, ""); }"#,
        r#"fn f() { instance::event(level, "a", ""); }"#,
        r#"fn f() { instance::event("a", ""); }"#,
        "fn f() { write(Line { msg, ..Line::default() }) }",
        "use instance::{Level, event};",
    ] {
        assert_eq!(of(unclear).faults.len(), 1, "{unclear}");
    }
}

/// The names in the first column of a table of the page, and the words in code in the second.
fn table(name: &str) -> Messages {
    let text = fs::read_to_string(workspace().join("docs/logging.md")).expect("docs/logging.md");
    let begin = format!("<!-- {name}: begin -->");
    let (_, rest) = text.split_once(&begin).expect("the first marker");
    let end = format!("<!-- {name}: end -->");
    let (table, _) = rest.split_once(&end).expect("the second marker");
    let mut rows = Messages::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let columns: Vec<_> = line.split('|').collect();
        let key = in_code(columns[1]).next().expect("a name").to_owned();
        let levels = in_code(columns[2]).map(str::to_owned);
        rows.entry(key).or_default().extend(levels);
    }
    rows
}

/// The words between backticks.
fn in_code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn messages(file: &syn::File) -> Found {
    let mut found = Found::default();
    found.visit_file(file);
    found
}

#[derive(Default)]
struct Found {
    messages: Messages,
    /// What writes a line of which it is not plain what it says.
    faults: Vec<String>,
}

impl Found {
    fn event(&mut self, arguments: &[&syn::Expr]) {
        let parts = match arguments {
            [level, msg, _] => word(msg).zip(level_of(level)),
            _ => None,
        };
        match parts {
            Some((msg, level)) => {
                self.messages.entry(msg).or_default().insert(level);
            }
            None => self
                .faults
                .push("an event without a plain level and `msg`".to_owned()),
        }
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(module) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, used: &'ast syn::ItemUse) {
        let mut paths = Vec::new();
        flatten(&used.tree, &mut Vec::new(), &mut paths);
        if paths.iter().any(|path| path[..] == EVENT) {
            self.faults
                .push("call it by its path: instance::event".to_owned());
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if names(&call.func) == EVENT {
            self.event(&call.args.iter().collect::<Vec<_>>());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_struct(&mut self, made: &'ast syn::ExprStruct) {
        let is_line = made
            .path
            .segments
            .last()
            .is_some_and(|name| name.ident == "Line");
        let mut fields = made.fields.iter().filter(|_| is_line);
        let msg =
            fields.find(|field| matches!(&field.member, syn::Member::Named(name) if name == "msg"));
        match msg.map(|field| word(&field.expr)) {
            Some(Some(msg)) => {
                self.messages.entry(msg).or_default();
            }
            Some(None) => self.faults.push("a line without a plain `msg`".to_owned()),
            None => {}
        }
        visit::visit_expr_struct(self, made);
    }
}

/// A text that stands there.
fn word(expression: &syn::Expr) -> Option<String> {
    match expression {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// The name of `Level::Name` as it is in the log.
fn level_of(expression: &syn::Expr) -> Option<String> {
    match &names(expression)[..] {
        [.., level, name] if level == "Level" => Some(name.to_lowercase()),
        _ => None,
    }
}

/// The parts of a path.
fn names(expression: &syn::Expr) -> Vec<String> {
    match expression {
        syn::Expr::Path(path) => {
            let segments = path.path.segments.iter();
            segments.map(|segment| segment.ident.to_string()).collect()
        }
        _ => Vec::new(),
    }
}
