//! How the services' client posts a batch: tries inside, in which the very same bytes go out again, and tries outside, for which the batch
//! is encoded anew.

use std::time::Duration;

use serde_json::Value;

/// Before the second and the third try inside.
const INNER: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(200)];
/// Before the second and the third try outside.
const OUTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This status, with this `Content-Type`.
    Said(u16, String),
    /// The connection was refused, reset or closed.
    Broken,
    /// Nothing within the client's own limit of time.
    Late,
}

/// What the client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It posts [`Delivery::body`] after this time.
    Again(Duration),
    /// It forgets the batch, because it is stored.
    Taken,
    /// It forgets the batch although it is not.
    Dropped(Loss),
}

/// Why a batch is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Of this status nobody tries again.
    Refused(u16),
    /// All tries were in vain.
    GivenUp,
}

/// A batch on its way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    /// Tries inside since the last one outside.
    inner: usize,
    /// Tries outside.
    outer: usize,
}

impl Delivery {
    /// What is posted next: an array, whose members are in another order after each try outside, as maps are in Go.
    pub fn body(&self, events: &[Value]) -> String {
        let texts: Vec<_> = events
            .iter()
            .map(|event| in_order(event, self.outer))
            .collect();
        format!("[{}]", texts.join(","))
    }

    /// What is done after this answer.
    pub fn after(&mut self, answer: &Answer) -> Next {
        if let Answer::Said(status, media_type) = answer {
            if *status == 201 && is_json(media_type) {
                return Next::Taken;
            }
            let is_problem = media_type.starts_with("application/problem+json");
            // With 401 and 403 the client reads its token again.
            if (400..500).contains(status) && ![401, 403].contains(status) && is_problem {
                return Next::Dropped(Loss::Refused(*status));
            }
        }
        let again_inside = matches!(answer, Answer::Broken | Answer::Said(502..=504, _));
        if again_inside && let Some(pause) = INNER.get(self.inner) {
            self.inner += 1;
            return Next::Again(*pause);
        }
        match OUTER.get(self.outer) {
            Some(pause) => {
                self.inner = 0;
                self.outer += 1;
                Next::Again(*pause)
            }
            None => Next::Dropped(Loss::GivenUp),
        }
    }
}

fn is_json(media_type: &str) -> bool {
    media_type.split(';').next().map(str::trim) == Some("application/json")
}

/// A value as JSON. The members of its objects begin with another one for each `order`.
pub fn in_order(value: &Value, order: usize) -> String {
    match value {
        Value::Object(members) => {
            let mut texts: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    let name = Value::String(name.clone());
                    format!("{name}:{}", in_order(value, order))
                })
                .collect();
            let first = order % texts.len().max(1);
            texts.rotate_left(first);
            format!("{{{}}}", texts.join(","))
        }
        Value::Array(values) => {
            let texts: Vec<_> = values.iter().map(|value| in_order(value, order)).collect();
            format!("[{}]", texts.join(","))
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(status: u16, media_type: &str) -> Answer {
        Answer::Said(status, media_type.to_owned())
    }

    /// The pauses between the requests of a batch that is always answered like this, and what becomes of it.
    fn course(answer: &Answer) -> (Vec<u128>, Next) {
        let mut delivery = Delivery::default();
        let mut pauses = Vec::new();
        loop {
            match delivery.after(answer) {
                Next::Again(pause) => pauses.push(pause.as_millis()),
                end => return (pauses, end),
            }
        }
    }

    #[test]
    fn what_is_unavailable_is_asked_nine_times() {
        let nine = vec![100, 200, 1000, 100, 200, 2000, 100, 200];
        for answer in [said(503, "application/problem+json"), Answer::Broken] {
            assert_eq!(
                course(&answer),
                (nine.clone(), Next::Dropped(Loss::GivenUp))
            );
        }
    }

    #[test]
    fn what_counts_as_an_error_of_the_network_is_asked_three_times() {
        for answer in [
            said(500, "application/problem+json"),
            said(401, "application/problem+json"),
            said(200, "application/json"),
            said(202, "application/json"),
            said(201, "text/plain"),
            said(400, "text/html"),
            Answer::Late,
        ] {
            let expected = (vec![1000, 2000], Next::Dropped(Loss::GivenUp));
            assert_eq!(course(&answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_refusal_is_the_end() {
        for status in [400, 409, 413, 429] {
            let end = Next::Dropped(Loss::Refused(status));
            let answer = said(status, "application/problem+json");
            assert_eq!(course(&answer), (vec![], end));
        }
    }

    #[test]
    fn only_a_created_json_object_is_taken() {
        for media_type in ["application/json", "application/json; charset=utf-8"] {
            assert_eq!(course(&said(201, media_type)), (vec![], Next::Taken));
        }
    }

    #[test]
    fn a_batch_is_encoded_anew_after_a_try_outside() {
        let events = [json!({"a": {"x": 1, "y": [true]}, "b": null})];
        let mut delivery = Delivery::default();
        let first = delivery.body(&events);
        assert_eq!(first, r#"[{"a":{"x":1,"y":[true]},"b":null}]"#);
        delivery.after(&Answer::Broken);
        assert_eq!(delivery.body(&events), first);
        delivery.after(&Answer::Late);
        let anew = delivery.body(&events);
        assert_eq!(anew, r#"[{"b":null,"a":{"y":[true],"x":1}}]"#);
    }
}
