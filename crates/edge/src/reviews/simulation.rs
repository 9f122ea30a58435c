//! Many requests and a slow reviewer, in simulated time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{join_all, join3};
use instance::{Outage, within};
use runtime::simulated::{CounterStore, Servers, StoreServer, run};
use runtime::{Instant, StoreFailed};

use super::claim::Claim;
use super::{Outcome, Reviews, Slots};

/// Answers after a while, and counts.
#[derive(Default)]
struct Reviewer {
    asked: Cell<u32>,
    under_way: Cell<u32>,
    most: Cell<u32>,
}

impl Reviewer {
    async fn review(&self, takes: Duration, says: Option<u32>) -> Result<Option<u32>, Outage> {
        self.asked.set(self.asked.get() + 1);
        self.under_way.set(self.under_way.get() + 1);
        self.most.set(self.most.get().max(self.under_way.get()));
        runtime::sleep(takes).await;
        self.under_way.set(self.under_way.get() - 1);
        Ok(says)
    }
}

struct Setup {
    reviews: Reviews<u32>,
    reviewer: Reviewer,
}

const SLOW: Duration = Duration::from_millis(300);

impl Setup {
    fn new() -> Self {
        Self {
            reviews: Reviews::new(Rc::<Slots>::default()),
            reviewer: Reviewer::default(),
        }
    }

    async fn get(&self, key: &str, takes: Duration, says: Option<u32>) -> Outcome<u32> {
        let review = async || self.reviewer.review(takes, says).await;
        self.reviews.get(key, None, review).await
    }
}

#[test]
fn twenty_at_once_are_one_review() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let all = join_all((0..20).map(|_| setup.get("token", SLOW, Some(7)))).await;
        assert!(all.iter().all(|outcome| outcome == &Ok(Some(Rc::new(7)))));
        assert_eq!(setup.get("token", SLOW, None).await, Ok(Some(Rc::new(7))));
        assert_eq!(setup.reviewer.asked.get(), 1);
    });
}

#[test]
fn a_refusal_is_for_those_that_wait_for_it_and_not_kept() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let all = join_all((0..20).map(|_| setup.get("token", SLOW, None))).await;
        assert!(all.iter().all(|outcome| outcome == &Ok(None)));
        assert_eq!(setup.reviewer.asked.get(), 1);
        let later = setup.get("token", SLOW, Some(1)).await;
        assert_eq!(later, Ok(Some(Rc::new(1))));
    });
}

#[test]
fn what_is_known_no_longer_counts_at_the_end_of_the_token() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let past = Some(instance::now());
        for asked in 1..=2 {
            let review = async || setup.reviewer.review(SLOW, Some(1)).await;
            let outcome = setup.reviews.get("token", past, review).await;
            assert_eq!(outcome, Ok(Some(Rc::new(1))));
            assert_eq!(setup.reviewer.asked.get(), asked);
        }
    });
}

#[test]
fn at_most_six_strangers_are_under_way_and_the_others_wait_a_second() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let keys: Vec<_> = (0..40).map(|key| key.to_string()).collect();
        let began = Instant::now();
        let all = join_all(keys.iter().map(|key| setup.get(key, SLOW, Some(1)))).await;
        assert_eq!(setup.reviewer.most.get(), 6);
        let answered = all.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(answered, 24, "those that began within a second");
        assert_eq!(began.elapsed(), Duration::from_millis(1_200));
    });
}

#[test]
fn someone_known_waits_for_nobody() {
    run(Servers::default(), async {
        let setup = Setup::new();
        setup.get("known", SLOW, Some(1)).await.unwrap();
        let keys: Vec<_> = (0..200).map(|key| key.to_string()).collect();
        let garbage = join_all(keys.iter().map(|key| setup.get(key, SLOW, None)));
        let known = async {
            runtime::sleep(Duration::from_millis(10)).await;
            let began = Instant::now();
            setup.get("known", SLOW, None).await.unwrap().unwrap();
            assert_eq!(began.elapsed(), Duration::ZERO);
        };
        futures::future::join(garbage, known).await;
    });
}

#[test]
fn who_was_known_does_not_wait_for_strangers() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let past = Some(instance::now());
        let review = async || setup.reviewer.review(SLOW, Some(1)).await;
        setup.reviews.get("known", past, review).await.unwrap();
        let keys: Vec<_> = (0..40).map(|key| key.to_string()).collect();
        let strangers = join_all(keys.iter().map(|key| setup.get(key, SLOW, None)));
        let known = async {
            runtime::sleep(Duration::from_millis(10)).await;
            let began = Instant::now();
            setup.get("known", SLOW, Some(1)).await.unwrap().unwrap();
            assert_eq!(began.elapsed(), SLOW);
        };
        futures::future::join(strangers, known).await;
    });
}

#[test]
fn what_ends_soon_is_found_out_anew_once_and_a_no_ends_it() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let soon = Some(instance::now() + chrono::Duration::seconds(10));
        let review = async || setup.reviewer.review(SLOW, Some(1)).await;
        setup.reviews.get("token", soon, review).await.unwrap();
        assert!(setup.reviews.is_to_be_renewed("token"));
        assert!(!setup.reviews.is_to_be_renewed("token"), "somebody does it");
        let refuse = async || setup.reviewer.review(SLOW, None).await;
        setup.reviews.renew("token", soon, refuse).await;
        assert_eq!(setup.get("token", SLOW, None).await, Ok(None));

        setup.get("other", SLOW, Some(1)).await.unwrap();
        assert!(!setup.reviews.is_to_be_renewed("other"), "it has a minute");
    });
}

