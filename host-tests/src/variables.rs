//! `spin:variables@3.0.0`: `[variables]`, the templates that use them, and who overrides them.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/expressions/src/lib.rs`,
//! `crates/expressions/src/template.rs` and `crates/variables-env/src/lib.rs`.

use std::collections::BTreeMap;
use std::env;

use anyhow::{Context as _, Result, bail};
use wasmtime::component::Accessor;

use crate::bindings::variables::{Error, Host, HostWithStore};
use crate::instance::{Has, View};
use crate::manifest::Variable;

/// The values of the application's variables.
///
/// Spin asks its providers at every use. The environment does not change while the host runs, so
/// here every variable is resolved once, and a required one without a value is an error at start.
pub(crate) struct ApplicationVariables(BTreeMap<String, String>);

impl ApplicationVariables {
    /// Takes each value from `overrides`, else from `SPIN_VARIABLE_<NAME>`, else the default.
    pub(crate) fn resolve(
        declared: &BTreeMap<String, Variable>,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self> {
        for name in overrides.keys() {
            if !declared.contains_key(name) {
                bail!("a value is given for {name:?}, which is not in [variables]");
            }
        }
        let mut values = BTreeMap::new();
        for (name, variable) in declared {
            check_name(name).map_err(|reason| anyhow::anyhow!("variable {name:?}: {reason}"))?;
            let variable_of_environment = format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase());
            let value = match (overrides.get(name), env::var(&variable_of_environment)) {
                (Some(value), _) => value.clone(),
                (None, Ok(value)) => value,
                (None, Err(env::VarError::NotUnicode(_))) => {
                    bail!("{variable_of_environment} is not UTF-8")
                }
                (None, Err(env::VarError::NotPresent)) => {
                    variable.default.clone().with_context(|| {
                        format!(
                            "the required variable {name:?} has no value: set \
                             {variable_of_environment} or pass --variable {name}=…"
                        )
                    })?
                }
            };
            values.insert(name.clone(), value);
        }
        Ok(Self(values))
    }

    /// Replaces each `{{ name }}` in `template` by the variable's value.
    pub(crate) fn expand(&self, template: &str) -> Result<String> {
        let mut expanded = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((literal, tail)) = rest.split_once("{{") {
            let Some((name, tail)) = tail.split_once("}}") else {
                bail!("unmatched '{{{{' in the template {template:?}");
            };
            let name = name.trim();
            let Some(value) = self.0.get(name) else {
                bail!("unknown variable {name:?} in the template {template:?}");
            };
            expanded.push_str(literal);
            expanded.push_str(value);
            rest = tail;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

/// What `variables.get` answers to one component.
pub(crate) struct Variables {
    component: String,
    values: BTreeMap<String, String>,
}

impl Variables {
    /// Expands the templates of `[component.<id>.variables]`.
    pub(crate) fn new(
        component: &str,
        templates: &BTreeMap<String, String>,
        application: &ApplicationVariables,
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (name, template) in templates {
            check_name(name).map_err(|reason| anyhow::anyhow!("variable {name:?}: {reason}"))?;
            values.insert(name.clone(), application.expand(template)?);
        }
        Ok(Self {
            component: component.to_owned(),
            values,
        })
    }

    fn get(&self, name: &str) -> Result<String, Error> {
        check_name(name).map_err(|reason| Error::InvalidName(format!("{name:?}: {reason}")))?;
        self.values.get(name).cloned().ok_or_else(|| {
            Error::Undefined(format!("no variable for {:?}.{name:?}", self.component))
        })
    }
}

impl Host for View<'_, Variables> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl<T: Send> HostWithStore<T> for Has<Variables> {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        accessor.with(|mut access| access.get().capability.get(&name))
    }
}

/// Spin's rule for names of variables; says what is wrong.
fn check_name(name: &str) -> Result<(), &'static str> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() {
        Err("must not be empty")
    } else if !name.chars().all(|c| is_word(c) || c == '_') {
        Err("may contain only lower-case letters, numbers, and underscores")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Err("must start with a lowercase ASCII letter")
    } else if !name.ends_with(is_word) {
        Err("must end with a lowercase ASCII letter or digit")
    } else if name.contains("__") {
        Err("must not contain multiple consecutive underscores")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application() -> ApplicationVariables {
        let pairs = [("host", "db.example"), ("port", "5433"), ("empty", "")];
        let owned = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ApplicationVariables(BTreeMap::from(owned))
    }

    #[test]
    fn templates_are_expanded() {
        let application = application();
        let cases = [
            ("", ""),
            ("plain", "plain"),
            ("{{host}}", "db.example"),
            (
                "postgres://{{ host }}:{{ port }}",
                "postgres://db.example:5433",
            ),
            ("a{{ empty }}b", "ab"),
            ("}} is text", "}} is text"),
        ];
        for (template, expected) in cases {
            assert_eq!(application.expand(template).unwrap(), expected);
        }
    }

    #[test]
    fn broken_templates_are_errors() {
        for template in ["{{ host", "{{ other }}", "{{}}"] {
            assert!(application().expand(template).is_err(), "{template}");
        }
    }

    #[test]
    fn names_follow_the_rule_of_spin() {
        for name in ["a", "db_host", "a1_b2"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "A", "1a", "_a", "a_", "a__b", "a-b", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_undeclared_override_is_an_error() {
        let overrides = BTreeMap::from([("typo".to_owned(), String::new())]);
        assert!(ApplicationVariables::resolve(&BTreeMap::new(), &overrides).is_err());
    }
}
