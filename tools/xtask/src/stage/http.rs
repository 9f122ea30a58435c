//! Requests by hand: one for each connection, so that nothing of a failure is left for the next.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The lines before the body.
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// An answer without any header but these.
    #[cfg(test)]
    pub(crate) fn made_up(status: u16, head: &str, body: &str) -> Self {
        Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers
            .into_iter()
            .find_map(|(this, value)| this.eq_ignore_ascii_case(name).then(|| value.trim()))
    }
}

/// A request that may be sent.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    headers: Vec<(&'static str, String)>,
    /// JSON.
    body: String,
}

impl Request {
    /// A `GET`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            ..Self::default()
        }
    }

    /// A `POST` of JSON.
    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::with_body("POST", path, body)
    }

    /// A `PATCH` with JSON.
    pub(crate) fn patch(path: impl Into<String>, body: &Value) -> Self {
        Self::with_body("PATCH", path, body)
    }

    /// A `DELETE`.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self {
            method: "DELETE",
            path: path.into(),
            ..Self::default()
        }
    }

    fn with_body(method: &'static str, path: impl Into<String>, body: &Value) -> Self {
        Self {
            method,
            path: path.into(),
            body: body.to_string(),
            ..Self::default()
        }
    }

    /// The same with the header `Authorization`.
    pub(crate) fn by(self, authorization: &str) -> Self {
        self.with("authorization", authorization)
    }

    /// The same with another header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sends it.
    pub(crate) async fn send(&self, to: SocketAddr) -> Result<Answer> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(to));
        let text = exchange.await.context("no answer in time")??;
        let (head, body) = text
            .split_once("\r\n\r\n")
            .context("an answer without end")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok(Answer {
            status: status.context("an answer without a status")?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// In HTTP/1.0, in which the end of the connection is that of the answer.
    async fn exchange(&self, to: SocketAddr) -> Result<String> {
        let mut stream = TcpStream::connect(to).await?;
        let (method, path, length) = (self.method, &self.path, self.body.len());
        let lines = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let headers = lines.collect::<Vec<_>>().concat();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {to}\r\n{headers}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{}",
            self.body
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
