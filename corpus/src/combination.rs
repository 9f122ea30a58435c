//! Families × forms × wrappers × noise, made up from a seed.

use crate::family::FAMILIES;
use crate::{Chance, Family, Marked};

/// A made-up text.
#[derive(Clone, Debug)]
pub struct Combination {
    /// What the secret is.
    pub family: &'static str,
    /// In what it stands.
    pub form: &'static str,
    /// What that stands in.
    pub wrapper: &'static str,
    /// What disturbs.
    pub noise: &'static str,
    /// The text.
    pub marked: Marked,
}

/// So many combinations; the same for the same seed.
pub fn combinations(seed: u64, count: usize) -> impl Iterator<Item = Combination> {
    let mut chance = Chance::seeded(seed);
    (0..count).map(move |_| {
        loop {
            if let Some(combination) = combine(&mut chance) {
                return combination;
            }
        }
    })
}

/// A way to write a name and its value.
struct Form {
    name: &'static str,
    /// `NAME`, `name`, `camelName`, `kebab-name` and `VALUE` in braces.
    template: &'static str,
    /// Whether a value may contain spaces.
    delimited: bool,
    /// Whether the name stands in the open, where colours and invisible characters occur.
    open: bool,
}

const fn form(name: &'static str, template: &'static str, delimited: bool, open: bool) -> Form {
    Form {
        name,
        template,
        delimited,
        open,
    }
}

