//! The program: when it says that it is ready, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use patience::until_blocking;
use rustix::process::{Pid, Signal, kill_process};

fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_embedder"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("its output"))
        .read_line(&mut line)
        .expect("a line");
    (child, line)
}

#[test]
fn it_listens_when_it_says_so_and_stops_when_told() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut child, line) =
            start(&["--listen", "127.0.0.1:0", "--hash", "--dimensions", "768"]);
        let address = line
            .trim_end()
            .strip_prefix("hash listens on http://")
            .expect("an address");
        // A client that keeps its connection open must not keep the server.
        let _idle = std::net::TcpStream::connect(address).expect("a connection");
        kill_process(Pid::from_child(&child), signal).expect("a signal");
        until_blocking("it ends", || child.try_wait().expect("its state").is_some());
        let status = child.wait().expect("an end");
        assert!(status.success(), "{signal:?}: {status}");
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (mut child, line) = start(&["--listen", &address, "--hash"]);
    assert_eq!(line, "");
    assert!(!child.wait().expect("an end").success());
    let mut message = String::new();
    child
        .stderr
        .take()
        .expect("its errors")
        .read_to_string(&mut message)
        .expect("a text");
    assert!(
        message.contains(&format!("cannot listen on {address}")),
        "{message}"
    );
}
