//! The host's interfaces, by spin-sdk.

mod counters;

use std::cell::RefCell;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use spin_sdk::pg::{Certificate, DbValue, Error, OpenOptions, ParameterValue};
use spin_sdk::wasip3::http_compat::IncomingResponseBody;
use spin_sdk::wasip3::wit_bindgen::StreamWriter;
use spin_sdk::wasip3::wit_stream;
use spin_sdk::{key_value, pg, variables};

use crate::{BrokenOff, StoreFailed, Unreachable};

pub use counters::Counters;
pub use spin_sdk::time::sleep;
pub use spin_sdk::wasip3::random::random::get_random_u64 as random;
pub use std::time::Instant;

/// Begins `work`, which may go on once the client has its answer. The host keeps the instance for it.
pub fn spawn(work: impl Future<Output = ()> + 'static) {
    spin_sdk::wasip3::spawn(work);
}

/// Requests that wait for another one of the same instance.
///
/// They wait for the end of a stream, because a plain Rust waker must not be used between requests: they are
/// separate tasks of the component model, and wit-bindgen 0.57 supports wakers between those only in
/// a way (`inter-task-wakeup`) that traps on wasmtime 48.
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "a stream has nothing to show")]
pub struct Waiting(RefCell<Vec<StreamWriter<u8>>>);

impl Waiting {
    /// Returns when [`Waiting::wake_all`] is called, or when this is dropped.
    pub async fn join(&self) {
        let (writer, mut reader) = wit_stream::new::<u8>();
        self.0.borrow_mut().push(writer);
        reader.next().await;
    }

    /// Wakes everybody who waits: a stream whose writer is dropped ends.
    pub fn wake_all(&self) {
        drop(self.0.take());
    }
}

/// A connection to PostgreSQL, from the host's pool. It goes back there when it is dropped.
#[allow(
    missing_debug_implementations,
    reason = "a connection has nothing to show"
)]
pub struct Connection(pg::Connection);

impl Connection {
    /// Opens one. `ca_root` is the PEM text of a private certificate authority.
    pub async fn open(address: &str, ca_root: Option<&str>) -> Result<Self, Error> {
        let opened = match ca_root {
            None => pg::Connection::open(address).await,
            Some(pem) => {
                let ca_root = Some(Certificate::Text(pem.to_owned()));
                pg::Connection::open_with_options(address, OpenOptions { ca_root }).await
            }
        };
        opened.map(Self)
    }

    /// Runs a statement and returns the first value of its first row; nothing if there is no row. Statements of one
    /// connection run one after the other.
    pub async fn first_value(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<Option<DbValue>, Error> {
        let result = self.0.query(statement, parameters).await?;
        let (_, mut rows, end) = result.into_inner();
        let mut first = None;
        while let Some(row) = rows.next().await {
            first = first.or(Some(row));
        }
        end.await?;
        Ok(first.and_then(|row| row.into_iter().next()))
    }
}

/// The body of an answer.
#[allow(missing_debug_implementations, reason = "a stream has nothing to show")]
pub struct Body(IncomingResponseBody);

impl Body {
    /// The next piece; nothing at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        let frame = self.0.frame().await?;
        Some(match frame {
            Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
            Err(_) => Err(BrokenOff),
        })
    }
}

/// Sends an HTTP request, and returns when the head of the answer is there.
pub async fn send(request: Request<Full<Bytes>>) -> Result<Response<Body>, Unreachable> {
    let response = spin_sdk::http::send(request).await;
    Ok(response.map_err(|_| Unreachable)?.map(Body))
}

/// A key-value store.
#[allow(missing_debug_implementations, reason = "a store has nothing to show")]
pub struct Store(key_value::Store);

impl Store {
    /// Opens the one of this label.
    pub async fn open(label: &str) -> Result<Self, StoreFailed> {
        let store = key_value::Store::open(label).await;
        store.map(Self).map_err(|_| StoreFailed)
    }

    /// What is there under a key.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        self.0.get(key).await.map_err(|_| StoreFailed)
    }

    /// Puts a value under a key.
    pub async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreFailed> {
        self.0.set(key, value).await.map_err(|_| StoreFailed)
    }
}

/// The value of a variable; nothing if it is not set.
pub async fn variable(name: &str) -> Option<String> {
    variables::get(name).await.ok()
}
