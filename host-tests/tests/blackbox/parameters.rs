//! Parameters of the reading routes that are unknown, repeated or unusable.

use crate::client;

/// The routes that list and page.
const LISTS: [&str; 5] = [
    "/api/v1/query/remediation",
    "/api/v1/query/aianalysis",
    "/api/v1/query/workflow",
    "/api/v1/query/execution",
    "/api/v1/incidents",
];

/// Asks for each query and expects the problem, which names the parameter.
async fn refused(path: &str, queries: &[&str], slug: &str, field: &str) {
    let client = client();
    for query in queries {
        let problem = client
            .get(&format!("{path}?{query}"))
            .await
            .problem(400, slug);
        assert_eq!(problem["field"], field, "{path}?{query}");
        assert_eq!(problem["errors"][0]["field"], field, "{path}?{query}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(field), "{detail}");
        assert_eq!(problem["error"], "validation_failed");
    }
}

#[tokio::test]
async fn limits_are_1_to_1000() {
    let bad = [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=",
        "limit",
        "limit=ten",
        "limit=1.5",
        "limit=1e2",
        "limit=%2B5",
        "limit=99999999999999999999",
        "limit=0x10",
        "limit=%00",
    ];
    for path in LISTS {
        refused(path, &bad, "invalid-limit", "limit").await;
        for limit in [1, 1000] {
            client()
                .get(&format!("{path}?limit={limit}&namespace=x"))
                .await
                .expect(200);
        }
    }
    refused("/api/v1/query/timeline/x", &bad, "invalid-limit", "limit").await;
}

#[tokio::test]
async fn offsets_are_not_negative() {
    let bad = [
        "offset=-1",
        "offset=",
        "offset=x",
        "offset=0.5",
        "offset=9223372036854775808",
    ];
    for path in LISTS {
        refused(path, &bad, "invalid-offset", "offset").await;
    }
    refused("/api/v1/query/timeline/x", &bad, "invalid-offset", "offset").await;
}

#[tokio::test]
async fn severities_are_known_words() {
    let bad = ["severity=sev1", "severity=", "severity=critical%00"];
    for path in LISTS {
        refused(path, &bad, "invalid-severity", "severity").await;
    }
}

#[tokio::test]
async fn cursors_are_those_that_the_service_made() {
    let bad = [
        "cursor=",
        "cursor=x",
        "cursor=-1",
        "cursor=1.5",
        "cursor=99999999999999999999",
        "cursor=1%20OR%201=1",
    ];
    for path in LISTS {
        refused(path, &bad, "invalid-parameter", "cursor").await;
    }
}

#[tokio::test]
async fn times_are_rfc_3339_or_spans() {
    for parameter in ["since", "until"] {
        for bad in [
            "",
            "yesterday",
            "2025-02-30T00:00:00Z",
            "2025-11-05",
            "2025-11-05T10:00:00",
            "1762336800",
            "24",
            "-24h",
            "1w",
            "h",
            "99999999999999999999d",
        ] {
            let query = format!("{parameter}={bad}");
            refused(LISTS[0], &[query.as_str()], "invalid-parameter", parameter).await;
        }
    }
    let crossed = [
        "since=1h&until=2h",
        "since=2025-11-06T00:00:00Z&until=2025-11-05T00:00:00Z",
    ];
    refused(LISTS[0], &crossed, "invalid-parameter", "since").await;
}

#[tokio::test]
async fn a_misspelt_parameter_does_not_return_everything() {
    for path in LISTS {
        refused(path, &["namespce=x"], "invalid-parameter", "namespce").await;
        refused(path, &["Namespace=x"], "invalid-parameter", "Namespace").await;
        refused(
            path,
            &["cluster_name=x"],
            "invalid-parameter",
            "cluster_name",
        )
        .await;
        refused(path, &["limit=5&%F0%9F%99%82=1"], "invalid-parameter", "🙂").await;
    }
    for path in [
        "/api/v1/query/timeline/x",
        "/api/v1/query/remediation/1",
        "/api/v1/query/remediation/1/versions",
        "/api/v1/incidents/1",
    ] {
        refused(path, &["namespace=x"], "invalid-parameter", "namespace").await;
    }
}

#[tokio::test]
async fn a_parameter_is_given_once() {
    for path in LISTS {
        refused(path, &["limit=1&limit=1"], "invalid-parameter", "limit").await;
        refused(path, &["offset=0&offset=1"], "invalid-parameter", "offset").await;
        refused(path, &["name=a&name=b"], "invalid-parameter", "name").await;
        refused(
            path,
            &["since=1h&name=x&since=2h"],
            "invalid-parameter",
            "since",
        )
        .await;
    }
}

#[tokio::test]
async fn a_value_that_is_not_utf8_is_refused() {
    refused(
        LISTS[0],
        &["name=%FF", "name=%C3", "name=%ED%A0%80"],
        "invalid-parameter",
        "name",
    )
    .await;
    let client = client();
    client
        .get("/api/v1/query/remediation?%FF=x")
        .await
        .problem(400, "invalid-parameter");
}

#[tokio::test]
async fn ids_are_integers() {
    let client = client();
    for (path, suffix) in [
        ("/api/v1/query/remediation", ""),
        ("/api/v1/query/execution", ""),
        ("/api/v1/query/workflow", "/versions"),
        ("/api/v1/incidents", ""),
    ] {
        for bad in [
            "abc",
            "1.5",
            "99999999999999999999",
            "1e3",
            "%2B1",
            "1%20",
            "0x1",
            "%00",
            "1;DROP",
            "%F0%9F%99%82",
            "-",
        ] {
            let path = format!("{path}/{bad}{suffix}");
            let problem = client.get(&path).await.problem(400, "invalid-id");
            assert_eq!(problem["field"], "id", "{path}");
        }
        for unknown in [
            "-1",
            "0",
            "1",
            "9223372036854775807",
            "-9223372036854775808",
        ] {
            let path = format!("{path}/{unknown}{suffix}");
            client.get(&path).await.problem(404, "not-found");
        }
    }
}
