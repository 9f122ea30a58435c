//! A store in `SQLite`, with Spin's schema: what `spin:key-value` and `wasi:keyvalue` do to it.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/key-value-spin/src/store.rs`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{mpsc, oneshot};
use tokio::task::block_in_place;

use super::failure::{Failure, check_size};
use crate::bindings::key_value::Error;

const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                   ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
const REPLACE: &str =
    "UPDATE spin_key_value SET value = ?4 WHERE store = ?1 AND key = ?2 AND value = ?3";
const DELETE: &str = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2";
const KEYS: &str = "SELECT key FROM spin_key_value WHERE store = ?1";

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::other(error.to_string())
    }
}

/// A database, opened when it is used first. One connection, one lock.
pub(super) struct Database {
    file: Option<PathBuf>,
    connection: OnceLock<Result<Mutex<Connection>, String>>,
    /// Somebody has incremented what is no counter. Spin panics then and holds the lock, so whoever takes it next panics, too.
    ruined: AtomicBool,
}

impl Database {
    /// One in this file, or else in memory.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            connection: OnceLock::new(),
            ruined: AtomicBool::new(false),
        }
    }

    fn opened(&self) -> Result<&Mutex<Connection>, Error> {
        let opened = self
            .connection
            .get_or_init(|| self.create().map_err(|error| format!("{error:#}")));
        opened.as_ref().map_err(|error| Error::Other(error.clone()))
    }

    fn connection(&self) -> Result<MutexGuard<'_, Connection>, Failure> {
        let connection = self.opened()?;
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ruined.load(Ordering::Relaxed) {
            return Err(Failure::Ruined);
        }
        Ok(connection)
    }

    fn create(&self) -> Result<Mutex<Connection>> {
        let connection = match &self.file {
            None => Connection::open_in_memory()?,
            Some(file) => {
                if let Some(folder) = file.parent() {
                    std::fs::create_dir_all(folder)
                        .with_context(|| format!("cannot create {}", folder.display()))?;
                }
                Connection::open(file)?
            }
        };
        connection.execute(
            "CREATE TABLE IF NOT EXISTS spin_key_value (
               store TEXT NOT NULL,
               key   TEXT NOT NULL,
               value BLOB NOT NULL,
               PRIMARY KEY (store, key)
             )",
            [],
        )?;
        Ok(Mutex::new(connection))
    }
}

/// An open store. Calls run in place, as in Spin: the worker thread waits.
#[derive(Clone)]
pub(crate) struct SqliteStore {
    label: String,
    database: Arc<Database>,
}

impl SqliteStore {
    /// The one of this label, whose database is there from now on.
    pub(super) fn open(label: String, database: &Arc<Database>) -> Result<Self, Error> {
        block_in_place(|| database.opened().map(drop))?;
        Ok(Self {
            label,
            database: Arc::clone(database),
        })
    }

    /// Runs `work` on the connection.
    fn run<R>(
        &self,
        work: impl FnOnce(&Connection, &str) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        block_in_place(|| work(&*self.database.connection()?, &self.label))
    }

