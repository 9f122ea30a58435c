//! What an operator does with a server: commands of its release, and another server on a copy of its data.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Server, ephemeral_folder, quick};
use crate::cluster::{Cluster, ROLE};

impl Server {
    /// A shell script, to be run as the user who runs the server. The programs of the server's release come first on its
    /// path, and libpq's variables (`PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`) lead to the server.
    pub fn shell(&self, script: &str) -> Command {
        let mut path = self.binaries.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        let mut command = self.home.command("sh");
        command
            .args(["-euc", script])
            .env("PATH", path)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", ROLE)
            .env("PGPASSWORD", &self.cluster.password);
        command
    }

    /// Starts another server for tests on data that `fill` brings into the folder that it is given and that does not exist
    /// yet: a copy of this server's, because the release, the roles and the password are the same. `settings` go beyond
    /// the defaults.
    pub fn another(
        &self,
        settings: &[(String, String)],
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let (_lock, folder) = ephemeral_folder(&self.home)?;
        self.home.make_private(&folder)?;
        let password = folder.join("password");
        fs::copy(self.folder().join("password"), &password)?;
        self.home.give(&password)?;
        fill(&folder.join("data")).context("the data of another server cannot be made")?;
        let mut server = Self {
            cluster: Cluster::open(&self.home, &self.binaries, &folder)?,
            home: self.home.clone(),
            binaries: self.binaries.clone(),
            settings: quick(settings),
            environment: self.environment.clone(),
            ephemeral: true,
            port: 0,
            process: None,
        };
        server.start_on_free_port()?;
        Ok(server)
    }
}
