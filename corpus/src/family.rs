//! Families of secrets: how a value of each is made up in the shape that its issuer publishes.

use crate::Chance;

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALNUM: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const URL_SAFE: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BECH32: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
const PASSWORD: &str = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_.!~";

/// The 22 families that the contract names, as the files of the corpus are named. The target of the others is lower.
pub const REQUIRED: [&str; 22] = [
    "password",
    "password-in-url",
    "api-key",
    "openai-key",
    "bearer-token",
    "basic-credentials",
    "github-token",
    "gitlab-token",
    "slack-token",
    "aws-access-key-id",
    "aws-secret-key",
    "google-api-key",
    "azure-storage",
    "jwt",
    "postgresql-url",
    "mysql-url",
    "mongodb-url",
    "redis-url",
    "pem-certificate",
    "private-key",
    "kubernetes-secret",
    "token-or-secret",
];

/// A family of secrets.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// As the file of the corpus is named.
    pub name: &'static str,
    /// What such a secret is called, in `snake_case`.
    pub key: &'static str,
    /// Whether it is a secret only by the name beside it.
    pub named: bool,
    /// A made-up value, in its marks.
    pub make: fn(&mut Chance) -> String,
}

const fn shaped(name: &'static str, key: &'static str, make: fn(&mut Chance) -> String) -> Family {
    Family {
        name,
        key,
        named: false,
        make,
    }
}

const fn named(name: &'static str, key: &'static str, make: fn(&mut Chance) -> String) -> Family {
    Family {
        name,
        key,
        named: true,
        make,
    }
}

