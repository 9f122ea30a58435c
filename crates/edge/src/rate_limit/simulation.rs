//! Many instances and one bucket, in simulated time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use instance::{Lease, LeaseRequest, Rate, Unlent};
use runtime::Instant;
use runtime::simulated::{Servers, run};

use super::{Lender, RateLimiter};
use crate::problem::Error;

const RATE: Rate = Rate {
    per_second: 100,
    burst: 150,
};

/// What the function `audit_lease` does, with a millisecond on the way.
struct Bucket {
    tokens: Cell<f64>,
    filled: Cell<Instant>,
    asked: Cell<u32>,
    is_away: Cell<bool>,
    seen: RefCell<Vec<LeaseRequest>>,
}

impl Bucket {
    fn full() -> Rc<Self> {
        Rc::new(Self {
            tokens: Cell::new(f64::from(RATE.burst)),
            filled: Cell::new(Instant::now()),
            asked: Cell::new(0),
            is_away: Cell::new(false),
            seen: RefCell::default(),
        })
    }

    fn lease(&self, request: &LeaseRequest) -> Result<Lease, Unlent> {
        self.asked.set(self.asked.get() + 1);
        self.seen.borrow_mut().push(request.clone());
        if self.is_away.get() {
            return Err(Unlent::Away);
        }
        let (rate, now) = (f64::from(request.rate.per_second), Instant::now());
        let came = now
            .saturating_duration_since(self.filled.get())
            .as_secs_f64()
            * rate;
        let available = (self.tokens.get() + came).min(f64::from(request.rate.burst));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let granted = request.wanted.min(available as u32);
        let left = available - f64::from(granted);
        self.tokens.set(left);
        self.filled.set(now);
        let retry_after = Duration::from_secs_f64(((1.0 - left) / rate).max(0.0));
        Ok(Lease {
            granted,
            retry_after,
        })
    }
}

fn lender(bucket: &Rc<Bucket>) -> Lender {
    let bucket = Rc::clone(bucket);
    Box::new(move |request| {
        let bucket = Rc::clone(&bucket);
        Box::pin(async move {
            runtime::sleep(Duration::from_millis(1)).await;
            bucket.lease(&request)
        })
    })
}

/// How instances are used.
#[derive(Clone, Copy, Debug)]
struct Load {
    instances: u32,
    /// Requests per second, of all.
    offered: u32,
    /// Requests that an instance takes before another one takes its place.
    life: u32,
}

const SECONDS: u32 = 20;

/// Requests that were admitted per second, without the burst, and leases per second.
fn admitted(load: Load) -> (f64, f64) {
    run(Servers::default(), async move {
        let bucket = Bucket::full();
        bucket.tokens.set(0.0);
        let admitted = Rc::new(Cell::new(0));
        let instances = (0..load.instances).map(|instance| {
            let (bucket, admitted) = (Rc::clone(&bucket), Rc::clone(&admitted));
            async move { requests(load, instance, &bucket, &admitted).await }
        });
        join_all(instances).await;
        let per_second = |count: u32| f64::from(count) / f64::from(SECONDS);
        (per_second(admitted.get()), per_second(bucket.asked.get()))
    })
}

async fn requests(load: Load, instance: u32, bucket: &Rc<Bucket>, admitted: &Rc<Cell<u32>>) {
    let pause = Duration::from_secs(load.instances.into()) / load.offered;
    runtime::sleep(pause * instance / load.instances).await;
    let mut limiter = RateLimiter::new(RATE, lender(bucket));
    for number in 1..=(load.offered * SECONDS / load.instances) {
        if number % load.life == 0 {
            limiter = RateLimiter::new(RATE, lender(bucket));
        }
        let (limiter, admitted) = (Rc::clone(&limiter), Rc::clone(admitted));
        runtime::spawn(async move {
            if limiter.take("caller").await.is_ok() {
                admitted.set(admitted.get() + 1);
            }
        });
        runtime::sleep(pause).await;
    }
}

#[test]
fn what_is_admitted_is_the_rate_however_much_is_offered() {
    for instances in [1, 3, 10, 40] {
        for times in [2, 10, 50] {
            let load = Load {
                instances,
                offered: RATE.per_second * times,
                life: 128,
            };
            let (admitted, leases) = admitted(load);
            assert!((90.0..=110.0).contains(&admitted), "{load:?}: {admitted}/s");
            let most = f64::from(RATE.per_second + 15 * instances);
            assert!(leases <= most, "{load:?}: {leases} leases/s");
        }
    }
}

