//! Names that say that a secret follows: of members, of variables, of parameters.

use super::text::is_listed;

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

/// Names end with these, once `_`, `-`, `.` and spaces are out: `DB_PASSWORD`, `spring.datasource.password`
/// and `api key` are secrets, `token_count`, `secretName` and `passwordPolicy` are not.
const CERTAIN: &str = "*password *passwd *passphrase *pwd *dbpass *userpass *apikey *accesskey \
    *secretkey *privatekey *accountkey *signingkey *encryptionkey *accesssignature *fromliteral";
const LIKELY: &str = "*token *secret *authorization";

/// Names that end like secrets and are none: references to Kubernetes Secrets, positions in lists,
/// sudo's way to ask for no password.
const HARMLESS: &str = "*pullsecret *existingsecret *tlssecret *nopassword *nopasswd *nexttoken \
    *pagetoken *continuetoken *continuationtoken *oldpwd";

/// The most letters of a name that are compared: more than any entry above has.
const MAX: usize = 24;

/// What follows a member, variable or parameter of this name.
pub(super) fn secret(name: &[u8]) -> Option<Secret> {
    // The parameter that carries the signature of Azure's shared access signatures.
    if name == b"sig" {
        return Some(Secret::IfLong);
    }
    // Most names end unlike any of these, and this is asked for all.
    let [.., before, last] = name else {
        return None;
    };
    let ends = [before | 0x20, last | 0x20];
    if !matches!(
        &ends,
        b"rd" | b"wd" | b"se" | b"ss" | b"ey" | b"re" | b"al" | b"en" | b"et" | b"on"
    ) {
        return None;
    }
    let mut letters = [0; MAX];
    let mut start = MAX;
    for byte in name.iter().rev() {
        if !matches!(byte, b'_' | b'-' | b'.' | b' ') {
            let Some(letter) = start.checked_sub(1).and_then(|at| letters.get_mut(at)) else {
                break;
            };
            *letter = *byte;
            start = start.wrapping_sub(1);
        }
    }
    let letters = letters.get(start..).unwrap_or_default();
    let secret = if is_listed(CERTAIN, letters) {
        Secret::Certain
    } else if is_listed(LIKELY, letters) {
        Secret::Likely
    } else {
        return None;
    };
    (!is_listed(HARMLESS, letters)).then_some(secret)
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
