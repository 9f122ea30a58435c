//! Work that many requests ask for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use instance::Throttle;
use runtime::simulated::{Servers, run};
use runtime::{Instant, sleep};

const INTERVAL: Duration = Duration::from_secs(1);

/// When work that takes `takes` began, if it is asked for at these times; and when everything was over. All in milliseconds.
fn begun(asked: &[u64], takes: u64) -> (Vec<u128>, u128) {
    let begun = Rc::new(RefCell::new(Vec::new()));
    let (asked, seen) = (asked.to_vec(), begun.clone());
    let start = run(Servers::default(), async move {
        let start = Instant::now();
        let throttle = Rc::new(Throttle::new(INTERVAL));
        for at in asked {
            let left = Duration::from_millis(at).saturating_sub(start.elapsed());
            sleep(left).await;
            let seen = seen.clone();
            throttle.clone().ask(async move || {
                seen.borrow_mut().push(start.elapsed().as_millis());
                sleep(Duration::from_millis(takes)).await;
            });
        }
        start
    });
    let begun = begun.borrow().clone();
    (begun, start.elapsed().as_millis())
}

#[test]
fn who_asks_once_is_not_kept() {
    assert_eq!(begun(&[0], 5), (vec![0], 5));
}

#[test]
fn what_is_asked_for_within_the_interval_is_done_at_its_end() {
    assert_eq!(begun(&[0, 10, 20, 900], 5).0, [0, 1000]);
    assert_eq!(begun(&[0, 1_000, 1_500], 5).0, [0, 1000, 2000]);
}

#[test]
fn one_run_at_a_time() {
    assert_eq!(begun(&[0, 10], 3_000).0, [0, 3_000]);
    assert_eq!(begun(&[0, 2_999, 3_001], 3_000).0, [0, 3_000, 6_000]);
}
