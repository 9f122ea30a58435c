//! PostgreSQL as a test scripts it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use spin_sdk::pg::{DbError, DbValue, Error, ParameterValue, PgError, QueryError};

use super::clock::sleep;
use super::servers;
use super::tasks::spawn;

/// What the server does.
pub trait PostgresServer {
    /// When somebody connects to `address`.
    fn open(&self, address: &str) -> Opening;

    /// When a statement begins. Those of one connection run one after the other, and to their end, whether or not
    /// anybody still waits.
    fn execute(&self, statement: &str, parameters: &[ParameterValue]) -> Execution;
}

/// An attempt to connect.
#[derive(Debug, Clone)]
pub struct Opening {
    /// How long it takes.
    pub takes: Duration,
    /// The driver's words if it fails.
    pub outcome: Result<(), String>,
}

impl Opening {
    /// One that takes so many milliseconds, and whether it succeeds.
    pub fn scripted((takes, works): (u64, bool)) -> Self {
        Self {
            takes: Duration::from_millis(takes),
            outcome: if works { Ok(()) } else { Err("refused".into()) },
        }
    }
}

/// A statement that runs.
#[allow(
    missing_debug_implementations,
    reason = "a closure has nothing to show"
)]
pub struct Execution {
    /// How long it takes.
    pub takes: Duration,
    /// What it does at its end, and says.
    pub finish: Box<dyn FnOnce() -> Reply>,
}

/// What the client hears of a statement.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The first value of its first row.
    Text(Option<String>),
    /// An error with this SQLSTATE and detail.
    Error(&'static str, Option<String>),
    /// The connection breaks.
    Lost,
    /// Nothing, nor of any statement after it.
    Silence,
}

thread_local! {
    static OPEN: Cell<usize> = const { Cell::new(0) };
    /// Those whose connection is silent, so that they wait for ever.
    static UNANSWERED: RefCell<Vec<Answer>> = const { RefCell::new(Vec::new()) };
}

type Answer = oneshot::Sender<Reply>;

/// How many connections are open.
pub fn connections() -> usize {
    OPEN.get()
}

pub(super) fn forget_connections() {
    OPEN.set(0);
    UNANSWERED.take();
}

/// A connection to PostgreSQL.
#[derive(Debug)]
pub struct Connection(Rc<Backend>);

#[derive(Debug, Default)]
struct Backend {
    queue: RefCell<VecDeque<(String, Vec<ParameterValue>, Answer)>>,
    busy: Cell<bool>,
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Sound,
    Lost,
    Silent,
}

impl Connection {
    /// Opens one.
    pub async fn open(address: &str, _ca_root: Option<&str>) -> Result<Self, Error> {
        let failed = |text: String| Error::PgError(PgError::ConnectionFailed(text));
        let server = servers()
            .postgres
            .ok_or_else(|| failed("no server".into()))?;
        let opening = server.open(address);
        sleep(opening.takes).await;
        opening.outcome.map_err(failed)?;
        OPEN.set(OPEN.get() + 1);
        Ok(Self(Rc::default()))
    }

    /// Runs a statement and returns the first value of its first row.
    pub async fn first_value(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<Option<DbValue>, Error> {
        let (sender, receiver) = oneshot::channel();
        let sent = (statement.to_owned(), parameters.to_vec(), sender);
        self.0.queue.borrow_mut().push_back(sent);
        if !self.0.busy.replace(true) {
            spawn(Rc::clone(&self.0).work());
        }
        match receiver.await {
            Ok(Reply::Text(text)) => Ok(text.map(DbValue::Str)),
            Ok(Reply::Error(code, detail)) => Err(refused(code, detail)),
            _ => Err(query_failed(QueryError::Text("connection closed".into()))),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        OPEN.set(OPEN.get().saturating_sub(1));
    }
}

impl Backend {
    async fn work(self: Rc<Self>) {
        loop {
            let next = self.queue.borrow_mut().pop_front();
            let Some((statement, parameters, answer)) = next else {
                break;
            };
            match self.state.get() {
                State::Sound => self.execute(&statement, &parameters, answer).await,
                State::Lost => drop(answer),
                State::Silent => UNANSWERED.with_borrow_mut(|all| all.push(answer)),
            }
        }
        self.busy.set(false);
    }

    async fn execute(&self, statement: &str, parameters: &[ParameterValue], answer: Answer) {
        let Some(server) = servers().postgres else {
            return;
        };
        let execution = server.execute(statement, parameters);
        sleep(execution.takes).await;
        match (execution.finish)() {
            Reply::Lost => self.state.set(State::Lost),
            Reply::Silence => {
                self.state.set(State::Silent);
                UNANSWERED.with_borrow_mut(|all| all.push(answer));
            }
            reply => _ = answer.send(reply),
        }
    }
}

fn refused(code: &str, detail: Option<String>) -> Error {
    query_failed(QueryError::DbError(DbError {
        as_text: format!("db error: {code}"),
        severity: "ERROR".into(),
        code: code.into(),
        message: String::new(),
        detail,
        extras: Vec::new(),
    }))
}

fn query_failed(error: QueryError) -> Error {
    Error::PgError(PgError::QueryFailed(error))
}
