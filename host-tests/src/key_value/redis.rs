//! A store in Redis: what `spin:key-value` and `wasi:keyvalue` do to it. Keys are the guest's very keys, with nothing before
//! them, so labels that lead to the same database of a server are one store.
//!
//! Spin connects when the store is opened first, and again when a command finds the connection broken. Neither has a
//! limit in time, and no command has one: whoever waits here must have a limit of its own. It tries again a second or two
//! after a failure, and after that only once in one to two minutes, whatever the cause, a wrong password included. After six
//! tries it gives up until a command fails at the connection itself, which a refused password is not.
//!
//! The library is of the version that Spin has, 0.32.7, but without TLS.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/key-value-redis/src/store.rs`.

use std::fmt;

use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, Client, RedisError, cmd, parse_redis_url, pipe};
use serde::Deserialize;
use tokio::sync::{OnceCell, mpsc, oneshot};
use url::Url;

use super::failure::{Failure, check_size};
use crate::bindings::key_value::Error;

/// Where a Redis is: `redis://[USER][:PASSWORD@]HOST[:PORT][/NUMBER]`. What is printed of it has no password.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RedisUrl(Url);

impl TryFrom<String> for RedisUrl {
    type Error = &'static str;

    /// The errors are for a file that holds passwords, and repeat nothing.
    fn try_from(text: String) -> Result<Self, &'static str> {
        let url = parse_redis_url(&text).ok_or(
            "url is not that of a Redis, redis://[USER][:PASSWORD@]HOST[:PORT][/NUMBER]; what is no letter or digit in a \
             password must be percent-encoded",
        )?;
        if matches!(url.scheme(), "rediss" | "valkeys") {
            return Err("url asks for TLS, which this host does not support: Spin does");
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://…{host}…", self.0.scheme())
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::other(format!("{error:?}"))
    }
}

/// A server, connected to when it is used first. All instances share one connection.
pub(super) struct Server {
    url: RedisUrl,
    connection: OnceCell<ConnectionManager>,
}

impl Server {
    pub(super) fn new(url: RedisUrl) -> Self {
        Self {
            url,
            connection: OnceCell::new(),
        }
    }

    /// A store in it. Waits for the connection, also for one that is being made anew; a server that does not answer then is
    /// found out by the next call.
    pub(super) async fn open(&self) -> Result<RedisStore, Failure> {
        let connection = self.connection.get_or_try_init(|| connect(&self.url));
        let connection = connection.await?.clone();
        _ = connection.clone().ping::<()>().await;
        Ok(RedisStore {
            url: self.url.clone(),
            connection,
        })
    }
}

async fn connect(url: &RedisUrl) -> Result<ConnectionManager, RedisError> {
    Client::open(url.0.clone())?.get_connection_manager().await
}

/// An open store.
#[derive(Clone)]
pub(crate) struct RedisStore {
    url: RedisUrl,
    connection: ConnectionManager,
}

