//! The members of one body, sorted into columns and document.

use serde_json::{Map, Value};

use crate::fields::{self, Field};
use crate::free::{self, Free};
use crate::rule::{self, Context, name_of_type};
use crate::sanitise::markup;
use crate::violation::{Code, Violations};

/// The body as an object; anything else is a violation.
pub(crate) fn object(body: Value, violations: &mut Violations) -> Option<Map<String, Value>> {
    if let Value::Object(members) = body {
        return Some(members);
    }
    let (subject, found) = (violations.subject(), name_of_type(&body));
    let message = format!("{subject} must be a JSON object, not {found}");
    violations.add("", Code::InvalidType, message);
    None
}

/// Sorts the members of one body into columns and document.
pub(crate) struct Reader<'v> {
    context: Context,
    pub(crate) violations: &'v mut Violations,
    pub(crate) columns: Map<String, Value>,
    pub(crate) document: Map<String, Value>,
    /// The member that filled `start_time`.
    pub(crate) start: Option<&'static str>,
    free: Free,
}

impl<'v> Reader<'v> {
    pub(crate) fn new(context: Context, violations: &'v mut Violations) -> Self {
        Self {
            context,
            violations,
            columns: Map::new(),
            document: Map::new(),
            start: None,
            free: Free::default(),
        }
    }

    /// Moves one member of the table out of `body` to its place, if it keeps its rule.
    pub(crate) fn member(&mut self, body: &mut Map<String, Value>, field: &Field, required: bool) {
        let stated = body.remove_entry(field.name);
        match stated.filter(|(_, value)| !field.rule.is_absent(value, required)) {
            None | Some((_, Value::Null)) if required => {
                self.violations.add(
                    field.name,
                    Code::Required,
                    "is required and must not be null",
                );
            }
            None => {}
            Some((name, Value::Null)) => self.place(name, field, Value::Null, None),
            Some((name, value)) => match field.rule.check(&value, self.context) {
                Err((code, message)) => self.violations.add(field.name, code, message),
                Ok(stored) => {
                    if field.rule.may_nest() {
                        self.free.add(field.name, &value, 0, self.violations);
                    }
                    self.check_markup(field, &value);
                    self.place(name, field, value, stored);
                }
            },
        }
    }

    /// Text that names something must have no markup; elsewhere it is removed.
    fn check_markup(&mut self, field: &Field, value: &Value) {
        if field.rule.is_identifier() && value.as_str().is_some_and(markup::is_in) {
            let message = "must not contain HTML tags, event handlers or javascript: URLs";
            self.violations.add(field.name, Code::XssDetected, message);
        }
    }

    /// `stored` is the column's form of `value`, where the two differ.
    fn place(&mut self, name: String, field: &Field, value: Value, stored: Option<Value>) {
        let Some(column) = field.column.filter(|column| self.is_vacant(column)) else {
            self.document.insert(name, value);
            return;
        };
        if column == "start_time" {
            self.start = Some(field.name);
        }
        if field.kept {
            let stored = stored.unwrap_or_else(|| value.clone());
            self.columns.insert(column.to_owned(), stored);
            self.document.insert(name, value);
        } else {
            let stored = stored.unwrap_or(value);
            self.columns.insert(column.to_owned(), stored);
        }
    }

    pub(crate) fn is_vacant(&self, column: &str) -> bool {
        self.columns.get(column).is_none_or(Value::is_null)
    }

    /// Keeps a member that no table knows.
    pub(crate) fn unknown(&mut self, name: String, value: Value) {
        let mut path = String::new();
        free::push_key(&mut path, &name);
        if rule::has_nul(&name) {
            self.violations.add(&path, Code::NulCharacter, rule::NUL);
        }
        if name.starts_with("confidence") {
            if fields::CONFIDENCE.is_absent(&value, false) {
                return;
            }
            if !value.is_null()
                && let Err((code, message)) = fields::CONFIDENCE.check(&value, self.context)
            {
                self.violations.add(&path, code, message);
                return;
            }
        }
        // Its name counts as well, with two quotes, a colon and a space.
        let extra = name.len().saturating_add(4);
        self.free.add(&path, &value, extra, self.violations);
        self.document.insert(name, value);
    }

    /// Checks the size of the free-form members, once all are read.
    pub(crate) fn finish(&mut self) {
        self.free.finish(self.violations);
    }
}
