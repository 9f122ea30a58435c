//! What to try, once the service answers.

use crate::auth::{Auth, READER, STRANGER, WRITER};
use crate::embeddings::Embeddings;

/// Said where `up` brings an embedding server of its own.
const LATER: &str = "The last one answers once the embedding server is there, which is built now. Records that come before it get \
                     their vectors then.";

/// Lines for curl that show what the service at `url` does.
pub(super) fn greeting(url: &str, embeddings: &Embeddings, auth: Option<&Auth>) -> String {
    let lines = match auth {
        None => format!(
            "The audit store listens on {url}. Ctrl-C stops it. Try:\n\n{}\n{}\n{}",
            post(url, ""),
            list(url, ""),
            last(url, "", embeddings)
        ),
        Some(auth) => with_auth(url, embeddings, auth),
    };
    match embeddings {
        Embeddings::Own(_) => format!("\n{lines}\n\n{LATER}\n"),
        Embeddings::Off | Embeddings::Given => format!("\n{lines}\n"),
    }
}

fn with_auth(url: &str, embeddings: &Embeddings, auth: &Auth) -> String {
    let header = |account| format!(" {}", auth.header(account));
    let (writer, reader, stranger) = (header(WRITER), header(READER), header(STRANGER));
    format!(
        r"The audit store listens on {url} and asks who calls. Ctrl-C stops it. Each account has a file with its token. Try:

# 201: {WRITER} may write remediations
{}
# 200: {READER} may read
{}
# 401: who calls is not said
curl -i '{url}/api/v1/query/remediation?limit=1'
# 403: {READER} may not write remediations
curl -i {url}/api/v1/store/remediation{reader} -H 'content-type: application/json' -d '{{}}'
# 403: {STRANGER} may do nothing
curl -i{stranger} '{url}/api/v1/query/remediation?limit=1'
# 200
{}",
        post(url, &writer),
        list(url, &reader),
        last(url, &reader, embeddings)
    )
}

/// `header` is an option of curl behind a space, or nothing.
fn post(url: &str, header: &str) -> String {
    format!(
        r#"curl -i {url}/api/v1/store/remediation{header} -H 'content-type: application/json' -d '{{
  "name": "restart-payment-api", "namespace": "payments", "status": "success", "phase": "completed",
  "start_time": "2025-11-05T10:00:00Z", "end_time": "2025-11-05T10:00:45Z",
  "action_type": "restart_pod", "remediation_request_id": "rr-payment-api-1",
  "alert_name": "PodCrashLooping", "alert_fingerprint": "3f2a9c", "severity": "critical", "environment": "production",
  "cluster_name": "eu-1", "target_resource": "deployment/payment-api" }}'"#
    )
}

fn list(url: &str, header: &str) -> String {
    format!("curl{header} '{url}/api/v1/query/remediation?namespace=payments&limit=10'")
}

/// Asks by meaning, where there are embeddings.
fn last(url: &str, header: &str, embeddings: &Embeddings) -> String {
    match embeddings {
        Embeddings::Off => format!("curl -i {url}/ready"),
        Embeddings::Given | Embeddings::Own(_) => format!(
            r#"curl {url}/api/v1/query/semantic{header} -H 'content-type: application/json' -d '{{
  "query": "a container of the checkout service keeps dying", "limit": 3 }}'"#
        ),
    }
}
