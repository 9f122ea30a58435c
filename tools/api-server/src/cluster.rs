//! What the stand-in knows: tokens, whoever may ask about them, what users may do, and what it was asked.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::account::{AUDIENCE, Account, random_uid};
use crate::fault::{Fault, Faults};
use crate::review::{AccessSpec, Question, Spec};
use crate::token::Token;

/// What was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Token reviews, whatever came of them.
    pub token_reviews: usize,
    /// Subject access reviews, whatever came of them.
    pub access_reviews: usize,
    /// Reviews of both kinds that wait for their answer now.
    pub under_way: usize,
    /// The most reviews that ever did at once.
    pub most_under_way: usize,
    /// Requests that got 401 or 403.
    pub callers_refused: usize,
}

/// That a user may do something with a service.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The full name, for example `system:serviceaccount:kubernaut-system:gateway-sa`.
    pub user: &'a str,
    /// For example `get`.
    pub verb: &'a str,
    /// The namespace of the service.
    pub namespace: &'a str,
    /// The name of the service.
    pub service: &'a str,
}

impl Rule<'_> {
    fn owned(&self) -> [String; 4] {
        [self.user, self.verb, self.namespace, self.service].map(str::to_owned)
    }
}

/// All that a server shares with its connections. There are tokens in it, so it is not for printing.
#[derive(Default)]
pub(crate) struct Cluster(Mutex<State>);

#[derive(Default)]
struct State {
    tokens: HashMap<String, Issued>,
    rules: HashSet<[String; 4]>,
    faults: Faults,
    counts: Counts,
    /// How often each token was reviewed.
    reviews: HashMap<String, usize>,
    /// The `spec` of each subject access review.
    accesses: Vec<Value>,
    /// The `traceparent` of each review.
    traceparents: Vec<Option<String>>,
}

/// What is known of a token.
struct Issued {
    account: Account,
    id: String,
    revoked: bool,
    /// Whether its holder may ask for reviews.
    reviewer: bool,
}

/// Whose token it is, and for which of the audiences.
pub(crate) struct Identity {
    pub(crate) user: Value,
    pub(crate) audiences: Vec<String>,
}

/// Who asks for a review.
pub(crate) enum Caller {
    Unknown,
    /// May not ask.
    Stranger(String),
    Reviewer(String),
}

impl Cluster {
    pub(crate) fn issue(&self, account: &Account, reviewer: bool) -> Token {
        let id = random_uid();
        let token = Token::new(account, &id);
        let issued = Issued {
            account: account.clone(),
            id,
            revoked: false,
            reviewer,
        };
        self.lock().tokens.insert(token.as_str().to_owned(), issued);
        token
    }

    pub(crate) fn revoke(&self, token: &str) {
        if let Some(issued) = self.lock().tokens.get_mut(token) {
            issued.revoked = true;
        }
    }

    pub(crate) fn revoke_reviewers(&self) {
        let mut state = self.lock();
        let reviewers = state.tokens.values_mut().filter(|issued| issued.reviewer);
        reviewers.for_each(|issued| issued.revoked = true);
    }

    pub(crate) fn allow(&self, rule: &Rule<'_>) {
        self.lock().rules.insert(rule.owned());
    }

    pub(crate) fn withdraw(&self, rule: &Rule<'_>) {
        self.lock().rules.remove(&rule.owned());
    }

    pub(crate) fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    pub(crate) fn reviews_of(&self, token: &str) -> usize {
        self.lock().reviews.get(token).copied().unwrap_or_default()
    }

    pub(crate) fn accesses(&self) -> Vec<Value> {
        self.lock().accesses.clone()
    }

    pub(crate) fn traceparents(&self) -> Vec<Option<String>> {
        self.lock().traceparents.clone()
    }

