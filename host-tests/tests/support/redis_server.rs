//! A Redis of a test's own: Debian's `redis-server`, which `.ci/run` installs. Tests that need it are run with `--slow` only.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use database::{ChildProcess, IfAbandoned};
use patience::{PATIENCE, until_blocking, within};
use redis::{Client, FromRedisValue, cmd};
use rustix::process::{Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// The password that all have.
pub(crate) const PASSWORD: &str = "0123456789abcdef0123456789abcdef";

/// A server that keeps everything in memory. It ends with this value.
pub(crate) struct RedisServer {
    address: SocketAddr,
    /// Keeps the port from everybody else while the server does not run.
    reserved: TcpSocket,
    settings: Vec<String>,
    process: Option<ChildProcess>,
    folder: TempDir,
}

impl RedisServer {
    /// A running one.
    pub(crate) fn start() -> Self {
        let mut server = Self::absent(&[]);
        server.begin();
        server
    }

    /// One that does not run yet, with these settings as well.
    pub(crate) fn absent(settings: &[&str]) -> Self {
        let reserved = bound((Ipv4Addr::LOCALHOST, 0).into());
        Self {
            address: reserved.local_addr().expect("an address"),
            reserved,
            settings: settings.iter().map(|&setting| setting.into()).collect(),
            process: None,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Starts it, also once more.
    pub(crate) fn begin(&mut self) {
        let version = Command::new("redis-server").arg("--version").output();
        if let Err(error) = version {
            panic!("redis-server cannot be run ({error}); install Debian's package redis-server");
        }
        let port = self.address.port().to_string();
        let folder = self.folder.path().to_str().expect("a path");
        let line = ["redis-server", "--port", &port, "--bind", "127.0.0.1"];
        let memory_only = ["--save", "", "--appendonly", "no", "--dir", folder];
        let password = ["--requirepass", PASSWORD];
        let line = line.iter().chain(&memory_only).chain(&password).copied();
        let line = line.chain(self.settings.iter().map(String::as_str));
        let line: Vec<_> = line.map(AsRef::as_ref).collect();
        let mut shell = Command::new("sh");
        let process =
            ChildProcess::start(shell.stdout(Stdio::null()), &line, IfAbandoned::EndGroup);
        self.process = Some(process.expect("redis-server starts"));
        until_blocking("redis-server listens", || {
            TcpStream::connect(self.address).is_ok()
        });
    }

    /// Waits, while it does not run, until somebody connects, and turns them away.
    pub(crate) async fn until_tried(&mut self) {
        let free = bound((Ipv4Addr::LOCALHOST, 0).into());
        let listener = std::mem::replace(&mut self.reserved, free).listen(1);
        let listener = listener.expect("its port");
        let tried = within("somebody tries to connect", listener.accept()).await;
        drop((tried, listener));
        self.reserved = bound(self.address);
    }

    /// Ends it at once, and with it all that it kept.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.stop(Signal::KILL, PATIENCE).expect("it ends");
    }

    /// Lets it take connections and requests, and answer none.
    pub(crate) fn stall(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it answer again.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        kill_process(process.pid(), signal).expect("the signal is sent");
    }

    /// The URL of its database of this number.
    pub(crate) fn url(&self, number: u8) -> String {
        format!("redis://:{PASSWORD}@{}/{number}", self.address)
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// A runtime config of this text, whose store `default` is its database of this number.
    pub(crate) fn runtime_config(&self, text: &str, number: u8) -> PathBuf {
        let file = self.folder.path().join("runtime-config.toml");
        let url = self.url(number);
        let text =
            format!("{text}\n[key_value_store.default]\ntype = \"redis\"\nurl = \"{url}\"\n");
        fs::write(&file, text).expect("a file");
        file
    }

    /// What it answers to a command in its database of this number.
    pub(crate) fn ask<T: FromRedisValue>(&self, number: u8, command: &str) -> T {
        let client = Client::open(self.url(number)).expect("a URL");
        let mut connection = client
            .get_connection_with_timeout(PATIENCE)
            .expect("a connection");
        connection
            .set_read_timeout(Some(PATIENCE))
            .expect("a limit");
        let mut words = command.split(' ');
        let mut sent = cmd(words.next().unwrap_or_default());
        let answer = sent.arg(words.collect::<Vec<_>>()).query(&mut connection);
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// A number of `INFO`.
    pub(crate) fn info(&self, name: &str) -> u64 {
        let all: String = self.ask(0, "INFO everything");
        let mut lines = all.lines().filter_map(|line| line.split_once(':'));
        let line = lines.find(|(found, _)| *found == name);
        let number = line.and_then(|(_, number)| number.trim().parse().ok());
        number.unwrap_or_else(|| panic!("INFO has no number {name}"))
    }
}

/// A socket that has this address and does not listen: whoever connects is refused.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Redis binds the same address, as it may while nobody listens there.
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("a port");
    socket
}
