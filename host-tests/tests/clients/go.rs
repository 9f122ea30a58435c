//! Builds and runs a program in Go, where that is possible.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use patience::comes_true;
use tempfile::TempDir;

use crate::support::service::workspace;

/// The program in `host-tests/clients`.
pub(crate) struct Program {
    folder: TempDir,
}

impl Program {
    /// Builds it in a folder of its own, since Go writes down beside it which modules it used; or why that is not possible here.
    pub(crate) async fn build() -> Result<Self, String> {
        if let Err(error) = Command::new("go").arg("version").output() {
            return Err(format!("there is no Go on this machine ({error})"));
        }
        let program = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        program.copy_sources();
        program.get_modules().await?;
        // With all modules there, whatever is wrong now is wrong with the program.
        let mut command = program.go(&["build", "-mod=mod", "-o", "program", "."]);
        let output = command.env("GOPROXY", "off").output().expect("Go runs");
        assert!(
            output.status.success(),
            "the program cannot be built:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(program)
    }

    /// Runs it against the service at `base`. It ends by itself.
    pub(crate) fn run(&self, base: &str) -> Output {
        let mut command = Command::new(self.path("program"));
        command.arg(base).output().expect("the program runs")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn go(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("go");
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    fn copy_sources(&self) {
        let sources = workspace().join("host-tests/clients");
        for file in fs::read_dir(sources).expect("the program's sources") {
            let file = file.expect("a file");
            fs::copy(file.path(), self.folder.path().join(file.file_name())).expect("a copy");
        }
    }

    /// Lets Go get what the program imports, which needs a network, or says why it cannot.
    async fn get_modules(&self) -> Result<(), String> {
        let said = File::create(self.path("said")).expect("a file");
        let mut command = self.go(&["list", "-mod=mod", "-deps", "."]);
        let mut go = command
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("Go runs");
        let ended = comes_true(async || go.try_wait().expect("a child").is_some()).await;
        if !ended {
            go.kill().expect("a child");
        }
        if go.wait().expect("a child").success() {
            return Ok(());
        }
        let said = fs::read_to_string(self.path("said")).expect("a text");
        let last = said.lines().last().unwrap_or("it took too long");
        Err(format!("Go cannot get its modules ({last})"))
    }
}
