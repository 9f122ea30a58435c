//! What concerns more than one member: contradictions, and values that follow from others.

use serde_json::Value;

use crate::form::Form;
use crate::reader::Reader;
use crate::rule::integer;
use crate::violation::Code;
use crate::{state, time};

/// Reports members that contradict each other.
pub(crate) fn check(reader: &mut Reader<'_>, form: Form) {
    if form == Form::Store {
        check_end(reader, "end_time");
        check_steps(reader, "steps_completed", "steps_total");
    } else {
        check_end(reader, "completedAt");
        check_steps(reader, "currentStep", "stepCount");
        check_step_sum(reader);
    }
}

/// Fills columns that the post does not state but implies.
pub(crate) fn derive(reader: &mut Reader<'_>, form: Form) {
    derive_status(reader);
    if form != Form::Store {
        derive_target(reader);
    }
}

/// An end before the start. A creation time that stands in for the start is not held against the
/// end: it is the clock of another machine.
fn check_end(reader: &mut Reader<'_>, end: &str) {
    let Some(start) = reader.start.filter(|start| *start != "createdAt") else {
        return;
    };
    let instant = |column| time::parse(reader.columns.get(column)?.as_str()?);
    if let (Some(started), Some(ended)) = (instant("start_time"), instant("end_time"))
        && ended < started
    {
        let message = format!("must not be before {start}");
        reader.violations.add(end, Code::EndBeforeStart, message);
    }
}

/// A count that the post states, by the name in the post.
fn count(reader: &Reader<'_>, name: &str) -> Option<i64> {
    let value = reader
        .document
        .get(name)
        .or_else(|| reader.columns.get(name))?;
    integer(value)
}

/// Reports `done` if it is more than `total`.
pub(crate) fn check_steps(reader: &mut Reader<'_>, done: &str, total: &str) {
    let counts = (count(reader, done), count(reader, total));
    if let (Some(count), Some(limit)) = counts
        && count > limit
    {
        let message = format!("must not be more than {total}");
        reader.violations.add(done, Code::Inconsistent, message);
    }
}

fn check_step_sum(reader: &mut Reader<'_>) {
    let parts = ["completedCount", "failedCount", "skippedCount"];
    let sum = parts
        .iter()
        .filter_map(|part| count(reader, part))
        .fold(0, i64::saturating_add);
    if count(reader, "stepCount").is_some_and(|total| sum > total) {
        let message = "must not be less than completedCount, failedCount and skippedCount together";
        reader
            .violations
            .add("stepCount", Code::Inconsistent, message);
    }
}

/// The status that the phase implies, if the post states a phase and no status.
pub(crate) fn derive_status(reader: &mut Reader<'_>) {
    if reader.columns.contains_key("status") {
        return;
    }
    let phase = reader.columns.get("phase").and_then(Value::as_str);
    if let Some(status) = phase.and_then(state::status_of_phase) {
        reader.columns.insert("status".to_owned(), status.into());
    }
}

/// `type/name` of the target, if the post does not state the resource itself.
fn derive_target(reader: &mut Reader<'_>) {
    let part = |name| reader.document.get(name).and_then(Value::as_str);
    if let (Some(target_type), Some(name)) = (part("targetType"), part("targetName"))
        && reader.is_vacant("target_resource")
    {
        let target = format!("{target_type}/{name}");
        reader
            .columns
            .insert("target_resource".to_owned(), target.into());
    }
}
