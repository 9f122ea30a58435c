//! The program: what it says and writes, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use api_server::Review;
use patience::until_blocking;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::{Client, path, token_review};

#[tokio::test]
async fn it_says_how_to_use_it_and_stops_when_told() {
    for signal in [Signal::TERM, Signal::INT] {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("made");
        let mut child = Command::new(env!("CARGO_BIN_EXE_api-server"))
            .arg(&folder)
            .args(["--account", "n:a", "--account", "n:b"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let file = |name: &str| fs::read_to_string(said[name].as_str().expect("a path"));
        let ca = file("ca_file").expect("a certificate");
        let credential = file("token_file").expect("a credential");
        let mode = fs::metadata(folder.join("token"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        let client = Client::trusting(&ca, said["url"].as_str().expect("a URL"));
        let tokens = said["tokens"].as_object().expect("tokens");
        assert_eq!(tokens.len(), 2);
        for (user, token) in tokens {
            let body = token_review(token.as_str().expect("a token"), &[]);
            let answer = client
                .post(path(Review::Token), Some(&credential), &body)
                .await;
            let status = answer.expect("an answer").created();
            assert_eq!(status["user"]["username"], **user);
        }

        kill_process(Pid::from_child(&child), signal).expect("a signal");
        until_blocking("it ends", || child.try_wait().expect("its state").is_some());
        let status = child.wait().expect("an end");
        assert!(status.success(), "{signal:?}: {status}");
    }
}
