//! A component's configuration: read once per instance, checked by name.

use std::cell::RefCell;
use std::rc::Rc;

use instance::{Format, Level, Misconfigured, Variables};

/// The configuration, or what is wrong with it.
pub type Configured<C> = std::result::Result<Rc<C>, Vec<Misconfigured>>;

/// What an instance keeps of its configuration: nothing until it is read.
#[derive(Debug)]
pub struct Loaded<C>(RefCell<Option<Rc<C>>>);

impl<C> Loaded<C> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// The configuration of this instance; `read` reads what is the component's own. All unusable variables are
    /// reported together; nothing is kept then, so a provider of variables that recovers is asked again.
    pub async fn load(&self, read: impl AsyncFnOnce(&mut Variables) -> C) -> Configured<C> {
        if let Some(config) = self.0.borrow().clone() {
            return Ok(config);
        }
        let mut variables = Variables::default();
        let config = read(&mut variables).await;
        let (level, format) = common(&mut variables).await;
        let config = Rc::new(variables.check(config)?);
        instance::configure(level, format);
        self.0.replace(Some(config.clone()));
        Ok(config)
    }
}

impl<C> Default for Loaded<C> {
    fn default() -> Self {
        Self::new()
    }
}

/// What every component has: how it logs, and who may call.
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
    // Fails closed: a deployment that asks for identities must not run without them.
    let () = variables
        .parsed(
            "auth_mode",
            "must be off; this build knows no other mode",
            |mode| (mode == "off").then_some(()),
        )
        .await;
    (level, format)
}
