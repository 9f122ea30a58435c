//! What happens when the process that started a server is killed.
//!
//! The killed process is this test program again, told by an environment variable what to do.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use database::{
    ChildProcess, IfAbandoned, Server, ServerOptions, TestDatabase, TestServer, connect,
};
use patience::until_blocking;
use rustix::process::Pid;

const ROLE: &str = "DATABASE_TEST_ROLE";

/// Not a test of its own: what the child process does.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if let Some(script) = role.strip_prefix("sh ") {
        let process = run(script, IfAbandoned::EndGroup);
        println!("\nserver {} /", number(process.pid()));
        _ = std::io::stdin().read(&mut [0]);
    }
    let mut options = ServerOptions::from_env().expect("options");
    let server = match role.as_str() {
        "ephemeral" => Server::ephemeral(&options, &|_| {}),
        folder => {
            options.folder = Some(PathBuf::from(folder));
            Server::development(&options, &|_| {})
        }
    }
    .expect("started");
    println!("\nserver {} {}", server.port(), server.folder().display());
    // Nobody writes to it: it ends with the test, unless that kills this process first.
    _ = std::io::stdin().read(&mut [0]);
}

/// Starts the child and returns it with the port (or the process) and the folder of its server.
fn start(role: &str) -> (Child, u32, PathBuf) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["child", "--exact", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let line = output
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("server "))
        .expect("a started server");
    let mut words = line.split(' ').skip(1);
    let port = words.next().expect("a port").parse().expect("a number");
    (child, port, words.next().expect("a folder").into())
}

/// A shell that says when it has begun, as a server.
fn run(script: &str, if_abandoned: IfAbandoned<'_>) -> ChildProcess {
    let script = format!("echo begun; {script}");
    let line = ["sh", "-c", &script].map(OsStr::new);
    let mut shell = Command::new("sh");
    shell.stdout(Stdio::piped());
    let mut process = ChildProcess::start(&mut shell, &line, if_abandoned).expect("a shell");
    let mut output = BufReader::new(process.take_output().expect("its output"));
    output
        .read_line(&mut String::new())
        .expect("its first line");
    process
}

/// Whether a process runs. Nobody may have asked for the end of one whose parent is gone.
fn lives(process: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z")
}

fn number(process: Pid) -> u32 {
    process.as_raw_nonzero().get().unsigned_abs()
}

/// Ends when it is asked to, and when it is forced to.
const WILLING: &str = "while :; do sleep 0.1; done";
const UNWILLING: &str = "trap '' INT QUIT TERM; while :; do sleep 0.1; done";

#[test]
fn what_is_dropped_is_gone_even_when_it_will_not_go() {
    for script in [WILLING, UNWILLING] {
        for if_abandoned in [IfAbandoned::ShutDown, IfAbandoned::EndGroup] {
            let process = run(script, if_abandoned);
            let pid = number(process.pid());
            assert!(lives(pid));
            drop(process);
            assert!(!lives(pid), "{script} outlived its owner");
        }
    }
}

#[test]
fn what_will_not_go_is_killed_after_its_owner() {
    let (owner, pid, _) = start(&format!("sh {UNWILLING}"));
    kill(owner);
    until_blocking("it is gone", || !lives(pid));
}

fn kill(mut child: Child) {
    child.kill().expect("killed");
    child.wait().expect("reaped");
}

fn listens(port: u32) -> bool {
    let port = u16::try_from(port).expect("a port");
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn an_ephemeral_server_ends_with_its_process_and_is_removed() {
    let (process, port, folder) = start("ephemeral");
    assert!(listens(port) && folder.is_dir());
    kill(process);
    until_blocking("the server is gone", || !listens(port));
    until_blocking("its folder is gone", || !folder.exists());
}

#[tokio::test]
async fn a_development_server_ends_with_its_process_and_can_be_started_at_once() {
    let folder =
        Path::new("/var/tmp").join(format!("audit-store-test-killed-{}", std::process::id()));
    let (process, port, _) = start(folder.to_str().expect("a name"));
    kill(process);
    // No wait: the next start is in charge of what is left.
    let options = ServerOptions {
        folder: Some(folder.clone()),
        ..ServerOptions::from_env().expect("options")
    };
    let server = Server::development(&options, &|_| {}).expect("started");
    connect(&server.url("postgres")).await.expect("usable");
    assert!(u32::from(server.port()) == port || !listens(port));
    drop(server);
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn databases_of_killed_test_processes_are_removed_and_those_of_living_ones_stay() {
    let mine = TestDatabase::create_empty().await;
    let server = TestServer::get().await;
    let admin = connect(&server.url("postgres")).await.expect("admin");
    // No process holds the lock of this token.
    let leftover = "audit_test_2147483647_0";
    admin
        .batch_execute(&format!("CREATE DATABASE {leftover}"))
        .await
        .expect("a leftover");

    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["another_process", "--exact"])
        .env("TEST_DATABASE_URL", server.url("postgres"))
        .env(ROLE, "ephemeral-unused")
        .stdout(Stdio::null())
        .status()
        .expect("another process");
    assert!(status.success());

    let sql = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let row = admin.query_one(sql, &[&leftover]).await.expect("a count");
    assert_eq!(row.get::<_, i64>(0), 0);
    mine.client()
        .await
        .simple_query("SELECT 1")
        .await
        .expect("mine is still there");
}

/// What the other process of the test above does.
#[tokio::test]
async fn another_process() {
    if std::env::var(ROLE).is_ok() {
        drop(TestDatabase::create().await);
    }
}
