//! Which series an expression of Prometheus speaks of. It need not be right: `promtool` sees to that.

/// A metric in an expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) name: String,
    /// Label, operator and value of each matcher.
    pub(crate) matchers: Vec<(String, String, String)>,
}

/// What an expression speaks of.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    pub(crate) references: Vec<Reference>,
    /// The labels that it groups or joins by.
    pub(crate) groupings: Vec<String>,
}

/// What stands before labels in parentheses.
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// What stands between two operands.
const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

pub(crate) fn spoken(expression: &str) -> Spoken {
    let mut spoken = Spoken::default();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first == '[' {
            rest = rest.split_once(']').expect("an end of the range").1;
        } else if first == '"' {
            rest = rest[1..].split_once('"').expect("an end of the text").1;
        } else if first.is_ascii_digit() {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if is_of_name(first) {
            rest = word(rest, &mut spoken);
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    spoken
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Takes a word, and what belongs to it.
fn word<'t>(text: &'t str, spoken: &mut Spoken) -> &'t str {
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let behind = rest.trim_start();
    if GROUPING.contains(&name) {
        let labels = behind.strip_prefix('(').expect("labels in parentheses");
        let (labels, rest) = labels.split_once(')').expect("an end of the labels");
        let labels = labels.split(',').map(str::trim);
        let labels = labels.filter(|label| !label.is_empty());
        spoken.groupings.extend(labels.map(str::to_owned));
        return rest;
    }
    let is_function = behind.starts_with('(');
    if is_function || OPERATORS.contains(&name) || is_aggregation(name) {
        return rest;
    }
    let (matchers, rest) = match behind.strip_prefix('{') {
        Some(selector) => matchers(selector),
        None => (Vec::new(), rest),
    };
    spoken.references.push(Reference {
        name: name.to_owned(),
        matchers,
    });
    rest
}

/// One that may have `by` before its parentheses.
fn is_aggregation(name: &str) -> bool {
    [
        "sum", "min", "max", "avg", "count", "topk", "bottomk", "quantile",
    ]
    .contains(&name)
}

/// Those of a selector, behind its brace, and what follows it. A value has no comma, quote or brace in it.
fn matchers(selector: &str) -> (Vec<(String, String, String)>, &str) {
    let (selector, rest) = selector.split_once('}').expect("an end of the selector");
    let matchers = selector
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let matchers = matchers.map(|text| {
        let end = text.find(|c| !is_of_name(c)).expect("an operator");
        let (label, matched) = text.split_at(end);
        let (operator, value) = matched.split_once('"').expect("a value");
        let value = value.strip_suffix('"').expect("an end of the value");
        (
            label.to_owned(),
            operator.trim().to_owned(),
            value.to_owned(),
        )
    });
    (matchers.collect(), rest)
}

#[test]
fn metrics_matchers_and_groupings_are_found() {
    let found = spoken(
        r#"histogram_quantile(0.95, sum by (le, job) (rate(a_bucket{x=~"b|c",le="0.1"}[5m]))) > 1e3
           unless on (job) (d:e_5m and f) or absent(g) offset 5m + sum(h)"#,
    );
    let names: Vec<_> = found.references.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["a_bucket", "d:e_5m", "f", "g", "h"]);
    let matcher = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        found.references[0].matchers,
        [matcher("x", "=~", "b|c"), matcher("le", "=", "0.1")]
    );
    assert_eq!(found.groupings, ["le", "job", "job"]);
}
