//! A component's configuration: read once per instance, checked by name.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use instance::{Format, Level, Misconfigured, Variables};
use runtime::Waiting;

/// The configuration, or what is wrong with it.
pub type Configured<C> = std::result::Result<Rc<C>, Vec<Misconfigured>>;

/// What an instance keeps of its configuration: nothing until it is read.
#[allow(
    missing_debug_implementations,
    reason = "those who wait have nothing to show"
)]
pub struct Loaded<C> {
    config: RefCell<Option<Rc<C>>>,
    /// What was wrong when it was read last.
    wrong: RefCell<Option<Vec<Misconfigured>>>,
    /// Whether a request is reading it.
    reading: Cell<bool>,
    waiting: Waiting,
}

impl<C> Loaded<C> {
    /// The configuration of this instance; `read` reads what is the component's own. All unusable variables are
    /// reported together; nothing is kept then, so a provider of variables that recovers is asked again.
    ///
    /// One request reads, the others wait for it: two configurations would be two connections.
    pub async fn load(&self, read: impl AsyncFnOnce(&mut Variables) -> C) -> Configured<C> {
        loop {
            if let Some(config) = self.config.borrow().clone() {
                return Ok(config);
            }
            if !self.reading.replace(true) {
                break;
            }
            self.waiting.join().await;
            // Nothing if that request was cancelled.
            if let Some(wrong) = self.wrong.borrow().clone() {
                return Err(wrong);
            }
        }
        let _reading = Reading(self);
        self.wrong.take();
        let mut variables = Variables::default();
        let config = read(&mut variables).await;
        let (level, format) = common(&mut variables).await;
        match variables.check(config) {
            Ok(config) => {
                let config = Rc::new(config);
                instance::configure(level, format);
                self.config.replace(Some(config.clone()));
                Ok(config)
            }
            Err(wrong) => {
                self.wrong.replace(Some(wrong.clone()));
                Err(wrong)
            }
        }
    }
}

impl<C> Default for Loaded<C> {
    fn default() -> Self {
        Self {
            config: RefCell::default(),
            wrong: RefCell::default(),
            reading: Cell::default(),
            waiting: Waiting::default(),
        }
    }
}

/// Ends reading, also when its request is cancelled.
struct Reading<'l, C>(&'l Loaded<C>);

impl<C> Drop for Reading<'_, C> {
    fn drop(&mut self) {
        self.0.reading.set(false);
        self.0.waiting.wake_all();
    }
}

/// What every component has: how it logs.
async fn common(variables: &mut Variables) -> (Level, Format) {
    let level = variables
        .parsed(
            "log_level",
            "must be debug, info, warn or error",
            Level::parse,
        )
        .await;
    let format = variables
        .parsed("log_format", "must be json or text", Format::parse)
        .await;
    (level, format)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;
    use runtime::simulated::{Servers, VariableProvider, run};

    use super::*;

    /// Takes 50 ms for each variable.
    struct Slow {
        level: &'static str,
        asked: Cell<usize>,
    }

    impl VariableProvider for Slow {
        fn get(&self, name: &str) -> (Duration, Option<String>) {
            self.asked.set(self.asked.get() + 1);
            let value = match name {
                "log_level" => self.level,
                _ => "json",
            };
            (Duration::from_millis(50), Some(value.to_owned()))
        }
    }

    /// What 16 requests at once get, and how often a variable was asked for.
    fn load(level: &'static str) -> (Vec<Configured<()>>, usize) {
        let slow = Rc::new(Slow {
            level,
            asked: Cell::default(),
        });
        let servers = Servers {
            variables: Some(slow.clone()),
            ..Servers::default()
        };
        let all = run(servers, async {
            let loaded = Loaded::default();
            join_all((0..16).map(|_| loaded.load(async |_: &mut Variables| ()))).await
        });
        (all, slow.asked.get())
    }

    #[test]
    fn sixteen_requests_at_once_have_one_configuration() {
        let (all, asked) = load("info");
        let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        assert!(all.iter().all(|config| Rc::ptr_eq(config, &all[0])));
        assert_eq!(asked, 2, "each variable is read once");
    }

    #[test]
    fn what_is_wrong_is_found_out_once_too() {
        let (all, asked) = load("loud");
        for outcome in all {
            assert_eq!(outcome.unwrap_err()[0].name, "log_level");
        }
        assert_eq!(asked, 2, "each variable is read once");
    }
}