/// Those of which combinations are made.
pub(crate) const FAMILIES: [Family; 45] = [
    named("password", "db_password", |c| mark(&password(c))),
    named("password", "smtp_passwd", |c| mark(&password(c))),
    shaped("password-in-url", "broker_url", |c| {
        url(c, "amqp", "mq:5672/prod")
    }),
    named("api-key", "weather_api_key", |c| mark(&c.text(HEX, 32))),
    shaped("openai-key", "openai_api_key", |c| {
        let head = c.text(URL_SAFE, 74);
        mark(&format!("sk-proj-{head}T3BlbkFJ{}", c.text(URL_SAFE, 74)))
    }),
    named("bearer-token", "authorization", |c| {
        format!("‹Bearer ¦{}›", c.text(URL_SAFE, 43))
    }),
    named("basic-credentials", "authorization", |c| {
        format!("‹Basic ¦{}=›", c.text(BASE64, 23))
    }),
    shaped("github-token", "github_token", |c| {
        let prefix = c.of(&["ghp", "gho", "ghs", "ghu"]);
        mark(&with_checksum(c, prefix))
    }),
    shaped("github-token", "gh_token", |c| {
        let head = c.text(ALNUM, 22);
        mark(&format!("github_pat_{head}_{}", c.text(ALNUM, 59)))
    }),
    shaped("gitlab-token", "gitlab_token", |c| {
        let prefix = c.of(&["glpat", "gldt", "glrt"]);
        mark(&format!("{prefix}-{}", c.text(URL_SAFE, 20)))
    }),
    shaped("slack-token", "slack_bot_token", |c| {
        let (team, bot) = (c.text(DIGITS, 12), c.text(DIGITS, 13));
        mark(&format!("xoxb-{team}-{bot}-{}", c.text(ALNUM, 24)))
    }),
    shaped("aws-access-key-id", "aws_access_key_id", |c| {
        let prefix = c.of(&["AKIA", "ASIA"]);
        mark(&format!("{prefix}{}", c.text(BASE32, 16)))
    }),
    named("aws-secret-key", "aws_secret_access_key", |c| {
        mark(&c.text(BASE64, 40))
    }),
    shaped("google-api-key", "google_api_key", |c| {
        mark(&format!("AIzaSy{}", c.text(URL_SAFE, 33)))
    }),
    named("azure-storage", "azure_storage_key", |c| {
        mark(&format!("{}==", c.text(BASE64, 86)))
    }),
    shaped("jwt", "id_token", |c| mark(&jwt(c))),
    shaped("postgresql-url", "database_url", |c| {
        url(c, "postgres", "db:5432/audit")
    }),
    shaped("mysql-url", "mysql_url", |c| url(c, "mysql", "db:3306/app")),
    shaped("mongodb-url", "mongo_uri", |c| {
        url(c, "mongodb+srv", "c0.example.net/db")
    }),
    shaped("redis-url", "redis_url", |c| {
        url(c, "rediss", "cache:6380/0")
    }),
    shaped("pem-certificate", "ca_data", |c| {
        mark(&pem(c, "CERTIFICATE"))
    }),
    shaped("private-key", "signer_key", |c| {
        let label = c.of(&["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]);
        mark(&pem(c, label))
    }),
    named("token-or-secret", "client_secret", |c| {
        mark(&c.text(ALNUM, 32))
    }),
    named("token-or-secret", "refresh_token", |c| {
        mark(&c.text(URL_SAFE, 43))
    }),
    named("aws-session-token", "aws_session_token", |c| {
        mark(&format!("IQoJb3JpZ2luX2VjE{}==", c.text(BASE64, 330)))
    }),
    named("azure-connection", "azure_client_secret", |c| {
        let head = c.text(ALNUM, 3);
        mark(&format!("{head}8Q~{}", c.text(ALNUM, 34)))
    }),
    shaped("npm", "npm_token", |c| mark(&with_checksum(c, "npm"))),
    shaped("pypi", "pypi_token", |c| {
        mark(&format!("pypi-AgEIcHlwaS5vcmcC{}", c.text(URL_SAFE, 150)))
    }),
    shaped("crates-io", "cargo_registry_token", |c| {
        mark(&format!("cio{}", c.text(ALNUM, 32)))
    }),
    shaped("stripe", "stripe_secret_key", |c| {
        let prefix = c.of(&["sk_live_", "rk_live_", "sk_test_"]);
        mark(&format!("{prefix}{}", c.text(ALNUM, 24)))
    }),
    named("twilio", "twilio_auth_token", |c| mark(&c.text(HEX, 32))),
    shaped("sendgrid", "sendgrid_api_key", |c| {
        let id = c.text(URL_SAFE, 22);
        mark(&format!("SG.{id}.{}", c.text(URL_SAFE, 43)))
    }),
    shaped("webhooks", "slack_webhook_url", |c| {
        let (team, hook) = (c.text(UPPER, 8), c.text(UPPER, 10));
        let path = format!("T{team}/B{hook}/{}", c.text(ALNUM, 24));
        format!("‹https://hooks.slack.com/services/¦{path}›")
    }),
    shaped("vault", "vault_token", |c| {
        mark(&format!("hvs.CAESI{}", c.text(URL_SAFE, 90)))
    }),
    shaped("doppler", "doppler_token", |c| {
        mark(&format!("dp.pt.{}", c.text(ALNUM, 43)))
    }),
    shaped("age", "sops_age_key", |c| {
        mark(&format!("AGE-SECRET-KEY-1{}", c.text(BECH32, 58)))
    }),
    shaped("hugging-face", "hf_token", |c| {
        mark(&format!("hf_{}", c.text(LETTERS, 34)))
    }),
    shaped("anthropic", "anthropic_api_key", |c| {
        mark(&format!("sk-ant-api03-{}AA", c.text(URL_SAFE, 93)))
    }),
    named("cohere", "cohere_api_key", |c| mark(&c.text(ALNUM, 40))),
    shaped("databricks", "databricks_token", |c| {
        mark(&format!("dapi{}", c.text(HEX, 32)))
    }),
    named("cloudflare", "cloudflare_api_token", |c| {
        mark(&c.text(URL_SAFE, 40))
    }),
    shaped("digitalocean", "digitalocean_access_token", |c| {
        mark(&format!("dop_v1_{}", c.text(HEX, 64)))
    }),
    named("datadog", "dd_api_key", |c| mark(&c.text(HEX, 32))),
    shaped("sentry-dsn", "sentry_dsn", |c| {
        format!("https://‹{}›@o45120.ingest.sentry.io/4507", c.text(HEX, 32))
    }),
    shaped("docker-hub", "dockerhub_token", |c| {
        mark(&format!("dckr_pat_{}", c.text(URL_SAFE, 27)))
    }),
];

fn mark(value: &str) -> String {
    format!("‹{value}›")
}

/// Begins and ends with a letter or digit, so that no sentence's mark belongs to it.
fn password(chance: &mut Chance) -> String {
    let length = 6 + chance.below(12);
    let (first, last) = (chance.text(ALNUM, 1), chance.text(ALNUM, 1));
    format!("{first}{}{last}", chance.text(PASSWORD, length))
}

fn url(chance: &mut Chance, scheme: &str, behind: &str) -> String {
    format!("{scheme}://app:‹{}›@{behind}", password(chance))
}

fn jwt(chance: &mut Chance) -> String {
    let claims = chance.text(URL_SAFE, 80);
    let signature = chance.text(URL_SAFE, 43);
    format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIx{claims}.{signature}")
}

/// In one line, as it stands in JSON.
fn pem(chance: &mut Chance, label: &str) -> String {
    let lines: Vec<String> = (0..4).map(|_| chance.text(BASE64, 64)).collect();
    format!(
        r"-----BEGIN {label}-----\n{}\n-----END {label}-----",
        lines.join(r"\n")
    )
}

/// As GitHub's and npm's tokens end: with the CRC-32 of the random part, in base 62.
fn with_checksum(chance: &mut Chance, prefix: &str) -> String {
    let body = chance.text(ALNUM, 30);
    let mut sum = crc32(body.as_bytes()) as usize;
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = ALNUM.as_bytes()[sum % 62];
        sum /= 62;
    }
    format!(
        "{prefix}_{body}{}",
        digits.map(char::from).iter().collect::<String>()
    )
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Marked;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_family_makes_marked_values() {
        let mut chance = Chance::seeded(1);
        for family in FAMILIES {
            let marked = Marked::parse(&(family.make)(&mut chance)).unwrap();
            assert_eq!(marked.values().len(), 1, "{}", family.name);
        }
    }
}
