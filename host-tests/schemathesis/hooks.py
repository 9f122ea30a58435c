"""What JSON Schema cannot say about requests, for schemathesis.

`cargo xtask schemathesis` runs it with these.
"""

import re

import schemathesis

TIME = re.compile(r"\d{4}(-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)")
STARTS = ("start_time", "startedAt", "executedAt", "createdAt")
ENDS = ("end_time", "completedAt")
EVENTS = "/api/v1/audit/events/batch"
# What is done, and what it cannot be more than.
STEPS = (("steps_completed", "steps_total"), ("currentStep", "stepCount"))
PARTS = ("completedCount", "failedCount", "skippedCount")


@schemathesis.hook
def filter_case(context, case):
    # Spin itself answers headers that are not UTF-8, before the service sees them.
    plain = all(str(value).isascii() for value in (case.headers or {}).values())
    return plain and not is_taken_in_part(case)


def is_taken_in_part(case):
    """Several events of which some may be valid: the others go to quarantine then, and the batch is not refused."""
    if case.meta is None or case.meta.generation.mode.is_positive:
        return False
    return case.path == EVENTS and isinstance(case.body, list) and len(case.body) > 1


@schemathesis.hook
def map_case(context, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    # Filters are in the query string or, of a search, in the body.
    for filters in (case.query, case.body):
        if isinstance(filters, dict) and "until" in filters:
            filters.pop("since", None)
        if isinstance(filters, dict):
            alone(filters)
    records = case.body if isinstance(case.body, list) else [case.body]
    for record in records:
        if isinstance(record, dict):
            agree(record)
            # What the patched record has is not known here.
            if case.method == "PATCH" and "steps_total" in record:
                record["steps_completed"] = 0
            elif case.method == "PATCH":
                record.pop("steps_completed", None)
    return case


def alone(filters):
    """Parameters that must agree with each other go, or one of them does."""
    for window in ("tier1Window", "tier2Window"):
        filters.pop(window, None)
    # An empty key is as none; a value may be empty.
    if not filters.get("detail_key") or "detail_value" not in filters:
        filters.pop("detail_key", None)
        filters.pop("detail_value", None)


def agree(record):
    """Times in the past, the end not before the start, steps within their total."""
    for name in STARTS:
        past(record, name, "2000")
    for name in ENDS:
        past(record, name, "2020")
    # No longer ago than an event is kept.
    past(record, "event_timestamp", "2024")
    for done, total in STEPS:
        if all(isinstance(record.get(name), (int, float)) for name in (done, total)):
            record[done] = min(record[done], record[total])
    if record.get("stepCount") is not None:
        for part in PARTS:
            record.pop(part, None)


def past(record, name, year):
    # 2000, 2020 and 2024 are leap years, so the date exists in both.
    if isinstance(record.get(name), str):
        record[name] = TIME.sub(year + r"\1", record[name], count=1)
