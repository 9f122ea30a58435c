//! Texts of requests that wait in one instance go to the provider together, and a circuit breaker leaves it alone
//! after it failed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::Vector;

use crate::breaker::Breaker;
use crate::failure::Failure;
use crate::provider;
use crate::settings::Provider;

/// The most texts of one request to the provider.
const CAPACITY: usize = 128;

/// How long the breaker stays open after the provider failed: at first, and at most unless the provider asks for more.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// The longest pause that the provider may ask for.
const ASKED_MAX: Duration = Duration::from_mins(1);

/// A text, and its vector.
type Entry = instance::Entry<String, Result<Vector, Failure>>;
type Batch<'b> = instance::Batch<'b, String, Result<Vector, Failure>>;
type Batcher = instance::Batcher<String, Result<Vector, Failure>>;

#[derive(Default)]
struct Queue {
    batcher: Batcher,
    breaker: Breaker,
    /// The last failure of the provider and the pause after it; nothing since it answered.
    last: RefCell<Option<(Failure, Duration)>>,
}

thread_local! {
    static QUEUE: Rc<Queue> = Rc::default();
}

/// The vectors of `texts`, as far as there are any at `deadline`.
pub(crate) async fn embed(
    settings: &Provider,
    texts: Vec<String>,
    deadline: Instant,
) -> Vec<Result<Vector, Failure>> {
    let queue = QUEUE.with(Rc::clone);
    if let Some(failure) = queue.refusal() {
        return vec![Err(failure); texts.len()];
    }
    let entries: Vec<Rc<Entry>> = texts.into_iter().map(|text| Entry::new(text, 1)).collect();

    // A little longer than the call itself, so that whoever leads hears what became of it.
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(50);
    let lead = async |batch: &Batch<'_>| {
        let entries = batch.take(CAPACITY);
        queue.send(settings, &entries, deadline).await;
    };
    instance::within(left, queue.batcher.run(&entries, lead)).await;
    let too_slow = Failure::unavailable("the embedding provider is too slow");
    entries
        .iter()
        .map(|entry| entry.take().unwrap_or(Err(too_slow.clone())))
        .collect()
}

impl Queue {
    async fn send(&self, settings: &Provider, entries: &[Rc<Entry>], deadline: Instant) {
        let texts: Vec<&str> = entries.iter().map(|entry| entry.item().as_str()).collect();
        match provider::fetch(settings, &texts, deadline).await {
            // Whose text it is only the provider knows: each is asked for alone.
            Err(Failure::Refused) if texts.len() > 1 => {
                for entry in entries {
                    let outcome = provider::fetch(settings, &[entry.item()], deadline).await;
                    answer(entry, outcome.map(|mut vectors| vectors.pop()));
                }
            }
            Ok(vectors) => {
                self.breaker.close();
                self.last.take();
                for (entry, vector) in entries.iter().zip(vectors) {
                    answer(entry, Ok(Some(vector)));
                }
            }
            Err(failure) => {
                instance::event("embedding", failure.reason());
                self.open(&failure);
                for entry in entries {
                    answer(entry, Err(failure.clone()));
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

    /// Opens the breaker: the longer, the more often in a row the provider failed.
    fn open(&self, failure: &Failure) {
        let Failure::Unavailable { retry_after, .. } = failure else {
            return;
        };
        let before = self.last.borrow().as_ref().map(|(_, pause)| *pause);
        let pause = before.map_or(PAUSE, |pause| pause.saturating_mul(2).min(PAUSE_MAX));
        self.breaker
            .open(retry_after.map_or(pause, |asked| asked.clamp(pause, ASKED_MAX)));
        *self.last.borrow_mut() = Some((failure.clone(), pause));
    }
}

fn answer(entry: &Entry, outcome: Result<Option<Vector>, Failure>) {
    entry.answer(outcome.and_then(|vector| vector.ok_or(provider::INCOMPLETE)));
}
