//! Text as operators write it, with every word and sign that a secret has too, and no secret.

use audit::redact;
use serde_json::json;

use crate::payloads::payload;

/// Lines of logs, events, manifests, commands and prose.
const LINES: &[&str] = &[
    "my-app-delete-jobs",
    "the token expired",
    "password reset requested",
    "user changed the password and logged in again",
    "Access denied for user 'app'@'10.0.0.7' (using password: YES)",
    "FATAL: password authentication failed for user \"app\"",
    "invalid password: must have 8 characters",
    "token: expired",
    "token: refresh failed because the issuer is away",
    "SyntaxError: Unexpected token: } in JSON at position 4",
    "unexpected token: identifier",
    "tokens: 512",
    "max_tokens=512",
    "token_count: 5",
    "tokensUsed=1250, temperature=0.7",
    "nextToken=eyJpZCI6MX0",
    "continue-token: abc",
    "secretName: db-credentials",
    "volumes:\n- name: creds\n  secret:\n    secretName: db-credentials\n    defaultMode: 420",
    "imagePullSecrets:\n- name: regcred",
    "imagePullSecret: regcred",
    "existingSecret: db-credentials",
    "secretKeyRef:\n  name: db\n  key: password",
    "Error: secret \"db-credentials\" not found",
    "couldn't find key password in Secret default/db-credentials",
    "references non-existent secret key: tls.crt",
    "MountVolume.SetUp failed for volume \"creds\" : secret \"db\" not found",
    "secrets \"db\" is forbidden: User \"system:serviceaccount:a:b\" cannot get resource",
    "secret/db-credentials configured",
    "open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory",
    "open /etc/passwd: permission denied",
    "read /etc/passwd: input/output error",
    "TOKEN_FILE=/var/run/secrets/token",
    "token=/var/run/secrets/tokens/api-token",
    "ssl_private_key: /etc/ssl/private/key.pem",
    "passwordPolicy: strict",
    "PasswordAuthentication no",
    "app ALL=(ALL) NOPASSWD: ALL",
    "password_file=/run/pw",
    "automountServiceAccountToken: false",
    "if token == nil || password != other { return }",
    "Secret::get and Token::new",
    "password:",
    "password: \nuser: app",
    "password=",
    "password= user=app",
    "\"password\": \"\"",
    "\"password\": null",
    "\"secret\": {\"secretName\": \"db\"}",
    "registry.example.com/vault-secret:1.0.3",
    "image: ghcr.io/acme/api-token:v1.2.3-abc1234",
    "docker-pullable://localhost:5000/nginx@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "docker.io/library/nginx@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "containerd://e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "commit 54e5086a1b2c3d4e5f60718293a4b5c6d7e8f901",
    "http://example.com:8080/path@v2?x=1#y",
    "https://example.com/@scope/package",
    "http://[::1]:8080/a@b",
    "https://user@example.com/",
    "https://user:@example.com/",
    "postgres://db:5432/audit",
    "redis://cache:6379/0",
    "contact ops@example.com or dev@example.com: any time",
    "git@github.com:kubernaut/audit-store.git",
    "\"dG90YWxseSBoYXJtbGVzcw==\" is base64",
    "e30=",
    "risk-assessment-2026-01-01-production-eu",
    "task-abcdefghijklmnopqrstuvwxyz",
    "sk-worker-7f9c",
    "disk-pressure",
    "ghp_short",
    "AKIA",
    "ASIAPACIFICREGIONNORTH",
    "eyJhbGciOiJub25lIn0",
    "glpat- is a prefix",
    "Bearer token expired",
    "WWW-Authenticate: Bearer realm=\"example\", error=\"invalid_token\"",
    "the bearer of bad news",
    "Basic authentication failed",
    "basic understanding of kubernetes",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQ\n-----END PUBLIC KEY-----",
    "-----BEGIN",
    "----- BEGIN TABLE -----",
    "kind: ConfigMap\ndata:\n  key: value",
    "kind: SecretProviderClass\ndata:\n  key: value",
    "kind: ExternalSecret\ndata:\n  key: value",
    "{\"kind\":\"ConfigMap\",\"data\":{\"a\":\"b\"}}",
    "name: DB_USER\nvalue: app",
    "monkey: banana, keyboard=qwerty, primary_key=17",
    "compass: north, bypass=1",
    "SELECT * FROM users WHERE name = 'x' -- ' OR 1=1",
    "sig=9",
    "12:34:56.789 [main] INFO  c.e.App - started in 3.2 s",
    "ثبت شد — записано — 記録済み 🎉   three  spaces\t\ttabs\r\n",
    "CPU throttling at 95% (limit=500m, request=250m)",
    "OOMKilled: exit code 137; restarts=4; node=ip-10-0-0-7",
    "if a < b && c > d then x=<3",
];

#[test]
fn nothing_is_lost() {
    for line in LINES {
        assert_eq!(redact(line), *line);
        assert!(
            matches!(redact(line), std::borrow::Cow::Borrowed(_)),
            "{line}"
        );
    }
}

#[test]
fn nothing_is_lost_in_a_record() {
    let payload = payload("store_execution");
    for line in LINES {
        let members = json!({"error_message": line, "metadata": {"log": [line]}, "note": line});
        let record = payload.read(payload.with(&members)).expect("a record");
        assert_eq!(record.columns["error_message"], *line);
        assert_eq!(record.columns["metadata"]["log"][0], *line);
        assert_eq!(record.document["note"], *line);
    }
}

/// Beginnings without ends, over and over. If work grew with the square of the length, this test would
/// take minutes.
#[test]
fn hostile_text_ends_soon() {
    const SIZE: usize = 256 * 1024;
    let payload = payload("store_execution");
    for piece in [
        "<",
        "<b",
        "<script></script",
        "javascript",
        "java\njavascript:x\nscript:",
        "&#x6a",
        "onclick =",
        "password=",
        "password:",
        "password= ",
        "password='",
        "password=\\",
        "password=a,",
        "password: |\n",
        "pwd=/",
        "token:",
        "name:",
        "--token ",
        "Basic ",
        "eyJ",
        "eyJ-",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "://",
        "://a:b",
        "a://b:c/",
        "u:p@tcp(",
        ":",
        "= ",
        "kind:Secrets data:{",
        "kind: Secret\ndata:\n a: b\n",
    ] {
        let text = piece.repeat(SIZE / piece.len());
        let body = payload.with(&json!({"reason": text}));
        let record = payload.read(body).expect("a record");
        assert!(record.document["reason"].is_string());
    }
}
