//! Tokens of service accounts.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::account::{AUDIENCE, Account, random_uid};

/// A token as Kubernetes binds it to a pod: a JSON Web Token, apart from its signature, which is random. Its text is in no
/// `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// One that looks like a token of `account`, which no server knows.
    pub fn forged(account: &Account) -> Self {
        Self::new(account, &random_uid())
    }

    /// A token of `account` with this `jti`.
    pub(crate) fn new(account: &Account, id: &str) -> Self {
        let now = seconds(SystemTime::now());
        let mut claims = json!({
            "iss": AUDIENCE,
            "sub": account.user(),
            "iat": now,
            "nbf": now,
            "jti": id,
            "kubernetes.io": {
                "namespace": account.namespace,
                "pod": {"name": account.pod_name(), "uid": account.uid},
                "serviceaccount": {"name": account.name, "uid": account.uid},
            },
        });
        if !account.audiences.is_empty() {
            claims["aud"] = json!(account.audiences);
        }
        if let Some(expires) = account.expires {
            claims["exp"] = json!(seconds(expires));
        }
        let header = json!({"alg": "RS256", "kid": "stand-in"});
        // As long as that of RS256.
        let signature: [u8; 256] = rand::random();
        Self(format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string()),
            URL_SAFE_NO_PAD.encode(signature)
        ))
    }

    /// The text, which is a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Token {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;

    fn parts(token: &Token) -> (Value, Value, Vec<u8>) {
        let parts: Vec<_> = token.as_str().split('.').collect();
        let parts: Vec<_> = parts
            .iter()
            .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
            .collect();
        let [header, claims, signature] = parts.try_into().unwrap();
        (
            serde_json::from_slice(&header).unwrap(),
            serde_json::from_slice(&claims).unwrap(),
            signature,
        )
    }

    #[test]
    fn a_token_has_the_claims_of_one_that_is_bound_to_a_pod() {
        let account = Account::new("kubernaut-system", "gateway-sa");
        let (header, claims, signature) = parts(&Token::new(&account, "some-id"));
        assert_eq!(header["alg"], "RS256");
        assert_eq!(signature.len(), 256);
        assert_eq!(claims["iss"], AUDIENCE);
        assert_eq!(claims["aud"], json!([AUDIENCE]));
        assert_eq!(
            claims["sub"],
            "system:serviceaccount:kubernaut-system:gateway-sa"
        );
        assert_eq!(claims["jti"], "some-id");
        let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        // The account's end was set a moment before the token's beginning.
        assert!((3500..=3600).contains(&lifetime), "{lifetime}");
        let bound = &claims["kubernetes.io"];
        assert_eq!(bound["namespace"], "kubernaut-system");
        assert_eq!(bound["serviceaccount"]["name"], "gateway-sa");
        assert_eq!(bound["serviceaccount"]["uid"], json!(account.uid));
        assert_eq!(bound["pod"]["name"], "gateway-sa-0");
    }

    #[test]
    fn an_end_and_audiences_are_optional() {
        let endless = Account {
            expires: None,
            audiences: Vec::new(),
            ..Account::new("n", "a")
        };
        let (_, claims, _) = parts(&Token::forged(&endless));
        assert_eq!(claims.get("exp"), None);
        assert_eq!(claims.get("aud"), None);
        let past = Account {
            expires: Some(UNIX_EPOCH + Duration::from_secs(7)),
            ..endless
        };
        let (_, claims, _) = parts(&Token::forged(&past));
        assert_eq!(claims["exp"], 7);
    }

    #[test]
    fn each_token_is_another_and_none_is_shown() {
        let account = Account::new("n", "a");
        let token = Token::new(&account, "same");
        assert_ne!(token, Token::new(&account, "same"));
        assert_eq!(format!("{token:?} {account:?}").matches("eyJ").count(), 0);
    }
}
