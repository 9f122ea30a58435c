//! The native host as a process of its own, so that it can be killed.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use patience::until;
use tempfile::TempDir;

use super::Client;
use super::service::workspace;

/// A host, until it is killed or dropped.
pub struct HostProcess {
    /// Talks to it.
    pub client: Client,
    child: Child,
    port: u16,
    state: TempDir,
}

impl HostProcess {
    /// Starts one with these variables and waits until it serves.
    pub async fn start(variables: &BTreeMap<String, String>) -> Self {
        let port = free_port();
        let state = tempfile::tempdir().expect("a temporary folder");
        let process = Self {
            client: Client::new(&format!("http://127.0.0.1:{port}")),
            child: spawn(port, &state, variables),
            port,
            state,
        };
        process.wait_until_alive().await;
        process
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.child.kill().expect("a host to kill");
        self.child.wait().expect("a host that ends");
    }

    /// Ends it in the middle of whatever it does, and starts another in its place.
    pub async fn restart(&mut self, variables: &BTreeMap<String, String>) {
        self.kill();
        self.child = spawn(self.port, &self.state, variables);
        self.wait_until_alive().await;
    }

    async fn wait_until_alive(&self) {
        until("the host serves", async || {
            let answer = self.client.try_send(http::Method::GET, "/health", &[], "");
            answer.await.is_ok_and(|answer| answer.status == 200)
        })
        .await;
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, state: &TempDir, variables: &BTreeMap<String, String>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command
        .current_dir(workspace())
        .args(["--from", "spin.toml"])
        .args(["--runtime-config-file", "runtime-config.toml"])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .arg("--state-dir")
        .arg(state.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (name, value) in variables {
        command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
    }
    command.spawn().expect("the host")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