    /// Forgets what it was asked, but not what is under way.
    pub(crate) fn reset_counts(&self) {
        let mut state = self.lock();
        let under_way = state.counts.under_way;
        state.counts = Counts {
            under_way,
            most_under_way: under_way,
            ..Counts::default()
        };
        state.reviews.clear();
        state.accesses.clear();
        state.traceparents.clear();
    }

    /// Who calls with this bearer token.
    pub(crate) fn caller(&self, token: Option<&str>) -> Caller {
        let state = self.lock();
        let Some(issued) = token.and_then(|token| state.tokens.get(token)) else {
            return Caller::Unknown;
        };
        match issued.accepted_by(&[AUDIENCE.to_owned()]) {
            Err(_) => Caller::Unknown,
            Ok(_) if issued.reviewer => Caller::Reviewer(issued.account.user()),
            Ok(_) => Caller::Stranger(issued.account.user()),
        }
    }

    pub(crate) fn count_refused_caller(&self) {
        self.lock().counts.callers_refused += 1;
    }

    /// Counts a review, which is under way until the first of what it returns is dropped. The second is what is to go wrong
    /// with it.
    pub(crate) fn begin(&self, question: &Question) -> (UnderWay<'_>, Option<Fault>) {
        let mut state = self.lock();
        state.traceparents.push(question.traceparent.clone());
        let counts = &mut state.counts;
        counts.under_way += 1;
        counts.most_under_way = counts.most_under_way.max(counts.under_way);
        match &question.spec {
            Spec::Token(spec) => {
                counts.token_reviews += 1;
                *state.reviews.entry(spec.token.clone()).or_default() += 1;
            }
            Spec::Access(_) => {
                counts.access_reviews += 1;
                state.accesses.push(question.object["spec"].clone());
            }
        }
        let fault = state.faults.take(question.review());
        (UnderWay(self), fault)
    }

    /// Whose token this is and for which of `audiences`, or what is wrong with it.
    pub(crate) fn identify(&self, token: &str, audiences: &[String]) -> Result<Identity, String> {
        let state = self.lock();
        let issued = state.tokens.get(token).ok_or("invalid bearer token")?;
        let api_server = [AUDIENCE.to_owned()];
        let wanted = if audiences.is_empty() {
            &api_server
        } else {
            audiences
        };
        // The words of kube-apiserver's two authenticators.
        let accepted = issued.accepted_by(wanted);
        let audiences = accepted.map_err(|why| format!("[invalid bearer token, {why}]"))?;
        Ok(Identity {
            user: issued.account.user_info(&issued.id),
            audiences,
        })
    }

    /// Whether a rule lets the user do this.
    pub(crate) fn allows(&self, spec: &AccessSpec) -> bool {
        let Some(asked) = &spec.resource_attributes else {
            return false;
        };
        let about_services =
            asked.group.is_empty() && asked.resource == "services" && asked.subresource.is_empty();
        let rule = Rule {
            user: &spec.user,
            verb: &asked.verb,
            namespace: &asked.namespace,
            service: &asked.name,
        };
        about_services && self.lock().rules.contains(&rule.owned())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issued {
    /// The audiences among `wanted` that the token is for, or what is wrong with it.
    fn accepted_by(&self, wanted: &[String]) -> Result<Vec<String>, String> {
        let api_server = [AUDIENCE.to_owned()];
        let own = match self.account.audiences.as_slice() {
            [] => &api_server,
            own => own,
        };
        let common = wanted.iter().filter(|audience| own.contains(audience));
        let common: Vec<_> = common.cloned().collect();
        if common.is_empty() {
            return Err(format!(
                "token audiences {own:?} is invalid for the target audiences {wanted:?}"
            ));
        }
        if self.account.has_expired() {
            return Err("service account token has expired".to_owned());
        }
        if self.revoked {
            return Err("service account token has been invalidated".to_owned());
        }
        Ok(common)
    }
}

/// A review that waits for its answer, or whose client has not gone away.
pub(crate) struct UnderWay<'a>(&'a Cluster);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().counts.under_way -= 1;
    }
}
