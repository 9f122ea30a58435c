//! Who reads the documents: somebody with a shell, the programs of PostgreSQL and the addresses that the documents name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use database::Server;
use patience::comes_true;
use tempfile::TempDir;

use crate::console::Command;
use crate::support::service::Host;

/// What the documents call `LOG`: what prints the log of a replica.
const LOG: &str = "LOG() { cat log; }";

/// A shell as an operator has it.
pub(crate) struct Operator {
    /// `STORE`, `DATABASE_URL` and what else the documents name.
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Operator {
    /// One who has these variables.
    pub(crate) fn new(variables: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Started by root, the shell belongs to another user.
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), everybody).expect("permissions");
        Self {
            variables: variables
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            folder,
        }
    }

    /// Gives a variable another value, and returns the former one.
    pub(crate) fn set(&mut self, name: &str, value: String) -> String {
        let mut named = self.variables.iter_mut().filter(|(own, _)| *own == name);
        let (_, own) = named.next().expect("a variable that is there");
        std::mem::replace(own, value)
    }

    /// Puts a file into the folder in which the operator types.
    pub(crate) fn has(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// Types a line on the machine of `server`, beside a replica that has logged what `host` has.
    pub(crate) fn types(&self, server: &Server, host: &Host, line: &str) -> Output {
        self.has("log", &host.log());
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        let mut command = server.shell(&format!("{LOG}\n{line}"));
        command.envs(variables).current_dir(self.folder.path());
        // What is typed may ask a host that runs on this thread.
        tokio::task::block_in_place(|| command.output()).expect("a shell")
    }

    /// Types a command of a document until it prints what stands there, each time after `before`.
    pub(crate) async fn sees(
        &self,
        server: &Server,
        host: &Host,
        before: impl AsyncFn(),
        command: &Command,
    ) {
        let mut last = String::new();
        let seen = comes_true(async || {
            before().await;
            last = said(&self.types(server, host, &command.typed));
            command.has_printed(&last)
        });
        let Command {
            section,
            typed,
            prints,
        } = command;
        assert!(
            seen.await,
            "{section}: `{typed}` does not print\n{}\nbut\n{last}",
            prints.join("\n")
        );
    }
}

/// Everything that was printed.
pub(crate) fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}