    /// The value under a key, however large.
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.run(|connection, label| read(connection, label, key))
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let value = self.read(key)?;
        let held = value.as_ref().map_or(0, Vec::len);
        check_size(size_of::<Option<Vec<u8>>>() + held)?;
        Ok(value)
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.read(key)?.is_some())
    }

    pub(super) fn set(&self, key: &str, value: &[u8]) -> Result<(), Failure> {
        self.run(|connection, label| write(connection, label, key, value))
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), Failure> {
        self.run(|connection, label| remove(connection, label, key))
    }

    /// Sends every key, and in the end how it went; ends early when nobody listens any more.
    pub(super) fn send_keys(
        &self,
        keys: &mpsc::Sender<String>,
        end: oneshot::Sender<Result<(), Error>>,
    ) {
        let outcome = match self.send_rows(keys) {
            Ok(()) => Ok(()),
            Err(Failure::Told(error)) => Err(error),
            // Spin panics here: the guest's future has no end, which ends the instance.
            Err(Failure::Ruined) => return,
        };
        // The guest may have dropped the future: then nobody wants the result.
        _ = end.send(outcome);
    }

    fn send_rows(&self, keys: &mpsc::Sender<String>) -> Result<(), Failure> {
        let connection = self.database.connection()?;
        let mut statement = connection.prepare_cached(KEYS)?;
        let mut rows = statement.query([&self.label])?;
        while let Some(row) = rows.next()? {
            if keys.blocking_send(row.get(0)?).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Every key.
    pub(super) fn keys(&self) -> Result<Vec<String>, Failure> {
        self.run(|connection, label| {
            let mut size = size_of::<Vec<String>>();
            let mut statement = connection.prepare_cached(KEYS)?;
            let mut keys = Vec::new();
            for key in statement.query_map([label], |row| row.get(0))? {
                let key: String = key?;
                size += size_of::<String>() + key.len();
                check_size(size)?;
                keys.push(key);
            }
            Ok(keys)
        })
    }

    /// The keys that are there, each once, in alphabetical order, which is how `SQLite` finds them for Spin.
    pub(super) fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        self.run(|connection, label| {
            let mut size = size_of::<Vec<String>>();
            let mut found = Vec::new();
            for key in keys {
                if let Some(value) = read(connection, label, &key)? {
                    size += size_of::<(String, Option<Vec<u8>>)>() + key.len() + value.len();
                    check_size(size)?;
                    found.push((key, value));
                }
            }
            Ok(found)
        })
    }

    /// Sets all or none.
    pub(super) fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), Failure> {
        self.run(|connection, label| {
            let transaction = connection.unchecked_transaction()?;
            for (key, value) in pairs {
                write(&transaction, label, key, value)?;
            }
            Ok(transaction.commit()?)
        })
    }

    /// Deletes all or none.
    pub(super) fn delete_many(&self, keys: &[String]) -> Result<(), Failure> {
        self.run(|connection, label| {
            let transaction = connection.unchecked_transaction()?;
            for key in keys {
                remove(&transaction, label, key)?;
            }
            Ok(transaction.commit()?)
        })
    }

    /// Adds to a number, which is 8 bytes, the lowest first, and returns what it is then.
    pub(super) fn increment(&self, key: &str, delta: i64) -> Result<i64, Failure> {
        self.run(|connection, label| {
            let transaction = connection.unchecked_transaction()?;
            let number = match read(&transaction, label, key)? {
                None => 0,
                Some(value) => {
                    let bytes = value.try_into().map_err(|_| {
                        self.database.ruined.store(true, Ordering::Relaxed);
                        Failure::Ruined
                    })?;
                    i64::from_le_bytes(bytes)
                }
            };
            let sum = number.wrapping_add(delta);
            write(&transaction, label, key, &sum.to_le_bytes())?;
            transaction.commit()?;
            Ok(sum)
        })
    }

    /// Puts a new value in the place of this one, or of whatever is there if nothing was. Whether it did.
    pub(super) fn replace(
        &self,
        key: &str,
        old: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, Failure> {
        let Some(old) = old else {
            return self.set(key, new).map(|()| true);
        };
        self.run(|connection, label| {
            let mut statement = connection.prepare_cached(REPLACE)?;
            Ok(statement.execute(params![label, key, old, new])? == 1)
        })
    }
}

fn read(connection: &Connection, label: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached(GET)?;
    let value = statement.query_row([label, key], |row| row.get(0));
    Ok(value.optional()?)
}

fn write(connection: &Connection, label: &str, key: &str, value: &[u8]) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(SET)?;
    statement.execute(params![label, key, value])?;
    Ok(())
}

fn remove(connection: &Connection, label: &str, key: &str) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(DELETE)?;
    statement.execute([label, key])?;
    Ok(())
}
