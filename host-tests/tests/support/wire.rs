//! Requests that no HTTP library would send, over plain TCP.

use patience::{Deadline, within};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A connection to the service.
pub struct Wire {
    stream: TcpStream,
    /// What has arrived and belongs to the next answer.
    rest: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    head: String,
    body: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub async fn open(address: impl ToSocketAddrs) -> Self {
        Self {
            stream: TcpStream::connect(address).await.expect("a connection"),
            rest: Vec::new(),
        }
    }

    /// Sends bytes. A service that has answered and hung up already is fine.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next answer; none if the service hangs up instead.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        within("an answer, or an end of the connection", self.read()).await
    }

    /// All answers up to one with this text, or the end of the connection.
    pub async fn answers_until(&mut self, text: &str) -> Vec<RawAnswer> {
        let deadline = Deadline::start();
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            deadline.check("the last answer");
            let is_last = answer.text().contains(text);
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
        let length =
            header(&head, "content-length").map_or(0, |text| text.parse().expect("digits"));
        while self.rest.len() < end + length {
            deadline.check("the body of an answer");
            self.more().await?;
        }
        let body = self.rest[end..end + length].to_vec();
        self.rest.drain(..end + length);
        Some(RawAnswer { status, head, body })
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.rest).await.ok()?;
        (read > 0).then_some(())
    }
}

impl RawAnswer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Head and body.
    pub fn text(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }

    /// The body as JSON; null if it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
