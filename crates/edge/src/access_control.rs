//! Who may pass: identity, rate, permission, in this order. A request that is refused counts for its caller's rate, too.

use std::cell::OnceCell;
use std::rc::Rc;

use http::HeaderMap;
use instance::{Lender, Level, Rate, Variables, within};
use metrics::Access;
use runtime::{Instant, Store};

use crate::authentication::Authenticator;
use crate::authorisation::{AccessReviews, Authorizer, Permissions};
use crate::bearer::Token;
use crate::credential::Credential;
use crate::identity::Identity;
use crate::kube::Kube;
use crate::permission::Permission;
use crate::problem::{Error, Result};
use crate::rate_limit::RateLimiter;
use crate::reviews::{STORE, STORE_LIMIT, Slots, TOO_MANY};

/// Decides who may pass.
pub struct AccessControl(Option<Enabled>);

impl std::fmt::Debug for AccessControl {
    /// Only the mode: there are credentials in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_off() { "off" } else { "tokenreview" })
    }
}

struct Enabled {
    authenticator: Rc<Authenticator>,
    authorizer: Authorizer,
    kube: Rc<Kube>,
    /// Nothing if callers may ask as often as they like.
    limiter: Option<Rc<RateLimiter>>,
    /// Whether metrics are for readers only.
    metrics_are_protected: bool,
}

impl AccessControl {
    /// Reads the variables. `lender` has the shared buckets of the rate limit.
    pub async fn read(lender: Lender, variables: &mut Variables) -> Self {
        if !is_enabled(variables).await {
            return Self(None);
        }
        let rate = rate(variables).await;
        let mut enabled = Enabled::read(variables).await;
        let is_limited = rate.per_second > 0 && rate.burst > 0;
        enabled.limiter = is_limited.then(|| RateLimiter::new(rate, lender));
        Self(Some(enabled))
    }

    /// Reads the variables of the component `health`, which limits nobody, and where a scrape of the metrics may need a token. The
    /// others are checked there, too.
    pub async fn read_for_health(variables: &mut Variables) -> Self {
        if !is_enabled(variables).await {
            return Self(None);
        }
        rate(variables).await;
        let mut enabled = Enabled::read(variables).await;
        enabled.metrics_are_protected = variables
            .parsed("metrics_auth", "must be open or token", metrics_auth)
            .await;
        Self(Some(enabled))
    }

    /// Whether anybody may do anything.
    pub fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// Logs once in the life of the host's process, after the response, that access control is off.
    pub fn announce(&self) {
        if self.is_off() {
            runtime::spawn(announce());
        }
    }

    /// For readiness: `ok`, or what a deployment should know.
    pub fn verdict(&self) -> &'static str {
        match &self.0 {
            None => "off; whoever reaches the service may read, write and hide records",
            Some(enabled) if enabled.kube.credential.get().is_none() => {
                "no credential to ask the API server with: there is no file at kube_token_path, and kube_token is empty"
            }
            Some(_) => "ok",
        }
    }

    /// Whether metrics are for readers only.
    pub(crate) fn protects_metrics(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|enabled| enabled.metrics_are_protected)
    }

    /// Lets a request with these headers pass. Without `needed`, whoever is known may pass. Who asks too often is told so, or waits
    /// until `patient_until`. `caller` is set as soon as it is known who that is; nobody knows it if access control is off.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        needed: Option<Permission>,
        patient_until: Option<Instant>,
        caller: &OnceCell<Rc<Identity>>,
    ) -> Result<()> {
        let Some(enabled) = &self.0 else {
            return Ok(());
        };
        let identified = enabled.identify(headers).await;
        let known = identified.inspect_err(count_refused)?;
        let caller = caller.get_or_init(|| known.identity);
        if let Some(limiter) = &enabled.limiter {
            match patient_until {
                None => limiter.take(&caller.username).await?,
                Some(deadline) => limiter.wait(&caller.username, deadline).await?,
            }
        }
        if let Some(needed) = needed {
            let authorizer = &enabled.authorizer;
            let checked = authorizer.check(caller, needed, &known.token, &known.key);
            checked.await.inspect_err(count_refused)?;
        }
        metrics::access(Access::Allowed);
        Ok(())
    }
}

/// The instances remember it together, in the store of their process. Not at the start of each instance: the store's calls would cost a
/// new one 1.4 ms.
async fn announce() {
    const KEY: &str = "announced";
    let announced = async {
        let Ok(store) = Store::open(STORE).await else {
            return false;
        };
        if let Ok(Some(_)) = store.get(KEY).await {
            return true;
        }
        _ = store.set(KEY, b"off").await;
        false
    };
    if within(STORE_LIMIT, announced).await != Some(true) {
        instance::event(
            Level::Warn,
            "access control is off",
            "whoever reaches the service may read, write and hide records; set auth_mode to tokenreview",
        );
    }
}

