//! Texts that wait in one instance go to the provider together, and it is left alone after it failed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::Vector;

use super::{Failure, provider};
use crate::config::Embedding;
use crate::limit::within;
use crate::together::{self, Together};
use crate::{Config, log_event};

/// The most texts of one question.
const TOGETHER: usize = 128;

/// How long the provider is left alone after it failed: at first, and at most unless it asks for more.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(8);
/// The longest rest that the provider may ask for.
const ASKED_MAX: Duration = Duration::from_mins(1);

/// A text, and its vector.
type Wish = together::Wish<String, Result<Vector, Failure>>;
type Turn<'q> = together::Turn<'q, String, Result<Vector, Failure>>;

#[derive(Default)]
struct Queue {
    texts: Together<String, Result<Vector, Failure>>,
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
    let wishes: Vec<Rc<Wish>> = texts.into_iter().map(|text| Wish::new(text, 1)).collect();

    // A little longer than the question itself, so that whoever asks hears what became of it.
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(50);
    let ask = async |turn: &Turn<'_>| {
        let wishes = turn.draw(TOGETHER);
        queue.ask(config, settings, &wishes, deadline).await;
    };
    within(left, queue.texts.fulfil(&wishes, ask)).await;
    let too_slow = Failure::unavailable("the embedding provider is too slow");
    wishes
        .iter()
        .map(|wish| wish.take().unwrap_or(Err(too_slow.clone())))
        .collect()
}

impl Queue {
    /// Asks the provider for the texts of one turn.
    async fn ask(
        &self,
        config: &Config,
        settings: &Embedding,
        wishes: &[Rc<Wish>],
        deadline: Instant,
    ) {
        let texts: Vec<&str> = wishes.iter().map(|wish| wish.what().as_str()).collect();
        match provider::fetch(settings, &texts, deadline).await {
            // Whose text it is only the provider knows: each is asked for alone.
            Err(Failure::Refused) if texts.len() > 1 => {
                for wish in wishes {
                    let outcome = provider::fetch(settings, &[wish.what()], deadline).await;
                    settle(wish, outcome.map(|mut vectors| vectors.pop()));
                }
            }
            Ok(vectors) => {
                self.rest.take();
                for (wish, vector) in wishes.iter().zip(vectors) {
                    settle(wish, Ok(Some(vector)));
                }
            }
            Err(failure) => {
                log_event(config, "embedding", failure.reason());
                self.tire(&failure);
                for wish in wishes {
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

fn settle(wish: &Wish, outcome: Result<Option<Vector>, Failure>) {
    let outcome = outcome.and_then(|vector| vector.ok_or(provider::INCOMPLETE));
    wish.settle(outcome);
}