#[test]
fn who_gives_up_hands_over() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let first = within(Duration::from_millis(10), setup.get("token", SLOW, Some(1)));
        let second = setup.get("token", SLOW, Some(2));
        let third = setup.get("token", SLOW, Some(3));
        let (first, second, third) = join3(first, second, third).await;
        assert!(first.is_none());
        assert_eq!(second, third);
        assert_eq!(setup.reviewer.asked.get(), 2);
    });
}

#[test]
fn who_waits_too_long_for_its_turn_hands_over() {
    run(Servers::default(), async {
        let setup = Setup::new();
        let keys: Vec<_> = (0..8).map(|key| key.to_string()).collect();
        let long = Duration::from_millis(1_500);
        let others = join_all(keys.iter().map(|key| setup.get(key, long, Some(1))));
        let first = async {
            runtime::sleep(Duration::from_millis(1)).await;
            setup.get("token", SLOW, Some(1)).await
        };
        let second = async {
            runtime::sleep(Duration::from_millis(900)).await;
            setup.get("token", SLOW, Some(2)).await
        };
        let (_, first, second) = join3(others, first, second).await;
        assert!(first.is_err(), "it waited a second");
        assert_eq!(second, Ok(Some(Rc::new(2))), "it has more time");
    });
}

/// A store in memory that answers after a millisecond.
#[derive(Default)]
struct Memory(RefCell<HashMap<String, Vec<u8>>>);

impl StoreServer for Memory {
    fn call(&self) -> (Duration, Result<(), StoreFailed>) {
        (Duration::from_millis(1), Ok(()))
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, value: &[u8]) {
        self.0.borrow_mut().insert(key.to_owned(), value.to_vec());
    }
}

fn shared(counters: &CounterStore) -> Servers {
    Servers {
        store: Some(Rc::<Memory>::default()),
        counters: Some(counters.clone()),
        ..Servers::default()
    }
}

/// How often the reviewer is asked if ten instances want to know the same at the same time.
async fn asked_by_ten(says: Option<u32>) -> u32 {
    let instances: Vec<_> = (0..10).map(|_| Setup::new()).collect();
    let all = instances.iter().map(|setup| setup.get("token", SLOW, says));
    for outcome in join_all(all).await {
        assert_eq!(outcome, Ok(says.map(Rc::new)));
    }
    instances
        .iter()
        .map(|setup| setup.reviewer.asked.get())
        .sum()
}

#[test]
fn ten_instances_at_once_are_one_review() {
    let counters = CounterStore::default();
    run(shared(&counters), async {
        assert_eq!(asked_by_ten(Some(7)).await, 1);
    });
    assert!(counters.all().is_empty(), "no claim is left");
}

/// A no is kept nowhere, so each asks for itself once the first one has heard it, and none waits for another again.
#[test]
fn instances_that_wait_for_a_no_ask_for_themselves() {
    run(shared(&CounterStore::default()), async {
        let began = Instant::now();
        assert_eq!(asked_by_ten(None).await, 10);
        assert!(began.elapsed() < 3 * SLOW, "{:?}", began.elapsed());
    });
}

#[test]
fn who_waits_for_an_instance_that_is_gone_waits_a_second() {
    let counters = CounterStore::default();
    run(shared(&counters), async {
        let gone = Claim::make("token");
        assert!(matches!(gone, Claim::Ours(_)));
        std::mem::forget(gone);
        let began = Instant::now();
        assert_eq!(asked_by_ten(Some(7)).await, 10);
        let longest = Duration::from_secs(1) + SLOW + Duration::from_millis(10);
        assert!(began.elapsed() <= longest, "{:?}", began.elapsed());
    });
}

/// Whoever waits for another instance in vain has its own answer in time.
#[test]
fn a_reviewer_that_hangs_holds_nobody_longer_than_its_own_limits() {
    const HANGS: Duration = Duration::from_secs(2);
    run(shared(&CounterStore::default()), async {
        let instances: Vec<_> = (0..3).map(|_| Setup::new()).collect();
        let all = instances.iter().enumerate().map(async |(place, setup)| {
            runtime::sleep(Duration::from_millis(100) * u32::try_from(place).unwrap()).await;
            let began = Instant::now();
            let review = async || {
                runtime::sleep(HANGS).await;
                Err::<Option<u32>, _>(Outage::unavailable("it hangs"))
            };
            assert!(setup.reviews.get("token", None, review).await.is_err());
            began.elapsed()
        });
        for took in join_all(all).await {
            assert!(took <= Duration::from_millis(3_100), "{took:?}");
        }
    });
}

#[test]
fn a_store_that_fails_keeps_nobody_from_asking() {
    let counters = CounterStore::default();
    counters.fail(true);
    run(shared(&counters), async {
        assert_eq!(asked_by_ten(Some(7)).await, 10);
    });
}