impl RedisStore {
    fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        sized(self.connection().get(key).await?)
    }

    pub(super) async fn exists(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.connection().exists(key).await?)
    }

    pub(super) async fn set(&self, key: &str, value: &[u8]) -> Result<(), Failure> {
        Ok(self.connection().set(key, value).await?)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Failure> {
        Ok(self.connection().del(key).await?)
    }

    /// Sends every key, and in the end how it went.
    pub(super) async fn send_keys(
        self,
        keys: mpsc::Sender<String>,
        end: oneshot::Sender<Result<(), Error>>,
    ) {
        let outcome = match self.scan(&keys).await {
            Ok(()) => Ok(()),
            Err(Failure::Told(error)) => Err(error),
            Err(Failure::Ruined) => return,
        };
        drop(keys);
        // The guest may have dropped the future: then nobody wants the result.
        _ = end.send(outcome);
    }

    async fn scan(&self, keys: &mpsc::Sender<String>) -> Result<(), Failure> {
        let mut connection = self.connection();
        let mut scan = connection.scan::<String>().await?;
        while let Some(key) = scan.next_item().await {
            check_size(key.len())?;
            let sent = keys.send(key).await;
            sent.map_err(|error| Failure::other(format!("{error:?}")))?;
        }
        Ok(())
    }

    /// Every key.
    pub(super) async fn keys(&self) -> Result<Vec<String>, Failure> {
        let keys: Vec<String> = self.connection().keys("*").await?;
        let sizes = keys.iter().map(|key| size_of::<String>() + key.len());
        check_size(size_of::<Vec<String>>() + sizes.sum::<usize>())?;
        Ok(keys)
    }

    /// What Spin makes of it: `KEYS` with these keys. Redis refuses several, and over its answer for a single one that is there
    /// the library panics, which ends the instance.
    pub(super) async fn get_many(
        &self,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Failure> {
        type Pairs = Vec<(String, Option<Vec<u8>>)>;
        let pairs: Pairs = self.connection().keys(keys).await?;
        let sizes = pairs.iter().map(|(key, value)| {
            let value = value.as_ref().map_or(0, Vec::len);
            size_of::<(String, Option<Vec<u8>>)>() + key.len() + value
        });
        check_size(size_of::<Pairs>() + sizes.sum::<usize>())?;
        Ok(pairs)
    }

    pub(super) async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), Failure> {
        Ok(self.connection().mset(pairs).await?)
    }

    pub(super) async fn delete_many(&self, keys: &[String]) -> Result<(), Failure> {
        Ok(self.connection().del(keys).await?)
    }

    /// Adds to a number, which is decimal digits, and returns what it is then.
    pub(super) async fn increment(&self, key: &str, delta: i64) -> Result<i64, Failure> {
        Ok(self.connection().incr(key, delta).await?)
    }

    /// Begins a compare-and-swap, on a connection of its own.
    pub(super) async fn begin_swap(&self) -> Result<Watching, Failure> {
        Ok(Watching(connect(&self.url).await?))
    }
}

/// A compare-and-swap: the connection that watches its key.
pub(crate) struct Watching(ConnectionManager);

impl Watching {
    /// What is under the key, which is watched from now on.
    pub(super) async fn current(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let mut connection = self.0.clone();
        cmd("WATCH").arg(key).exec_async(&mut connection).await?;
        sized(connection.get(key).await?)
    }

    /// Puts a value there, unless another one has come since the key is watched. Whether Spin takes it for done, which is
    /// never: it ends with an `UNWATCH` of the key, and Redis refuses any argument.
    pub(super) async fn swap(&self, key: &str, value: &[u8]) -> bool {
        let mut connection = self.0.clone();
        let mut exchange = pipe();
        exchange.atomic().set(key, value);
        let exchanged = exchange.exec_async(&mut connection).await;
        let ended = cmd("UNWATCH").arg(key).exec_async(&mut connection).await;
        exchanged.is_ok() && ended.is_ok()
    }
}

/// A value that is not too large.
fn sized(value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure> {
    let held = value.as_ref().map_or(0, Vec::len);
    check_size(size_of::<Option<Vec<u8>>>() + held)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_printed_without_its_password() {
        for text in [
            "redis://:secret@cache:6379/1",
            "redis://somebody:secret@cache",
            "valkey://:secret@cache/0",
        ] {
            let url = RedisUrl::try_from(text.to_owned()).unwrap();
            let printed = format!("{url:?}");
            assert!(
                printed.contains("cache") && !printed.contains("secret"),
                "{printed}"
            );
        }
    }

    #[test]
    fn what_is_no_url_of_a_redis_is_not_repeated() {
        for (text, said) in [
            ("", "redis://"),
            ("secret@cache:6379", "redis://"),
            ("http://:secret@cache", "redis://"),
            ("redis://:secret/@cache", "percent-encoded"),
            ("rediss://:secret@cache", "TLS"),
        ] {
            let error = RedisUrl::try_from(text.to_owned()).unwrap_err();
            assert!(
                error.contains(said) && !error.contains("secret"),
                "{text}: {error}"
            );
        }
    }
}
