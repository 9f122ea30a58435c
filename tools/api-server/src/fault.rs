//! What goes wrong, on demand.

use std::collections::VecDeque;
use std::time::Duration;

use crate::review::Review;

/// What happens to a review instead of a right answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The right answer, after this time.
    Slow(Duration),
    /// No answer, and the connection stays open.
    Hang,
    /// 429, whose `Retry-After` has this many seconds.
    TooManyRequests(u32),
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// 401: the caller's credential is refused.
    Unauthorized,
    /// 403: the caller may not ask.
    Forbidden,
    /// 302 to another path of the same server, where nothing is.
    Redirect,
    /// The connection ends before a byte of the answer.
    CloseBefore,
    /// The connection ends within the answer's body.
    CloseDuring,
    /// 201 with a text that is not JSON.
    NotJson,
    /// 201 with an object of another kind.
    OtherShape,
    /// 201 with the first half of the right answer, as if it were all.
    Truncated,
    /// 201 with a text in place of `authenticated` or `allowed`: `"true"`.
    VerdictAsText,
    /// 201 without a body.
    EmptyBody,
    /// 201 with the right answer and 50 MiB of spaces behind it, which are valid JSON.
    HugeBody,
    /// The right answer, but for `audiences`: the token is said to be for another one. Only token reviews have them.
    WrongAudience,
}

/// What is to go wrong.
#[derive(Default)]
pub(crate) struct Faults {
    token: Plan,
    access: Plan,
}

#[derive(Default)]
struct Plan {
    /// For the requests to come, before `lasting` applies.
    next: VecDeque<Fault>,
    lasting: Option<Fault>,
}

impl Faults {
    pub(crate) fn set(&mut self, review: Review, fault: Fault) {
        self.plan(review).lasting = Some(fault);
    }

    pub(crate) fn add(&mut self, review: Review, times: usize, fault: Fault) {
        let faults = std::iter::repeat_n(fault, times);
        self.plan(review).next.extend(faults);
    }

    /// What happens to this request.
    pub(crate) fn take(&mut self, review: Review) -> Option<Fault> {
        let plan = self.plan(review);
        plan.next.pop_front().or(plan.lasting)
    }

    fn plan(&mut self, review: Review) -> &mut Plan {
        match review {
            Review::Token => &mut self.token,
            Review::Access => &mut self.access,
        }
    }
}
