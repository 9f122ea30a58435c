//! What gitleaks would find: its rules applied as it applies them, with keywords, entropy and its exceptions. Its list of
//! words that make a generic value none is left out, which lets it find more, here and among the harmless.

use std::ops::Range;

use anyhow::Result;
use corpus::{Harmless, Secrets};
use regex::{Captures, Regex, RegexBuilder};

use super::gitleaks_rules::{GENERIC, How, RULES, Rule};
use super::score::Score;

/// Values that no rule takes: words for nothing, variables, templates, formats, paths.
const NO_VALUES: [&str; 9] = [
    r"(?i)^true|false|null$",
    r"^(?i:a+|x+|\*+|\.+)$",
    r"^\$(?:\d+|\{\d+\})$",
    r"^\$\{?(?:[A-Z_]+|[a-z_]+)\}?$",
    r"^\{\{[ \t]*[\w ().|]+[ \t]*\}\}$",
    r"^\$\{\{[ \t]*(?:env|github|secrets|vars)[.][^}]*\}\}$",
    r"^[%@](?:[A-Z_]+|[a-z_]+)[%@]$",
    r"^/(?:bin|etc|home|opt|tmp|usr|var)/[\w ./-]+$",
    r"EXAMPLE$",
];

/// Names that the generic rule does not take.
const NO_NAMES: &str = r"(?i)access(?:ibility|or)|access[_.-]?id|random[_.-]?access|api[_.-]?(?:id|name|version)|rapid|capital|author|credentials?[_.-]?id|(?:bucket|foreign|hot|natural|primary|pub(?:lic)?|schema|sequence)[_.-]?key|turkey|key[_.-]?(?:alias|board|code|frame|id|length|name|pair|ring|size|store|word|up|down|left|right)|key[_.-]?vault[_.-]?(?:id|name)|(?:secret)[_.-]?(?:length|name|size)|csrf[_.-]?token|(?:api|credentials|token)[_.-]?(?:endpoint|ur[il])|public[_.-]?token|(?:key|token)[_.-]?file";

/// Expressions with many repetitions are large, in bytes.
const LARGEST: usize = 1 << 28;

struct Compiled {
    rule: Rule,
    expression: Regex,
}

struct Scanner {
    rules: Vec<Compiled>,
    generic: Compiled,
    letters_only: Regex,
    no_names: Regex,
    no_values: Vec<Regex>,
}

pub(super) fn measure(secrets: &[Secrets], harmless: &[Harmless]) -> Result<Score> {
    let scanner = Scanner::new()?;
    Ok(Score::of_findings(secrets, harmless, |text, _| {
        scanner.find(text)
    }))
}

impl Scanner {
    fn new() -> Result<Self> {
        Ok(Self {
            rules: RULES.into_iter().map(compile).collect::<Result<_>>()?,
            generic: compile(GENERIC)?,
            letters_only: Regex::new("^[a-zA-Z_.-]+$")?,
            no_names: Regex::new(NO_NAMES)?,
            no_values: NO_VALUES
                .into_iter()
                .map(Regex::new)
                .collect::<Result<_, _>>()?,
        })
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let lower = text.to_ascii_lowercase();
        let rules = self.rules.iter().chain([&self.generic]);
        let rules = rules.filter(|it| it.rule.0.iter().any(|word| lower.contains(word)));
        rules.flat_map(|it| self.apply(it, text)).collect()
    }

    fn apply(&self, compiled: &Compiled, text: &str) -> Vec<Range<usize>> {
        let is_generic = std::ptr::eq(compiled, &raw const self.generic);
        let accepted = |captures: &Captures<'_>| {
            let (value, whole) = (value(captures)?, captures.get(0)?);
            let excepted = entropy(value.as_str()) <= compiled.rule.3
                || self.no_values.iter().any(|it| it.is_match(value.as_str()))
                || is_generic && self.letters_only.is_match(value.as_str())
                || is_generic && self.no_names.is_match(whole.as_str());
            (!excepted).then(|| value.range())
        };
        let all = compiled.expression.captures_iter(text);
        all.filter_map(|captures| accepted(&captures)).collect()
    }
}

/// The first group that took part, or all of it.
fn value<'a>(captures: &Captures<'a>) -> Option<regex::Match<'a>> {
    let groups = captures.iter().skip(1).flatten();
    groups.chain(captures.get(0)).next()
}

/// With what gitleaks puts around the expression of a value.
fn compile(rule: Rule) -> Result<Compiled> {
    const END: &str = r#"(?:[`'"\s;]|\\[nr]|$)"#;
    const SIGN: &str = r"(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)";
    let (_, how, value, _) = rule;
    let expression = match how {
        How::Plain => value.to_owned(),
        How::Word => format!(r"\b({value}){END}"),
        How::Assigned(names) => format!(
            r#"(?i)[\w.-]{{0,50}}?(?:{names})(?:[ \t\w.-]{{0,20}})[\s'"]{{0,3}}{SIGN}[`'"\s=]{{0,5}}({value}){END}"#
        ),
    };
    Ok(Compiled {
        rule,
        expression: RegexBuilder::new(&expression).size_limit(LARGEST).build()?,
    })
}

/// Shannon's, in bits per character.
#[expect(clippy::cast_precision_loss, reason = "lengths")]
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for letter in text.chars() {
        *counts.entry(letter).or_insert(0_usize) += 1;
    }
    let length = text.chars().count().max(1) as f64;
    let share = |count: &usize| *count as f64 / length;
    -counts
        .values()
        .map(|count| share(count) * share(count).log2())
        .sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_gitleaks_finds_and_leaves_what_it_leaves() {
        let scanner = Scanner::new().unwrap();
        for text in [
            "AKIAQYLPMN5HHHFPZAM2",
            "client_secret = \"6da89121079f83b2eb6acccf8219ea982c3d79bc\"",
            "export K=dapi0123456789abcdef0123456789abcdef",
        ] {
            assert!(!scanner.find(text).is_empty(), "{text}");
        }
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "token: ${TOKEN}",
            "password: short",
            "primary_key = 6da89121079f83b2eb6a",
        ] {
            assert!(scanner.find(text).is_empty(), "{text}");
        }
    }
}
