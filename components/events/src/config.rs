//! What this component runs with, and what its endpoints read alike.

use std::rc::Rc;

use audit::{Code, Violation};
use edge::{AccessControl, Error, Result};
use events::{ChainKeys, ExportKey, Origin};
use instance::{Outage, SWITCH, Variables, switch};
use postgres::Database;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The configuration of an instance.
#[derive(Debug)]
pub(crate) struct Config {
    access_control: AccessControl,
    /// Reads go there too: an event is seen by every read once its post has its answer.
    pub(crate) database: Rc<Database>,
    /// Whether secrets are taken out of what events say.
    redact: bool,
    /// What seals events.
    pub(crate) chain_keys: ChainKeys,
    /// What signs exports; nothing if nothing does.
    pub(crate) export_key: Option<ExportKey>,
}

/// A request as the endpoints see it.
pub(crate) type Call = edge::Call<Config>;

impl Config {
    /// Reads it.
    pub(crate) async fn read(variables: &mut Variables) -> Self {
        let database = Rc::new(Database::primary("events", &["write_timeout"], variables).await);
        let lender = postgres::lender(&database);
        Self {
            access_control: AccessControl::read(lender, variables).await,
            database,
            redact: variables.parsed("events_redact", SWITCH, switch).await,
            chain_keys: variables
                .parsed("chain_key", ChainKeys::FORM, ChainKeys::parse)
                .await,
            export_key: variables
                .parsed("export_key", ExportKey::FORM, ExportKey::parse)
                .await,
        }
    }

    /// Where and when what `username` posts now comes from.
    pub(crate) fn origin<'a>(&self, username: Option<&'a str>) -> Origin<'a> {
        Origin {
            now: instance::now(),
            username,
            redact: self.redact,
        }
    }
}

impl AsRef<AccessControl> for Config {
    fn as_ref(&self) -> &AccessControl {
        &self.access_control
    }
}

/// The path's `{name}`, which no event has if PostgreSQL cannot even be asked for it.
pub(crate) fn in_path(call: &Call, name: &str) -> Result<String> {
    let text = call.raw_segment(name);
    if text.contains('\0') {
        return Err(Error::parameter(
            name,
            "contains U+0000, which no event can have",
        ));
    }
    Ok(text.to_owned())
}

/// JSON that a function of the database has made.
pub(crate) fn made_by_the_database<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Outage::Internal(format!("what the database made: {error}")).into())
}

/// The members of a body that is an object.
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// Those of a body.
    pub(crate) fn read(body: Value) -> Result<Self> {
        match body {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(invalid(
                "",
                Code::InvalidType,
                "the body must be a JSON object",
            )),
        }
    }

    /// A text, empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> Result<String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) if text.contains('\0') => Err(invalid(
                name,
                Code::NulCharacter,
                "must not contain the NUL character (U+0000); remove it",
            )),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(invalid(name, Code::InvalidType, "must be a text")),
        }
    }

    /// A text that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Err(invalid(
                name,
                Code::Required,
                "is required and must not be empty",
            ));
        }
        Ok(text)
    }
}

fn invalid(field: &str, code: Code, message: &str) -> Error {
    Error::Invalid(vec![Violation {
        field: field.to_owned(),
        code,
        message: message.to_owned(),
    }])
}
