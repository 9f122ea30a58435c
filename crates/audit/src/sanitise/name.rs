//! Names that say that a secret follows: of members, of variables, of parameters.

/// What follows a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// A secret, whatever it looks like.
    Certain,
    /// Often a secret, and often a plain word: `token`, `secret`, `authorization`. In prose it must look
    /// like a secret.
    Likely,
    /// A signature: a long value is a secret, `sig=9` is not.
    IfLong,
}

/// Names end with these, once `_`, `-` and `.` are out: `DB_PASSWORD`, `spring.datasource.password`
/// and `clientSecret` are secrets, `token_count`, `secretName` and `passwordPolicy` are not.
const SECRETS: &[(&str, Secret)] = &[
    ("password", Secret::Certain),
    ("passwd", Secret::Certain),
    ("passphrase", Secret::Certain),
    ("pwd", Secret::Certain),
    ("dbpass", Secret::Certain),
    ("userpass", Secret::Certain),
    ("apikey", Secret::Certain),
    ("accesskey", Secret::Certain),
    ("secretkey", Secret::Certain),
    ("privatekey", Secret::Certain),
    ("accountkey", Secret::Certain),
    ("signingkey", Secret::Certain),
    ("encryptionkey", Secret::Certain),
    ("accesssignature", Secret::Certain),
    ("fromliteral", Secret::Certain),
    ("token", Secret::Likely),
    ("secret", Secret::Likely),
    ("authorization", Secret::Likely),
];

/// Names that end like secrets and are none: references to Kubernetes Secrets, positions in lists,
/// sudo's way to ask for no password.
const HARMLESS: &[&str] = &[
    "pullsecret",
    "existingsecret",
    "tlssecret",
    "nopassword",
    "nopasswd",
    "nexttoken",
    "pagetoken",
    "continuetoken",
    "continuationtoken",
    "oldpwd",
];

/// The parameter that carries the signature of Azure's shared access signatures.
const SIGNATURE: &[u8] = b"sig";

/// What follows a member, variable or parameter of this name.
pub(super) fn secret(name: &[u8]) -> Option<Secret> {
    if name.eq_ignore_ascii_case(SIGNATURE) {
        return Some(Secret::IfLong);
    }
    let (_, secret) = SECRETS.iter().find(|(end, _)| ends_with(name, end))?;
    let harmless = HARMLESS.iter().any(|end| ends_with(name, end));
    (!harmless).then_some(*secret)
}

/// Whether a name ends with a word, in any case and however the word is divided.
fn ends_with(name: &[u8], word: &str) -> bool {
    let divides = |byte: &&u8| !matches!(byte, b'_' | b'-' | b'.' | b' ');
    let mut letters = name.iter().rev().filter(divides);
    word.bytes().rev().all(|letter| {
        letters
            .next()
            .is_some_and(|byte| byte.eq_ignore_ascii_case(&letter))
    })
}

#[cfg(test)]
mod tests {
    use super::secret;
    use crate::fields;

    #[test]
    fn names_of_secrets() {
        for name in [
            "password",
            "PASSWORD",
            "db_password",
            "DB-PASSWORD",
            "spring.datasource.password",
            "mysqlRootPassword",
            "PGPASSWORD",
            "passwd",
            "pwd",
            "apiKey",
            "api_key",
            "x-api-key",
            "OPENAI_API_KEY",
            "token",
            "accessToken",
            "refresh_token",
            "GITHUB_TOKEN",
            "secret",
            "client_secret",
            "clientSecret",
            "aws_secret_access_key",
            "SecretAccessKey",
            "private_key",
            "AccountKey",
            "Authorization",
            "api key",
            "sig",
        ] {
            assert!(secret(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn names_of_other_things() {
        for name in [
            "",
            "d",
            "key",
            "pass",
            "tokens",
            "token_count",
            "maxTokens",
            "tokensUsed",
            "secretName",
            "secretKeyRef",
            "imagePullSecrets",
            "imagePullSecret",
            "passwordPolicy",
            "password_file",
            "existingSecret",
            "nextToken",
            "page_token",
            "continue-token",
            "NOPASSWD",
            "keyboard",
            "compass",
            "design",
            "signal",
            "monkey",
            "primaryKey",
            "hash",
        ] {
            assert_eq!(secret(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn no_documented_member_is_a_secret() {
        let tables = [
            fields::STORE,
            fields::AUDIT,
            fields::COMPACT_REMEDIATION,
            fields::COMPACT_WORKFLOW,
        ];
        for field in tables.into_iter().flatten() {
            assert_eq!(secret(field.name.as_bytes()), None, "{}", field.name);
        }
    }
}
