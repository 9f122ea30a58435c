//! Requests as the drills send them: one for each connection, so that nothing of a failure is left for the next.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A request that may be sent.
#[derive(Clone, Default)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    /// The value of `Authorization`; none if it is empty.
    pub(super) authorization: String,
    /// JSON.
    pub(super) body: String,
}

impl Request {
    /// A `GET`.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            ..Self::default()
        }
    }

    /// A `POST` of JSON.
    pub(super) fn post(path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            body: body.to_string(),
            ..Self::default()
        }
    }

    /// The same with the header `Authorization`.
    pub(super) fn by(mut self, authorization: &str) -> Self {
        authorization.clone_into(&mut self.authorization);
        self
    }

    /// Sends it.
    pub(super) async fn send(&self, to: SocketAddr) -> Result<Answer> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(to));
        let text = exchange.await.context("no answer in time")??;
        let (head, body) = text
            .split_once("\r\n\r\n")
            .context("an answer without end")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok(Answer {
            status: status.context("an answer without a status")?,
            body: body.to_owned(),
        })
    }

    /// In HTTP/1.0, in which the end of the connection is that of the answer.
    async fn exchange(&self, to: SocketAddr) -> Result<String> {
        let mut stream = TcpStream::connect(to).await?;
        let (method, path, length) = (self.method, &self.path, self.body.len());
        let authorization = match self.authorization.as_str() {
            "" => String::new(),
            value => format!("authorization: {value}\r\n"),
        };
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {to}\r\n{authorization}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{}",
            self.body
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