/// Who is over its limit is counted as that.
fn count_refused(error: &Error) {
    metrics::access(match error {
        Error::Unauthorized(_) => Access::Unauthorized,
        Error::Forbidden(_) => Access::Forbidden,
        Error::Outage(outage) if outage.reason() == Some(TOO_MANY) => Access::Overloaded,
        _ => Access::Unavailable,
    });
}

/// A caller whose token was accepted.
struct Known {
    identity: Rc<Identity>,
    token: Token,
    /// The digest of the token, in hexadecimal digits.
    key: String,
}

impl Enabled {
    async fn identify(&self, headers: &HeaderMap) -> Result<Known> {
        let token = Token::of(headers, instance::now())?;
        let mut key = String::new();
        audit::push_hexadecimal(&mut key, &token.digest);
        let identity = self.authenticator.identify(&token, &key).await?;
        Ok(Known {
            identity,
            token,
            key,
        })
    }

    async fn read(variables: &mut Variables) -> Self {
        let url = variables
            .parsed("kube_api_url", "must be an https URL", api_url)
            .await;
        let path = variables.get("kube_token_path").await;
        let fallback = variables.get("kube_token").await;
        let kube = Rc::new(Kube {
            url,
            credential: Credential::new(path, fallback.trim().to_owned()),
        });
        let slots = Rc::<Slots>::default();
        let audiences = list(&variables.get("kube_audiences").await);
        Self {
            authenticator: Rc::new(Authenticator::new(
                Rc::clone(&kube),
                audiences,
                Rc::clone(&slots),
            )),
            kube: Rc::clone(&kube),
            authorizer: authorizer(kube, slots, variables).await,
            limiter: None,
            metrics_are_protected: false,
        }
    }
}

async fn authorizer(kube: Rc<Kube>, slots: Rc<Slots>, variables: &mut Variables) -> Authorizer {
    let asks = variables
        .parsed("authorization", "must be map or sar", authorization)
        .await;
    if asks {
        let namespace = variables.text("sar_namespace").await;
        let service = variables.text("sar_service").await;
        return Authorizer::AccessReviews(AccessReviews::new(kube, namespace, service, slots));
    }
    let message = "must be a JSON object that gives each full user name an array of permissions: read, \
                   write:<kind>, write:events, hold, admin";
    let permissions = variables
        .parsed("permissions", message, Permissions::parse)
        .await;
    Authorizer::Map(permissions)
}

async fn is_enabled(variables: &mut Variables) -> bool {
    variables
        .parsed("auth_mode", "must be off or tokenreview", auth_mode)
        .await
}

async fn rate(variables: &mut Variables) -> Rate {
    let per_second = variables
        .parsed(
            "rate_limit_rps",
            "must be a whole number; 0 is no limit",
            number,
        )
        .await;
    let burst = variables
        .parsed(
            "rate_limit_burst",
            "must be a whole number; 0 is no limit",
            number,
        )
        .await;
    Rate { per_second, burst }
}

fn auth_mode(text: &str) -> Option<bool> {
    match text {
        "off" => Some(false),
        "tokenreview" => Some(true),
        _ => None,
    }
}

fn authorization(text: &str) -> Option<bool> {
    match text {
        "map" => Some(false),
        "sar" => Some(true),
        _ => None,
    }
}

fn metrics_auth(text: &str) -> Option<bool> {
    match text {
        "open" => Some(false),
        "token" => Some(true),
        _ => None,
    }
}

/// The credential goes there: never unencrypted.
fn api_url(text: &str) -> Option<String> {
    let host = text.strip_prefix("https://")?.trim_end_matches('/');
    let uri: http::Uri = format!("https://{host}").parse().ok()?;
    uri.host().filter(|host| !host.is_empty())?;
    Some(format!("https://{host}"))
}

fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_is_reached_over_tls_only() {
        assert_eq!(api_url("https://kube:6443/").unwrap(), "https://kube:6443");
        for bad in [
            "",
            "http://kube",
            "kube",
            "https://",
            "https:///",
            "https://a b",
        ] {
            assert_eq!(api_url(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_have_commas() {
        assert_eq!(list(" a, b ,,c"), ["a", "b", "c"]);
        assert_eq!(list(""), Vec::<String>::new());
    }
}
