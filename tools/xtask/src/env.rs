//! `cargo xtask env`: what `spin up` needs to find the database.

use std::process::ExitCode;

use anyhow::Result;

use crate::variables;

#[derive(clap::Args)]
pub(crate) struct Env {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
}

impl Env {
    pub(crate) fn run(self) -> Result<ExitCode> {
        for (name, value) in variables::of_database(&self.database_url)? {
            println!("export {name}={}", quoted(&value));
        }
        Ok(ExitCode::SUCCESS)
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
    fn nothing_in_a_value_reaches_the_shell() {
        assert_eq!(quoted("a'b $(c)"), r"'a'\''b $(c)'");
    }
}
