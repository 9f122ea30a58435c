//! Texts that wait in one instance go to the provider together.
//!
//! The first request asks at once, with what it has. Those that come while it waits for the answer are
//! asked together next, by one of them. There is no timer, so an idle instance waits for nobody; and if
//! the request that asks is cancelled, another one takes over.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::Vector;

use super::{Failure, provider};
use crate::config::Embedding;
use crate::limit::within;
use crate::wakeup::Waiting;
use crate::{Config, log_event};

/// The most texts of one question.
const TOGETHER: usize = 128;

/// How long the provider is left alone after it failed: at first, and at most unless it asks for more.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(8);
/// The longest rest that the provider may ask for.
const ASKED_MAX: Duration = Duration::from_mins(1);

/// One text, and what became of it.
struct Wish {
    text: String,
    outcome: RefCell<Option<Result<Vector, Failure>>>,
}

#[derive(Default)]
struct Queue {
    wishes: RefCell<VecDeque<Rc<Wish>>>,
    /// Whether a question is under way.
    asking: Cell<bool>,
    waiting: Waiting,
    rest: RefCell<Option<Rest>>,
}

/// The provider failed; until then it is left alone.
#[derive(Clone)]
struct Rest {
    until: Instant,
    length: Duration,
    failure: Failure,
}

thread_local! {
    static QUEUE: Rc<Queue> = Rc::default();
}

/// The vectors of `texts`, as far as there are any at `deadline`.
pub(super) async fn embed(
    config: &Config,
    texts: Vec<String>,
    deadline: Instant,
) -> Vec<Result<Vector, Failure>> {
    let Some(settings) = &config.embedding else {
        return vec![Err(Failure::Disabled); texts.len()];
    };
    let queue = QUEUE.with(Rc::clone);
    if let Some(failure) = queue.resting() {
        return vec![Err(failure); texts.len()];
    }
    let wishes: Vec<Rc<Wish>> = texts.into_iter().map(Wish::new).collect();
    queue.wishes.borrow_mut().extend(wishes.iter().cloned());

    // A little longer than the question itself, so that whoever asks hears what became of it.
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(50);
    within(left, queue.fulfil(config, settings, &wishes, deadline)).await;
    wishes.iter().map(|wish| wish.take()).collect()
}

impl Wish {
    fn new(text: String) -> Rc<Self> {
        Rc::new(Self {
            text,
            outcome: RefCell::new(None),
        })
    }

    fn is_open(&self) -> bool {
        self.outcome.borrow().is_none()
    }

    fn take(&self) -> Result<Vector, Failure> {
        self.outcome.take().unwrap_or(Err(Failure::unavailable(
            "the embedding provider is too slow",
        )))
    }
}

impl Queue {
    /// Returns when all of `wishes` have their outcome.
    async fn fulfil(
        &self,
        config: &Config,
        settings: &Embedding,
        wishes: &[Rc<Wish>],
        deadline: Instant,
    ) {
        while wishes.iter().any(|wish| wish.is_open()) {
            if self.asking.get() {
                self.waiting.join().await;
            } else {
                self.ask(config, settings, deadline).await;
            }
        }
    }

    /// Asks the provider for the texts that wait.
    async fn ask(&self, config: &Config, settings: &Embedding, deadline: Instant) {
        let turn = Turn::begin(self);
        let texts: Vec<&str> = turn.wishes.iter().map(|wish| wish.text.as_str()).collect();
        match provider::fetch(settings, &texts, deadline).await {
            // Whose text it is only the provider knows: each is asked for alone.
            Err(Failure::Refused) if texts.len() > 1 => {
                for wish in &turn.wishes {
                    let outcome = provider::fetch(settings, &[&wish.text], deadline).await;
                    settle(wish, outcome.map(|mut vectors| vectors.pop()));
                }
            }
            Ok(vectors) => {
                self.rest.take();
                for (wish, vector) in turn.wishes.iter().zip(vectors) {
                    settle(wish, Ok(Some(vector)));
                }
            }
            Err(failure) => {
                log_event(config, "embedding", failure.reason());
                self.tire(&failure);
                for wish in &turn.wishes {
                    settle(wish, Err(failure.clone()));
                }
            }
        }
    }

    fn resting(&self) -> Option<Failure> {
        let rest = self.rest.borrow();
        let rest = rest.as_ref()?;
        let left = rest.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| match &rest.failure {
            Failure::Unavailable { reason, .. } => Failure::Unavailable {
                reason,
                retry_after: Some(left),
            },
            other => other.clone(),
        })
    }

    /// Leaves the provider alone for a while.
    fn tire(&self, failure: &Failure) {
        let Failure::Unavailable { retry_after, .. } = failure else {
            return;
        };
        let before = self.rest.borrow().as_ref().map(|rest| rest.length);
        let length = before.map_or(REST, |length| length.saturating_mul(2).min(REST_MAX));
        let pause = retry_after.map_or(length, |asked| asked.clamp(length, ASKED_MAX));
        *self.rest.borrow_mut() = Some(Rest {
            until: Instant::now() + pause,
            length,
            failure: failure.clone(),
        });
    }
}

/// One question. What has no outcome when it ends, also because its request was cancelled, is asked
/// again by the next.
struct Turn<'q> {
    queue: &'q Queue,
    wishes: Vec<Rc<Wish>>,
}

impl<'q> Turn<'q> {
    fn begin(queue: &'q Queue) -> Self {
        queue.asking.set(true);
        let mut waiting = queue.wishes.borrow_mut();
        // Nobody waits for a wish that only the queue holds.
        waiting.retain(|wish| Rc::strong_count(wish) > 1);
        let count = waiting.len().min(TOGETHER);
        let wishes = waiting.drain(..count).collect();
        Self { queue, wishes }
    }
}

fn settle(wish: &Wish, outcome: Result<Option<Vector>, Failure>) {
    let outcome = outcome.and_then(|vector| vector.ok_or(provider::INCOMPLETE));
    *wish.outcome.borrow_mut() = Some(outcome);
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.wishes.borrow_mut();
        for wish in self.wishes.drain(..).rev().filter(|wish| wish.is_open()) {
            waiting.push_front(wish);
        }
        self.queue.asking.set(false);
        self.queue.waiting.wake_all();
    }
}
