//! What a search is asked for.

use audit::{Code, Kind, Violation};
use edge::{Error, Filter, QueryParameters, Result, take_results};
use postgres::Parameter;
use serde_json::{Map, Value};

/// The longest question, in characters. Models read a few hundred words.
const QUERY_MAX: usize = 2000;

/// Everything about a search but what it compares with.
#[derive(Debug)]
pub(crate) struct Question {
    /// At most so many results.
    pub limit: i32,
    /// Results are at least this similar.
    pub min_similarity: Option<f64>,
    /// Records of these kinds; nothing for all.
    pub kinds: Option<Vec<Kind>>,
    pub filter: Filter,
}

impl Question {
    /// Reads a body: the text, and everything else.
    pub(crate) fn read(body: Value) -> Result<(String, Self)> {
        let Value::Object(mut members) = body else {
            return Err(invalid(
                "",
                Code::InvalidType,
                "the body must be a JSON object",
            ));
        };
        let text = query(members.remove("query"))?;
        let question = Self::read_members(members).map_err(in_body)?;
        Ok((text, question))
    }

    fn read_members(mut members: Map<String, Value>) -> Result<Self> {
        let kinds = members.remove("kinds").map(kinds).transpose()?;
        let min_similarity = match members.remove("min_similarity") {
            None => None,
            Some(value) => Some(similarity(value.as_f64())?),
        };
        let limit = match members.remove("limit") {
            Some(limit @ Value::Number(_)) => {
                // 10.0 is an integer in JSON Schema.
                Some(audit::integer(&limit).map_or(limit.to_string(), |limit| limit.to_string()))
            }
            Some(_) => return Err(Error::parameter("limit", "must be a number")),
            None => None,
        };
        let mut parameters = texts(members)?;
        parameters.extend(limit.map(|limit| ("limit".to_owned(), limit)));
        let mut parameters = QueryParameters::of(parameters);
        let question = Self {
            limit: take_results(&mut parameters)?,
            min_similarity,
            kinds,
            filter: Filter::take(&mut parameters)?,
        };
        parameters.finish()?;
        Ok(question)
    }

    /// Takes the same from a query string, where `kinds` are separated by commas.
    pub(crate) fn take(parameters: &mut QueryParameters) -> Result<Self> {
        let limit = take_results(parameters)?;
        let min_similarity = match parameters.take("min_similarity")? {
            None => None,
            Some(text) => Some(similarity(text.parse().ok())?),
        };
        let kinds = match parameters.take("kinds")? {
            None => None,
            Some(text) => Some(kinds(text.split(',').map(Value::from).collect())?),
        };
        Ok(Self {
            limit,
            min_similarity,
            kinds,
            filter: Filter::take(parameters)?,
        })
    }

    /// How many results to look for: none, if no record can match.
    pub(crate) fn limit_to_sql(&self) -> Parameter {
        let limit = if self.filter.is_hopeless() {
            0
        } else {
            self.limit
        };
        Parameter::Int32(limit)
    }

    /// The kinds as `audit_search_among` takes them.
    pub(crate) fn kinds_to_sql(&self) -> Parameter {
        match &self.kinds {
            None => Parameter::DbNull,
            Some(kinds) => Parameter::Str(names(kinds).to_string()),
        }
    }

    /// Kinds and filter as `audit_search` takes them.
    pub(crate) fn filter_to_sql(&self) -> Parameter {
        let mut members = self.filter.to_members();
        if let Some(kinds) = &self.kinds {
            members.insert("kinds".to_owned(), names(kinds));
        }
        Parameter::Str(Value::Object(members).to_string())
    }

    /// The least similarity as SQL takes it.
    pub(crate) fn least_to_sql(&self) -> Parameter {
        self.min_similarity
            .map_or(Parameter::DbNull, Parameter::Floating64)
    }
}

fn query(value: Option<Value>) -> Result<String> {
    let (code, message) = match value {
        Some(Value::String(text)) if text.trim().is_empty() => {
            (Code::TooShort, "must say what to look for".to_owned())
        }
        Some(Value::String(text)) if text.chars().count() > QUERY_MAX => (
            Code::TooLong,
            format!("may have at most {QUERY_MAX} characters"),
        ),
        // It goes to the provider, and what it is compared with has no secrets either.
        Some(Value::String(text)) => return Ok(audit::redact(&text).into_owned()),
        None | Some(Value::Null) => (
            Code::Required,
            "is required: what to look for, in words".to_owned(),
        ),
        Some(_) => (Code::InvalidType, "must be a text".to_owned()),
    };
    Err(invalid("query", code, &message))
}

fn kinds(value: Value) -> Result<Vec<Kind>> {
    let named = match value {
        Value::Array(names) if !names.is_empty() => names
            .iter()
            .map(|name| Kind::parse(&name.as_str()?.to_ascii_lowercase()))
            .collect::<Option<Vec<_>>>(),
        _ => None,
    };
    named.ok_or_else(|| {
        Error::parameter(
            "kinds",
            "must be one or more of remediation, aianalysis, workflow and execution",
        )
    })
}

fn similarity(number: Option<f64>) -> Result<f64> {
    number
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| Error::parameter("min_similarity", "must be a number from 0 to 1"))
}

/// The filters of a body: texts.
fn texts(members: Map<String, Value>) -> Result<Vec<(String, String)>> {
    members
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(Error::parameter(
                &name,
                "must be a text, if it is a filter at all",
            )),
        })
        .collect()
}

fn names(kinds: &[Kind]) -> Value {
    kinds
        .iter()
        .map(|kind| Value::from(kind.as_str()))
        .collect()
}

fn invalid(field: &str, code: Code, message: &str) -> Error {
    Error::Invalid(vec![Violation {
        field: field.to_owned(),
        code,
        message: message.to_owned(),
    }])
}

/// What is wrong with a member of the body rather than with a query parameter.
fn in_body(error: Error) -> Error {
    match error {
        Error::Parameter { name, message, .. } => invalid(&name, Code::InvalidValue, &message),
        other => other,
    }
}
