//! Which fault comes when.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::fault::Fault;

/// The fewest and the most seconds without a fault before each.
const CALM: [u64; 2] = [12, 30];

/// A while without a fault, then a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Episode {
    pub(super) calm: Duration,
    pub(super) fault: Fault,
    pub(super) lasts: Duration,
}

/// Episodes without end, the same for the same seed and faults. Each fault comes once before any comes again, so that a
/// short run has seen as many as it can.
pub(super) struct Plan {
    chance: StdRng,
    faults: Vec<Fault>,
    /// What is left of this round.
    left: Vec<Fault>,
}

impl Plan {
    /// Of these faults, of which there is one at least.
    pub(super) fn draw(seed: u64, faults: Vec<Fault>) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed),
            faults,
            left: Vec::new(),
        }
    }

    fn seconds(&mut self, [fewest, most]: [u64; 2]) -> Duration {
        Duration::from_millis(self.chance.random_range(fewest * 1000..=most * 1000))
    }
}

impl Iterator for Plan {
    type Item = Episode;

    fn next(&mut self) -> Option<Episode> {
        if self.left.is_empty() {
            self.left.clone_from(&self.faults);
            self.left.shuffle(&mut self.chance);
        }
        let fault = self.left.pop()?;
        Some(Episode {
            calm: self.seconds(CALM),
            fault,
            lasts: self.seconds(fault.seconds()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, count: usize) -> Vec<Episode> {
        Plan::draw(seed, Fault::ALL.to_vec()).take(count).collect()
    }

    #[test]
    fn a_seed_draws_the_same_again_and_another_one_something_else() {
        assert_eq!(drawn(7, 40), drawn(7, 40));
        assert_ne!(drawn(7, 40), drawn(8, 40));
    }

    #[test]
    fn every_fault_comes_before_any_comes_again() {
        let faults = Fault::ALL.len();
        let episodes = drawn(7, 3 * faults);
        for round in episodes.chunks(faults) {
            let mut seen: Vec<_> = round.iter().map(|episode| episode.fault).collect();
            seen.sort();
            assert_eq!(seen, Fault::ALL);
        }
        let orders: Vec<Vec<_>> = episodes
            .chunks(faults)
            .map(|round| round.iter().map(|episode| episode.fault).collect())
            .collect();
        assert_ne!(orders[0], orders[1]);
    }

    #[test]
    fn times_are_those_that_were_asked_for() {
        for episode in drawn(1, 200) {
            let within = |time: Duration, [fewest, most]: [u64; 2]| {
                (Duration::from_secs(fewest)..=Duration::from_secs(most)).contains(&time)
            };
            assert!(within(episode.calm, CALM), "{episode:?}");
            assert!(
                within(episode.lasts, episode.fault.seconds()),
                "{episode:?}"
            );
        }
    }
}