#[test]
fn who_stays_below_the_rate_is_never_refused() {
    for instances in [1, 3, 10, 40] {
        for life in [16, 128] {
            let load = Load {
                instances,
                offered: RATE.per_second * 9 / 10,
                life,
            };
            let (admitted, _) = admitted(load);
            let offered = f64::from(load.offered / instances * instances);
            assert!(admitted >= offered * 0.97, "{load:?}: {admitted}/s");
        }
    }
}

#[test]
fn a_lender_that_is_away_lets_everybody_pass_and_is_left_alone() {
    run(Servers::default(), async {
        let bucket = Bucket::full();
        bucket.is_away.set(true);
        let limiter = RateLimiter::new(RATE, lender(&bucket));
        for _ in 0..1_000 {
            assert!(limiter.take("caller").await.is_ok());
            runtime::sleep(Duration::from_millis(2)).await;
        }
        assert!((2..=4).contains(&bucket.asked.get()), "in two seconds");
        bucket.is_away.set(false);
        bucket.tokens.set(0.0);
        runtime::sleep(Duration::from_secs(1)).await;
        bucket.filled.set(Instant::now());
        assert!(limiter.take("caller").await.is_err(), "it is back");
    });
}

#[test]
fn a_lender_that_hangs_lets_nobody_pass_and_keeps_nobody_longer_than_its_limit() {
    run(Servers::default(), async {
        let hangs: Lender = Box::new(|_| Box::pin(std::future::pending()));
        let limiter = RateLimiter::new(RATE, hangs);
        let began = Instant::now();
        let all = (0..16).map(|_| limiter.take("caller"));
        let all = join_all(all).await;
        assert!(
            all.iter()
                .all(|taken| matches!(taken, Err(Error::Outage(_))))
        );
        assert_eq!(began.elapsed(), super::LIMIT);
    });
}

#[test]
fn what_fails_for_one_caller_is_nobody_elses_way_in() {
    run(Servers::default(), async {
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let lender: Lender = Box::new(move |request| {
            count.set(count.get() + 1);
            let outcome = if request.identity == "refused" {
                Err(Unlent::Refused("its name is too long".into()))
            } else {
                Ok(Lease {
                    granted: 0,
                    retry_after: Duration::from_secs(9),
                })
            };
            Box::pin(async move { outcome })
        });
        let limiter = RateLimiter::new(RATE, lender);
        for _ in 0..10 {
            assert!(limiter.take("refused").await.is_ok());
            assert!(limiter.take("other").await.is_err());
        }
        assert_eq!(asked.get(), 2, "once for each");
    });
}

#[test]
fn callers_have_buckets_of_their_own_and_a_cancelled_lease_hands_over() {
    run(Servers::default(), async {
        let bucket = Bucket::full();
        let limiter = RateLimiter::new(RATE, lender(&bucket));
        let first = instance::within(Duration::from_micros(500), limiter.take("a"));
        let (first, second, other) =
            futures::future::join3(first, limiter.take("a"), limiter.take("b")).await;
        assert!(first.is_none(), "it gave up");
        assert!(second.is_ok() && other.is_ok());
        let seen = bucket.seen.borrow();
        let whose: Vec<_> = seen
            .iter()
            .map(|request| request.identity.as_str())
            .collect();
        assert_eq!(whose, ["b", "a"]);
    });
}

#[test]
fn who_must_not_be_lost_waits_for_a_token_and_not_for_ever() {
    run(Servers::default(), async {
        let bucket = Bucket::full();
        bucket.tokens.set(0.0);
        let limiter = RateLimiter::new(RATE, lender(&bucket));
        let began = Instant::now();
        let patient_until = began + Duration::from_secs(3);
        let all = (0..250).map(|_| limiter.wait("caller", patient_until));
        let all = join_all(all).await;
        assert!(all.iter().all(Result::is_ok), "100 a second come in");
        assert!(began.elapsed() <= Duration::from_secs(3));

        let late = (0..1_000).map(|_| limiter.wait("caller", patient_until));
        let late = join_all(late).await;
        let refused = late.iter().filter(|taken| taken.is_err());
        assert!(refused.clone().count() >= 850);
        for refused in refused {
            assert!(matches!(refused, Err(Error::Outage(_))), "{refused:?}");
        }
        assert!(began.elapsed() <= Duration::from_secs(4), "nobody waits on");
    });
}
