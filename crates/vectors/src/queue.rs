//! Texts of requests that wait in one instance go to the provider together, and a circuit breaker leaves it alone
//! after it failed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use audit::Vector;
use instance::{Breaker, Level, Trace};
use runtime::Instant;

use crate::failure::Failure;
use crate::provider::{self, Question};
use crate::settings::Provider;

/// The most texts of one request to the provider.
const CAPACITY: usize = 64;

/// The most requests to the provider at the same time. A text that arrives while one is under way does not wait for
/// that, because a slow provider would then take twice as long; only when this many are, texts go together.
const REQUESTS: usize = 4;

/// How long the breaker stays open after the provider failed: at first, and at most unless the provider asks for more.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// The longest pause that the provider may ask for.
const ASKED_MAX: Duration = Duration::from_mins(1);

/// A text, and the trace of the request that it is of.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) trace: Option<Trace>,
}

/// A text, and its vector.
type Entry = instance::Entry<Text, Result<Vector, Failure>>;
type Batch = instance::Batch<Text, Result<Vector, Failure>>;
type Batcher = instance::Batcher<Text, Result<Vector, Failure>>;

struct Queue {
    batcher: Rc<Batcher>,
    breaker: Breaker,
    /// The last failure of the provider and the pause after it; nothing since it answered.
    last: RefCell<Option<(Failure, Duration)>>,
}

thread_local! {
    static QUEUE: Rc<Queue> = Rc::new(Queue {
        batcher: Batcher::new(REQUESTS),
        breaker: Breaker::default(),
        last: RefCell::default(),
    });
}

/// The vectors of `texts`, as far as there are any at `deadline`.
pub(crate) async fn embed(
    settings: &Rc<Provider>,
    texts: Vec<Text>,
    deadline: Instant,
) -> Vec<Result<Vector, Failure>> {
    let queue = QUEUE.with(Rc::clone);
    if let Some(failure) = queue.refusal() {
        return vec![Err(failure); texts.len()];
    }
    let entries: Vec<Rc<Entry>> = texts.into_iter().map(|text| Entry::new(text, 1)).collect();
    let lead = |batch| queue.clone().send(settings.clone(), batch);
    queue.batcher.run(&entries, deadline, lead).await;
    let too_slow = Failure::unavailable("the embedding provider is too slow");
    entries
        .iter()
        .map(|entry| entry.take().unwrap_or(Err(too_slow.clone())))
        .collect()
}

impl Queue {
    /// Sends one batch. The provider has the full time of a request for it, however little those in it have left, so that
    /// one that says nothing at all until then is away.
    async fn send(self: Rc<Self>, settings: Rc<Provider>, batch: Batch) {
        let deadline = Instant::now() + settings.timeout;
        let mut has_answered = false;
        let mut parts = vec![batch.take(CAPACITY)];
        while let Some(entries) = parts.pop() {
            let question = question(&entries);
            if question.texts.is_empty() {
                continue;
            }
            match provider::fetch(&settings, &question, deadline, has_answered).await {
                // Whose text it is only the provider knows: each half is asked for alone.
                Err(Failure::Refused) if entries.len() > 1 => {
                    has_answered = true;
                    let (first, second) = entries.split_at(entries.len() / 2);
                    parts.extend([second.to_vec(), first.to_vec()]);
                }
                Err(failure) => {
                    if !(has_answered && failure == provider::TOO_SLOW) {
                        self.failed(&failure);
                    }
                    // If it is away, it is for the other parts too.
                    let others = match failure {
                        Failure::Unavailable { .. } => std::mem::take(&mut parts),
                        Failure::Refused | Failure::Disabled => Vec::new(),
                    };
                    for entry in entries.iter().chain(others.iter().flatten()) {
                        entry.answer(Err(failure.clone()));
                    }
                }
                Ok(vectors) => {
                    has_answered = true;
                    self.breaker.close();
                    self.last.take();
                    for (entry, vector) in entries.iter().zip(vectors) {
                        entry.answer(vector.ok_or(Failure::Refused));
                    }
                }
            }
        }
    }

    /// Why the provider is not asked, while the breaker is open.
    fn refusal(&self) -> Option<Failure> {
        let left = self.breaker.open_for()?;
        let last = self.last.borrow();
        let (failure, _) = last.as_ref()?;
        Some(match failure {
            Failure::Unavailable { reason, .. } => Failure::Unavailable {
                reason,
                retry_after: Some(left),
            },
            other => other.clone(),
        })
    }

    /// Opens the breaker, if the provider is away: the longer, the more often in a row.
    fn failed(&self, failure: &Failure) {
        let Failure::Unavailable { retry_after, .. } = failure else {
            return;
        };
        instance::event(Level::Warn, "embedding", failure.reason());
        let before = self.last.borrow().as_ref().map(|(_, pause)| *pause);
        let pause = before.map_or(PAUSE, |pause| pause.saturating_mul(2).min(PAUSE_MAX));
        self.breaker
            .open(retry_after.map_or(pause, |asked| asked.clamp(pause, ASKED_MAX)));
        *self.last.borrow_mut() = Some((failure.clone(), pause));
    }
}

/// One request to the provider can be in one trace: that of the first text that is in one.
fn question(entries: &[Rc<Entry>]) -> Question<'_> {
    let items = || entries.iter().map(|entry| entry.item());
    Question {
        texts: items().map(|item| item.text.as_str()).collect(),
        trace: items().find_map(|item| item.trace),
    }
}
