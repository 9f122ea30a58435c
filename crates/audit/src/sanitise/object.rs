//! Secrets, and markup where it is to go, out of all texts of an object.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::name::{self, Secret};
use super::{REPLACEMENT, manifest, markup, redact, reference, secrets};

/// What a value is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Text that may have secrets in it.
    Text,
    /// What a name says that is so surely that of a secret.
    Named(Secret),
    /// The data of a Kubernetes Secret.
    AllSecret,
}

/// How the types of Kubernetes Secrets begin.
const MANIFEST_TYPES: &[&str] = &[
    "Opaque",
    "kubernetes.io/",
    "bootstrap.kubernetes.io/",
    "helm.sh/release",
];

/// How often one may show the other.
const ROUNDS: usize = 8;

/// What becomes of markup.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Markup {
    Stripped,
    Kept,
}

/// Takes secrets and markup out of all texts of an object.
pub(crate) fn object(members: &mut Map<String, Value>) {
    Cleaner::new(Markup::Stripped).members(members, How::Text, false);
}

/// Takes secrets out of all texts of an object, however deep, and leaves everything else as it is, markup included. What is a secret by
/// its member's name becomes text, also where it was a number. Returns whether anything has changed.
pub fn redact_object(members: &mut Map<String, Value>) -> bool {
    let cleaner = Cleaner::new(Markup::Kept);
    cleaner.members(members, How::Text, false);
    cleaner.has_changed.get()
}

struct Cleaner {
    markup: Markup,
    /// Whether something is no longer as it was.
    has_changed: Cell<bool>,
}

impl Cleaner {
    const fn new(markup: Markup) -> Self {
        Self {
            markup,
            has_changed: Cell::new(false),
        }
    }

    /// `in_list` says that the object is an item of a `SecretList`.
    fn members(&self, members: &mut Map<String, Value>, how: How, in_list: bool) {
        let text = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let is_typed = MANIFEST_TYPES
            .iter()
            .any(|kind| text("type").starts_with(kind));
        let kind = text("kind");
        let is_secret = kind == "Secret" || (kind.is_empty() && (is_typed || in_list));
        let has_secrets = kind == "SecretList";
        // A variable of a container, a parameter, a header.
        let told = members.iter().find_map(|(name, value)| {
            let value = value
                .as_str()
                .filter(|_| name::tells_name(name.as_bytes()))?;
            name::secret(value.as_bytes())
        });
        for (name, value) in members.iter_mut() {
            let bytes = name.as_bytes();
            let how = if manifest::is_data(bytes)
                && (is_secret || name.eq_ignore_ascii_case("stringData"))
                && value.is_object()
            {
                How::AllSecret
            } else if told.is_some() && name::tells_value(bytes) {
                How::Named(Secret::Certain)
            } else if let Some(secret) = name::secret(bytes) {
                How::Named(secret)
            } else if let How::Named(secret) = how
                && !name::is_describing(bytes)
            {
                How::Named(if secret == Secret::Certain {
                    secret
                } else {
                    Secret::Several
                })
            } else {
                How::Text
            };
            self.value(value, how, name, has_secrets);
        }
    }

    fn value(&self, value: &mut Value, how: How, name: &str, in_list: bool) {
        match value {
            Value::String(text) => self.string(text, how, name),
            Value::Array(elements) => self.array(elements, how, name, in_list),
            Value::Object(members) if how == How::AllSecret => {
                for (name, member) in members.iter_mut() {
                    self.value(member, how, name, false);
                }
            }
            Value::Object(members) => self.members(members, how, in_list),
            Value::Number(number) => {
                let is_secret = match how {
                    How::AllSecret | How::Named(Secret::Certain) => true,
                    // A token in digits; fewer count something.
                    How::Named(Secret::Likely) => {
                        number.as_u64().is_some_and(|number| number >= 100_000_000)
                    }
                    _ => false,
                };
                if is_secret {
                    self.replace(value, Value::from(REPLACEMENT));
                }
            }
            _ => {}
        }
    }

    fn string(&self, text: &mut String, how: How, name: &str) {
        let is_secret = match how {
            How::Text => false,
            How::AllSecret => !text.is_empty(),
            How::Named(secret) => secrets::is_value(name.as_bytes(), secret, text.as_bytes()),
        };
        if is_secret {
            self.replace(text, REPLACEMENT.to_owned());
            return;
        }
        if let Cow::Owned(redacted) = redact(text) {
            self.replace(text, redacted);
        }
        if self.markup == Markup::Kept {
            return;
        }
        for _ in 0..ROUNDS {
            let Cow::Owned(stripped) = markup::strip(text) else {
                return;
            };
            self.replace(text, stripped);
            // Without the markup there may be a secret, and without that markup.
            let Cow::Owned(redacted) = redact(text) else {
                return;
            };
            self.replace(text, redacted);
        }
    }

    fn replace<T: PartialEq>(&self, place: &mut T, by: T) {
        if *place != by {
            *place = by;
            self.has_changed.set(true);
        }
    }

    /// The elements of a list; behind an option's name the option's value follows.
    fn array(&self, elements: &mut [Value], how: How, name: &str, in_list: bool) {
        if elements.len() > 3
            && matches!(how, How::Named(Secret::Certain) | How::AllSecret)
            && elements.iter().all(Value::is_number)
        {
            // The bytes of one secret.
            for element in elements {
                self.replace(element, Value::from(REPLACEMENT));
            }
            return;
        }
        let mut is_value = false;
        let mut line = String::new();
        for element in elements.iter_mut() {
            let Value::String(text) = element else {
                is_value = false;
                self.value(element, how, name, in_list);
                continue;
            };
            let option = text
                .strip_prefix('-')
                .map(|name| name.trim_start_matches('-'));
            let announces = option.and_then(|name| name::secret(name.as_bytes()));
            if is_value && option.is_none() && !reference::is_harmless(text.as_bytes(), true) {
                self.replace(text, REPLACEMENT.to_owned());
            } else if how == How::Text {
                if let Some(redacted) = argument(&mut line, text) {
                    self.replace(text, redacted);
                }
                self.string(text, how, name);
            } else {
                self.string(text, how, name);
            }
            is_value =
                announces.is_some_and(|secret| matches!(secret, Secret::Certain | Secret::Likely));
        }
    }
}

/// The longest argument of a command line that is looked at with those before it.
const ARGUMENT_MAX: usize = 256;

/// What becomes of an argument whose option or command, in the elements before it, says that it is a secret: `["mysql", "-pX"]`.
fn argument(line: &mut String, text: &str) -> Option<String> {
    if text.len() > ARGUMENT_MAX || text.contains(char::is_whitespace) {
        line.clear();
        return None;
    }
    line.push(' ');
    let start = line.len();
    line.push_str(text);
    let mut argument = None;
    if start > 1
        && let Cow::Owned(redacted) = redact(line)
        && redacted.get(..start) == line.get(..start)
    {
        argument = redacted.get(start..).map(str::to_owned);
        line.clone_from(&redacted);
    }
    if line.len() > ARGUMENT_MAX {
        let cut = line.ceil_char_boundary(line.len().saturating_sub(ARGUMENT_MAX));
        line.drain(..cut);
    }
    argument
}
