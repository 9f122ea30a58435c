//! Requests that no HTTP library would send, over plain TCP.

use std::net::SocketAddr;

use patience::{Deadline, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection to the service.
pub(crate) struct Wire {
    stream: TcpStream,
    /// What has arrived and belongs to the next answer.
    rest: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.expect("a connection"),
            rest: Vec::new(),
        }
    }

    /// Sends bytes. A service that has answered and hung up already is fine.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next answer; none if the service hangs up instead.
    pub(crate) async fn answer(&mut self) -> Option<RawAnswer> {
        within("an answer, or an end of the connection", self.read()).await
    }

    /// All answers up to one with this text, or the end of the connection.
    pub(crate) async fn answers_until(&mut self, text: &str) -> Vec<RawAnswer> {
        let deadline = Deadline::start();
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            deadline.check("the last answer");
            let is_last = answer.text.contains(text);
            answers.push(answer);
            if is_last {
                break;
            }
        }
        answers
    }

    async fn read(&mut self) -> Option<RawAnswer> {
        let deadline = Deadline::start();
        let end = loop {
            deadline.check("the head of an answer");
            let found = self.rest.windows(4).position(|four| four == b"\r\n\r\n");
            match found {
                Some(end) => break end + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, length)| length.trim().parse().expect("digits"));
        while self.rest.len() < end + length {
            deadline.check("the body of an answer");
            self.more().await?;
        }
        let text = String::from_utf8_lossy(&self.rest[..end + length]).into_owned();
        self.rest.drain(..end + length);
        Some(RawAnswer { status, text })
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.rest).await.ok()?;
        (read > 0).then_some(())
    }
}
