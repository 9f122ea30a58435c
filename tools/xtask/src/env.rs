//! `cargo xtask env`: what `spin up` needs to find the databases.

use std::process::ExitCode;

use anyhow::Result;
use database::Databases;
use database::variables::{self, Variables};

#[derive(clap::Args)]
pub(crate) struct Env {
    #[command(flatten)]
    databases: Databases,
}

impl Env {
    pub(crate) fn run(self) -> Result<ExitCode> {
        for (name, value) in self.variables()? {
            println!("export {name}={}", quoted(&value));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn variables(&self) -> Result<Variables> {
        let mut variables = variables::of_database(&self.databases.database_url)?;
        if let Some(url) = self.databases.vector_database_url() {
            variables.extend(variables::of_vector_database(url)?);
        }
        Ok(variables)
    }
}

/// A word of a POSIX shell that means `value`, whatever is in it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_database_is_there_if_its_url_is() {
        let count = |vector_database_url: Option<&str>| {
            let env = Env {
                databases: Databases {
                    database_url: "postgres://me@localhost".to_owned(),
                    vector_database_url: vector_database_url.map(str::to_owned),
                },
            };
            let variables = env.variables().expect("valid URLs").into_iter();
            variables
                .filter(|(name, _)| name.contains("VECTOR_DB"))
                .count()
        };
        assert_eq!(count(None), 0);
        assert_eq!(count(Some("")), 0);
        assert_eq!(count(Some("postgres://me@vectors.example")), 7);
    }

    #[test]
    fn nothing_in_a_value_reaches_the_shell() {
        assert_eq!(quoted("a'b $(c)"), r"'a'\''b $(c)'");
    }
}