const FORMS: [Form; 28] = [
    form("env", "{NAME}={VALUE}", false, true),
    form("env", "export {NAME}=\"{VALUE}\"", true, true),
    form(
        "json",
        r#"{"user":"app","{name}":"{VALUE}","port":1}"#,
        true,
        false,
    ),
    form("json", r#"{"{camelName}": "{VALUE}"}"#, true, false),
    form(
        "json",
        r#"[{"name":"{NAME}","value":"{VALUE}"}]"#,
        true,
        false,
    ),
    form("yaml", "retries: 3\n{name}: {VALUE}\nhost: db", true, true),
    form("yaml", "- name: {NAME}\n  value: \"{VALUE}\"", true, false),
    form("toml", "{name} = \"{VALUE}\"\nport = 1", true, true),
    form(
        "properties",
        "app.{kebab-name}={VALUE}\napp.port=1",
        true,
        true,
    ),
    form(
        "xml",
        "<a><{camelName}>{VALUE}</{camelName}><b>1</b></a>",
        true,
        false,
    ),
    form(
        "xml",
        r#"<add key="{camelName}" value="{VALUE}"/>"#,
        true,
        false,
    ),
    form(
        "html",
        "<tr><td>{NAME}</td><td>{VALUE}</td></tr>",
        true,
        false,
    ),
    form(
        "arguments",
        "agent --{kebab-name}={VALUE} --verbose",
        false,
        false,
    ),
    form(
        "arguments",
        "agent --{kebab-name} '{VALUE}' --verbose",
        true,
        false,
    ),
    form(
        "arguments",
        r#"["agent","--{kebab-name}","{VALUE}","-v"]"#,
        true,
        false,
    ),
    form("go", "&{User:app {CamelName}:{VALUE} Port:1}", false, true),
    form(
        "go",
        "main.Config{User:\"app\", {CamelName}:\"{VALUE}\", Port:1}",
        true,
        false,
    ),
    form(
        "python",
        "Client(user='app', {name}='{VALUE}', port=1)",
        true,
        true,
    ),
    form(
        "python",
        "{'user': 'app', '{name}': '{VALUE}', 'port': 1}",
        true,
        false,
    ),
    form(
        "java",
        "Config{user='app', {camelName}='{VALUE}', port=1}",
        true,
        true,
    ),
    form(
        "java",
        "Config(user=app, {camelName}={VALUE}, port=1)",
        false,
        true,
    ),
    form(
        "rust",
        "Config { user: \"app\", {name}: \"{VALUE}\", port: 1 }",
        true,
        true,
    ),
    form("rust", "Config { {name}: Some(\"{VALUE}\") }", true, false),
    form(
        "sql",
        "UPDATE t SET {name} = '{VALUE}' WHERE id = 7",
        true,
        false,
    ),
    form(
        "docker",
        "docker run -e {NAME}={VALUE} corp/app:1.4",
        false,
        false,
    ),
    form("diff", "-{name}: {VALUE}\n+{name}: \n host: db", true, true),
    form(
        "log",
        "level=warn msg=\"call failed\" {name}=\"{VALUE}\" code=401",
        true,
        true,
    ),
    form(
        "log",
        "WARN call failed {name}={VALUE} code=401",
        false,
        true,
    ),
];

/// Forms in which the value stands by itself.
const UNNAMED: [Form; 3] = [
    form(
        "prose",
        "Somebody pasted {VALUE} into the channel.",
        true,
        false,
    ),
    form("log", "rejected ({VALUE}), code 401", true, false),
    form("shell", "echo '{VALUE}' | tool login --stdin", true, false),
];

const WRAPPERS: [(&str, &str); 7] = [
    ("none", "{TEXT}"),
    ("log line", "2026-11-02T08:14:55.103Z stdout F {TEXT}"),
    ("pod's prefix", "[pod/api-6d4cf56db6-x2k8p/api] {TEXT}"),
    ("fence", "```\n{TEXT}\n```"),
    ("neighbours", "first line\n{TEXT}\nlast line"),
    ("indent", "    {TEXT}"),
    (
        "JSON string",
        "{\"log\":\"{TEXT}\\n\",\"stream\":\"stdout\"}",
    ),
];

const NOISE: [&str; 6] = [
    "none",
    "colour",
    "zero width",
    "no-break space",
    "name's prefix",
    "truncated",
];

/// Nothing where a choice does not fit the others.
fn combine(chance: &mut Chance) -> Option<Combination> {
    let family = &FAMILIES[chance.below(FAMILIES.len())];
    let form = if !family.named && chance.below(8) == 0 {
        &UNNAMED[chance.below(UNNAMED.len())]
    } else {
        &FORMS[chance.below(FORMS.len())]
    };
    let (wrapper, around) = WRAPPERS[chance.below(WRAPPERS.len())];
    let noise = NOISE[chance.below(NOISE.len())];
    let value = (family.make)(chance);
    if value.contains(' ') && !form.delimited {
        return None;
    }
    let text = disturb(write(form, family, noise)?, noise, form)?;
    let text = text.replace("{VALUE}", &value);
    let text = if wrapper == "JSON string" {
        escape(&text)
    } else {
        text
    };
    let mut text = around.replace("{TEXT}", &text);
    if noise == "truncated" {
        text = truncate(&text)?;
    }
    Some(Combination {
        family: family.name,
        form: form.name,
        wrapper,
        noise,
        marked: Marked::parse(&text).ok()?,
    })
}

/// The form with the names in it.
fn write(form: &Form, family: &Family, noise: &str) -> Option<String> {
    let is_header = family.key == "authorization";
    let key = match noise {
        "name's prefix" if is_header => return None,
        "name's prefix" => format!("app_{}", family.key),
        _ => family.key.to_owned(),
    };
    let capital: String = key.split('_').map(capitalised).collect();
    let mut camel = capital.clone();
    camel.replace_range(..1, &capital[..1].to_ascii_lowercase());
    Some(
        form.template
            .replace("{NAME}", &key.to_ascii_uppercase())
            .replace("{name}", &key)
            .replace("{camelName}", &camel)
            .replace("{CamelName}", &capital)
            .replace("{kebab-name}", &key.replace('_', "-")),
    )
}

fn capitalised(word: &str) -> String {
    word[..1].to_ascii_uppercase() + &word[1..]
}

/// The form with characters in it that change nothing for a reader.
fn disturb(text: String, noise: &str, form: &Form) -> Option<String> {
    let separator = text
        .find("{VALUE}")
        .map(|value| text[..value].trim_end_matches(['"', '\'', ' ']).len())?;
    match noise {
        "none" | "name's prefix" | "truncated" => Some(text),
        _ if !form.open => None,
        "colour" => {
            let value = text.replace("{VALUE}", "{VALUE}\u{1b}[0m");
            let (name, rest) = value.split_at(separator - 1);
            Some(format!("\u{1b}[36m{name}\u{1b}[0m{rest}"))
        }
        "zero width" => {
            let (name, rest) = text.split_at(separator - 1);
            Some(format!("{name}\u{200b}{rest}"))
        }
        "no-break space" => {
            let (name, rest) = text.split_at(separator);
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            Some(format!("{name}\u{a0}{rest}"))
        }
        _ => None,
    }
}

/// As a string of JSON. Marks stay.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => escaped.extend(['\\', letter]),
            '\n' => escaped.push_str("\\n"),
            '\u{1b}' => escaped.push_str("\\u001b"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Ends within the value, where two thirds of it have been.
fn truncate(text: &str) -> Option<String> {
    let (before, rest) = text.split_once('‹')?;
    let (secret, _) = rest.split_once('›')?;
    let start = secret.find('¦').map_or(0, |at| at + '¦'.len_utf8());
    let keep = start + (secret.len() - start) * 2 / 3;
    let kept = secret.get(..keep)?.trim_end_matches('\\');
    // What stands behind the password of an address makes it one.
    let is_address = before.ends_with("://app:") || before.ends_with("://");
    (!is_address).then(|| format!("{before}‹{kept}›"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_choice_occurs_and_a_seed_repeats_itself() {
        let all: Vec<Combination> = combinations(7, 3000).collect();
        let distinct = |of: fn(&Combination) -> &'static str| {
            all.iter().map(of).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(distinct(|it| it.wrapper), WRAPPERS.len());
        assert_eq!(distinct(|it| it.noise), NOISE.len());
        assert_eq!(
            distinct(|it| it.family),
            FAMILIES
                .iter()
                .map(|it| it.name)
                .collect::<BTreeSet<_>>()
                .len()
        );
        let again = combinations(7, 3000).map(|it| it.marked);
        assert!(again.eq(all.into_iter().map(|it| it.marked)));
    }

    #[test]
    fn nothing_of_a_template_is_left() {
        for combination in combinations(3, 3000) {
            let text = combination.marked.text();
            for left in [
                "{VALUE}",
                "{NAME}",
                "{name}",
                "{TEXT}",
                "amelName}",
                "{kebab",
            ] {
                assert!(!text.contains(left), "{text}");
            }
        }
    }

    #[test]
    fn what_is_cut_ends_with_its_secret() {
        for combination in combinations(5, 3000).filter(|it| it.noise == "truncated") {
            let text = combination.marked.text();
            assert_eq!(combination.marked.values()[0].end, text.len(), "{text}");
        }
    }
}
