//! What is going on, and what went on while a request was under way.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::fault::Fault;

/// Shared by all who look at it.
#[derive(Default)]
pub(super) struct Weather(Mutex<State>);

#[derive(Clone, Copy, Default)]
struct State {
    /// What is on, or not recovered from yet.
    fault: Option<Fault>,
    is_cured: bool,
    /// The last that was recovered from, and when.
    over: Option<(Fault, Instant)>,
    /// Since when everything has been made up for.
    calm: Option<Instant>,
}

impl Weather {
    /// A fault begins.
    pub(super) fn strike(&self, fault: Fault) {
        let mut state = self.lock();
        (state.fault, state.is_cured, state.calm) = (Some(fault), false, None);
    }

    /// It is cured, and the service may still feel it.
    pub(super) fn cure(&self) {
        self.lock().is_cured = true;
    }

    /// The service answers again as it should. Maintenance may have something to make up for.
    pub(super) fn recover(&self) {
        let mut state = self.lock();
        state.over = state.fault.take().map(|fault| (fault, Instant::now()));
    }

    /// Everything is made up for.
    pub(super) fn calm_down(&self) {
        self.lock().calm = Some(Instant::now());
    }

    /// The load rests, so that figures of now are no figures of calm.
    pub(super) fn rest(&self) {
        self.lock().calm = None;
    }

    /// What excuses a request that began at this time and has just ended.
    pub(super) fn excuse(&self, began: Instant) -> Option<Fault> {
        let state = self.lock();
        let over = state.over.filter(|(_, end)| *end > began);
        state.fault.or(over.map(|(fault, _)| fault))
    }

    /// Whether nothing at all has been wrong since this time.
    pub(super) fn was_calm(&self, began: Instant) -> bool {
        self.lock().calm.is_some_and(|calm| calm <= began)
    }

    pub(super) fn says(&self) -> String {
        let state = self.lock();
        match (state.fault, state.calm) {
            (Some(fault), _) if state.is_cured => format!("after {}", fault.name()),
            (Some(fault), _) => fault.name().to_owned(),
            (None, None) => "settling".to_owned(),
            (None, Some(_)) => "calm".to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_excused_by_what_was_on_while_it_was_under_way() {
        let weather = Weather::default();
        let fault = Fault::DatabaseKilled;
        let before = Instant::now();
        weather.calm_down();
        assert_eq!(weather.excuse(before), None);
        weather.strike(fault);
        assert_eq!(weather.excuse(before), Some(fault));
        weather.cure();
        assert_eq!(weather.excuse(Instant::now()), Some(fault));
        let during = Instant::now();
        weather.recover();
        assert_eq!(weather.excuse(during), Some(fault));
        let after = Instant::now();
        assert_eq!(weather.excuse(after), None);
        assert!(!weather.was_calm(after));
        weather.calm_down();
        assert!(!weather.was_calm(after));
        assert!(weather.was_calm(Instant::now()));
    }
}
