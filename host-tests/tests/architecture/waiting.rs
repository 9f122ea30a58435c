//! Tests wait for conditions, by the crate `patience`. Where time itself is the subject a comment says why, directly above; a
//! loop that waits has a `deadline`, or ends at a `stop`. A `while let` ends with what it reads from. What is inside the
//! arguments of a macro is seen where it sleeps, and not where it loops.

use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::modules::{files, parse, sorted};
use crate::workspace;

/// How a comment begins that says why a test is about time.
const MARKER: &str = "// Time itself: ";

/// What passes time, limits it or measures it.
const ABOUT_TIME: [&str; 3] = ["sleep(", "timeout(", ".elapsed()"];

#[test]
fn tests_wait_for_conditions() {
    let files = test_code();
    assert!(files.len() > 100, "only {} files", files.len());
    let mut faults = Vec::new();
    for file in files {
        // Of what a crate has in `src` only the modules for its tests are.
        let within = file
            .strip_prefix(workspace())
            .expect("a file of the workspace");
        let whole = within.iter().any(|part| part == "tests");
        for fault in faults_of(&file, whole) {
            faults.push(format!("{}: {fault}", file.display()));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_waits_for_a_time_or_without_a_deadline_is_found() {
    let samples = workspace().join("host-tests/tests/architecture/samples");
    let found = faults_of(&samples.join("bad.rs"), true);
    let expected = [
        "line 2 is about time and does not say why",
        "line 4 is about time and does not say why",
        "line 5 is about time and does not say why",
        "line 6 is about time and does not say why",
        "`hangs` has a loop without a deadline",
        "`hangs` has a loop without a deadline",
        "`hangs` has a loop without a deadline",
        "`hangs` has a loop without a deadline",
    ];
    assert_eq!(found, expected);
    assert_eq!(faults_of(&samples.join("good.rs"), true), [""; 0]);
}

/// All files that have tests, apart from the samples of this one.
fn test_code() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["bench", "components", "crates", "tools"] {
        for package in sorted(&workspace().join(folder)) {
            for part in ["src", "tests"] {
                let part = package.join(part);
                if part.is_dir() {
                    all.extend(files(&part));
                }
            }
        }
    }
    for folder in ["bench/src", "host-tests/src", "host-tests/tests"] {
        all.extend(files(&workspace().join(folder)));
    }
    all.retain(|file| !is_exempt(file));
    all
}

/// The helpers themselves, the samples, and what runs on a simulated clock, where waiting takes no time.
fn is_exempt(file: &Path) -> bool {
    let path = file.to_string_lossy();
    path.contains("tools/patience/src/")
        || path.contains("architecture/samples/")
        || read(file).contains("runtime::simulated")
}

/// What is wrong with a file's tests. The file itself is test code, or else its module `tests` is.
fn faults_of(file: &Path, whole: bool) -> Vec<String> {
    let text = read(file);
    let begin = if whole {
        Some(0)
    } else {
        text.lines().position(|line| line == "mod tests {")
    };
    let Some(begin) = begin else {
        return Vec::new();
    };
    let mut faults = unexplained(&text, begin);
    let mut visitor = Loops {
        counts: whole,
        function: String::new(),
        faults: Vec::new(),
    };
    visitor.visit_file(&parse(file));
    faults.extend(visitor.faults);
    faults
}

/// Lines that are about time, without a comment that says why.
fn unexplained(text: &str, begin: usize) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    let numbers = (begin..lines.len()).filter(|&number| {
        let above = lines[..number].iter().rev();
        let mut comment = above.take_while(|line| line.starts_with("//"));
        is_about_time(lines[number]) && !comment.any(|line| line.starts_with(MARKER))
    });
    numbers
        .map(|number| format!("line {} is about time and does not say why", number + 1))
        .collect()
}

fn is_about_time(line: &str) -> bool {
    !line.starts_with("//")
        && ABOUT_TIME.iter().any(|call| {
            line.match_indices(call).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                // Not `pg_sleep`, nor the name of something else.
                call.starts_with('.')
                    || !before.is_some_and(|c| c.is_alphanumeric() || "_\"".contains(c))
            })
        })
}

/// Looks for loops that wait.
struct Loops {
    /// Whether this is test code.
    counts: bool,
    function: String,
    faults: Vec<String>,
}

impl Loops {
    fn see(&mut self, is_endless: bool, parts: &[&dyn Fn(&mut Waits)]) {
        let mut waits = Waits::default();
        for visit in parts {
            visit(&mut waits);
        }
        if self.counts && is_endless && waits.awaits && !waits.has_deadline {
            let function = &self.function;
            let fault = format!("`{function}` has a loop without a deadline");
            self.faults.push(fault);
        }
    }
}

impl<'ast> Visit<'ast> for Loops {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let counts = self.counts;
        self.counts |= module.ident == "tests";
        visit::visit_item_mod(self, module);
        self.counts = counts;
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function = function.sig.ident.to_string();
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function = function.sig.ident.to_string();
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_loop(&mut self, found: &'ast syn::ExprLoop) {
        self.see(true, &[&|waits| waits.visit_block(&found.body)]);
        visit::visit_expr_loop(self, found);
    }

    fn visit_expr_while(&mut self, found: &'ast syn::ExprWhile) {
        let is_endless = !matches!(*found.cond, syn::Expr::Let(_));
        let condition: &dyn Fn(&mut Waits) = &|waits| waits.visit_expr(&found.cond);
        let body: &dyn Fn(&mut Waits) = &|waits| waits.visit_block(&found.body);
        self.see(is_endless, &[condition, body]);
        visit::visit_expr_while(self, found);
    }

    fn visit_expr_for_loop(&mut self, found: &'ast syn::ExprForLoop) {
        let is_endless = matches!(&*found.expr, syn::Expr::Range(range) if range.end.is_none());
        self.see(is_endless, &[&|waits| waits.visit_block(&found.body)]);
        visit::visit_expr_for_loop(self, found);
    }
}

/// What a loop does.
#[derive(Default)]
struct Waits {
    awaits: bool,
    has_deadline: bool,
}

impl<'ast> Visit<'ast> for Waits {
    fn visit_expr_await(&mut self, found: &'ast syn::ExprAwait) {
        self.awaits = true;
        visit::visit_expr_await(self, found);
    }

    /// `select!`, `join!` and their like await what they are given.
    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        let name = found
            .path
            .segments
            .last()
            .map(|part| part.ident.to_string());
        self.awaits |= name.is_some_and(|name| ["join", "select"].contains(&name.as_str()));
    }

    /// `deadline.check(…)`, `deadline.pause(…)`, `stop.requested()`, whoever holds the two.
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let of = match &*call.receiver {
            syn::Expr::Path(path) => path.path.segments.last().map(|part| part.ident.to_string()),
            syn::Expr::Field(field) => match &field.member {
                syn::Member::Named(name) => Some(name.to_string()),
                syn::Member::Unnamed(_) => None,
            },
            _ => None,
        };
        let of = of.unwrap_or_default();
        let method = call.method.to_string();
        self.has_deadline |= matches!(
            (of.as_str(), method.as_str()),
            ("deadline", "check" | "pause") | ("stop", "requested")
        );
        visit::visit_expr_method_call(self, call);
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
