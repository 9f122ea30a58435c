//! Names that say that a secret follows: of members, of variables, of parameters, of options.
//!
//! A name is read as its words: `DB_PASSWORD_2`, `spring.datasource.password`, `mysqlRootPassword` and `X-API-Key` are
//! three, three, three and three of them. What they end with, once numbers and words that only say which one are out,
//! decides.

use super::list::{List, list};
use super::text::{LETTER, is, minus, plus};

/// What follows a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// A secret, whatever it looks like.
    Certain,
    /// Often a secret, and often a plain word: `token`, `secret`, `authorization`. In prose it must look
    /// like a secret.
    Likely,
    /// Several of them or none: `tokens` are counted more often than told, `secrets` are referred to.
    Several,
    /// A signature, or a word that means many things: a long value that no word looks like is a secret, `sig=9` is not.
    IfLong,
}

/// Last words that mean a password, also with others before them in one word: `pgpassword`, `mypwd`.
const PASSWORDS: List = List::new(
    "*password *passwords *passwd *passwds *passphrase *passphrases *pwd *passcode *passwort \
    *requirepass *masterauth *dbpass *userpass *rootpass *sshpass accesssignature",
);

/// Keys, as one word.
const KEYS: List = List::new(
    "*apikey *apikeys *accesskey *secretkey *privatekey *accountkey *signingkey *encryptionkey \
    *authkey *masterkey *sharedkey *storagekey *apptoken *privkey",
);

/// Words that make a key of `key` a secret one. `public`, `primary`, `partition` and others do not.
const OF_KEY: List = List::new(
    "api apis access secret private account signing encryption decryption auth authentication master \
    shared storage service license subscription hmac jwt session admin app application integration ingest deploy \
    root client ssh tls ssl rsa pgp gpg write sas unseal recovery management function host priv webhook \
    datadog stripe openai anthropic cohere cloudflare heroku sendgrid twilio mailgun pgsodium vapid sentry instrumentation wireguard preshared psk",
);

/// Words before `pass` and `pw` that make it a password's short name.
const OF_PASS: List = List::new(
    "db database user root admin mysql mariadb postgres postgresql pg redis smtp imap mail email ftp sftp ssh \
    http https proxy auth login sudo app service svc mongo mongodb rabbitmq rabbit amqp ldap bind keystore truststore \
    registry docker git nexus jenkins elastic es kibana kafka sasl basic vnc wifi zip sql oracle my mq backup repl \
    replication jdbc rds master default",
);

/// Words behind a secret's name that say which one it is, or how it is written.
const QUALIFIERS: List = List::new(
    "old new current previous prev prod production dev development staging stage test live primary \
    secondary backup confirm confirmation repeat again value values val plain plaintext cleartext raw base b \
    encoded decoded string text data json pem main default eu us actual temp temporary tmp initial override",
);

/// Words that make a name none of a secret, wherever they stand in it.
const HARMLESS: List = List::new(
    "checksum checksums no has is use uses enable enabled disable disabled require requires required allow \
    allows count counts max min num number total limit",
);

/// Words before `token` that make it a position in a list or a piece of text, or something public.
const NOT_TOKEN: List = List::new(
    "next page continue continuation to first last per prompt completion input output cached \
    reasoning unexpected stop eos bos pad unk cls sep mask special start end think thinking sync resume cancellation cancel \
    pagination skip delta cursor audio text image tool",
);

/// Words before `secret` that make it a Kubernetes Secret's name.
const NOT_SECRET: List = List::new(
    "pull existing tls image volume kubernetes kube k8s target ref issuer external sealed",
);

/// The longest name that is looked at, in bytes, and the most words of it.
pub(super) const MAX: usize = 64;
const WORDS_MAX: usize = 12;

/// A name in small letters, and where its words are.
struct Words {
    letters: [u8; MAX],
    ends: [(u8, u8); WORDS_MAX],
    count: usize,
}

impl Words {
    /// The last words of a name.
    fn of(name: &[u8]) -> Self {
        let mut words = Self {
            letters: [0; MAX],
            ends: [(0, 0); WORDS_MAX],
            count: 0,
        };
        let name = name.get(minus(name.len(), MAX)..).unwrap_or_default();
        let at = |at: usize| name.get(at).copied().unwrap_or_default();
        let mut start = 0;
        for (place, byte) in name.iter().enumerate() {
            if let Some(letter) = words.letters.get_mut(place) {
                *letter = byte.to_ascii_lowercase();
            }
            let before = at(place.wrapping_sub(1));
            let is_hump = byte.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || (before.is_ascii_uppercase() && at(plus(place, 1)).is_ascii_lowercase()));
            if !is_of_word(*byte) {
                words.push(start, place);
                start = plus(place, 1);
            } else if is_hump || byte.is_ascii_digit() != before.is_ascii_digit() {
                words.push(start, place);
                start = place;
            }
        }
        words.push(start, name.len());
        words
    }

    fn push(&mut self, start: usize, end: usize) {
        if start >= end {
            return;
        }
        if self.count == WORDS_MAX {
            self.ends.rotate_left(1);
            self.count = minus(self.count, 1);
        }
        if let (Some(place), Ok(start), Ok(end)) = (
            self.ends.get_mut(self.count),
            u8::try_from(start),
            u8::try_from(end),
        ) {
            *place = (start, end);
            self.count = plus(self.count, 1);
        }
    }

    /// The word that so many words are behind.
    fn nth_last(&self, behind: usize) -> &[u8] {
        let word = self.count.checked_sub(plus(behind, 1));
        let (start, end) = word
            .and_then(|word| self.ends.get(word))
            .copied()
            .unwrap_or_default();
        self.letters
            .get(usize::from(start)..usize::from(end))
            .unwrap_or_default()
    }

    /// Drops numbers and qualifiers at the end, but never the last word.
    fn drop_qualifiers(&mut self) {
        while self.count > 1 {
            let last = self.nth_last(0);
            if !last.iter().all(u8::is_ascii_digit) && !QUALIFIERS.has(last) {
                break;
            }
            self.count = minus(self.count, 1);
        }
    }

    fn has_any(&self, list: &List) -> bool {
        (0..self.count).any(|behind| list.has(self.nth_last(behind)))
    }
}

fn is_of_word(byte: u8) -> bool {
    is(byte, LETTER) || byte.is_ascii_digit() || !byte.is_ascii()
}

/// Whether a name can be one of a secret: it has one of the pairs of letters that all of these have. Most have none, and this is
/// asked for all.
fn may_be(name: &[u8]) -> bool {
    let pair = |pair: &[u8]| {
        let [first, second] = pair else {
            return false;
        };
        let second = second | 0x20;
        match first | 0x20 {
            b's' => matches!(second, b's' | b'i' | b'k'),
            b'w' => matches!(second, b'd' | b'o'),
            b'c' | b'f' => second == b'r',
            b'o' => matches!(second, b'k' | b't'),
            b'e' => second == b'y',
            b'i' => second == b'g',
            b'u' => second == b't',
            b'p' => matches!(second, b'w' | b'a'),
            b'j' => second == b'w',
            b'r' => second == b'e',
            _ => false,
        }
    };
    name.windows(2).any(pair)
}

/// What follows a member, variable, parameter or option of this name.
pub(super) fn secret(name: &[u8]) -> Option<Secret> {
    // The parameter that carries the signature of Azure's shared access signatures.
    if matches!(
        name,
        b"sig" | b"Signature" | b"X-Amz-Signature" | b"X-Goog-Signature"
    ) {
        return Some(Secret::IfLong);
    }
    // Hadoop's name of the key of an account of Azure.
    if name.starts_with(b"fs.azure.account.key.")
        || matches!(name, b"private_key_id" | b"privateKeyId")
    {
        return Some(Secret::Certain);
    }
    if !may_be(name) {
        return None;
    }
    let mut words = Words::of(name);
    words.drop_qualifiers();
    let secret = by_last_word(&words)?;
    (!words.has_any(&HARMLESS)).then_some(secret)
}

fn by_last_word(words: &Words) -> Option<Secret> {
    let (last, before) = (words.nth_last(0), words.nth_last(1));
    if PASSWORDS.has(last) {
        let is_other = list!("oldpwd cwd nopasswd nopassword").has(last)
            || (last == b"pwd" && before == b"old");
        return (!is_other).then_some(Secret::Certain);
    }
    match last {
        b"pass" | b"pw" | b"passw" if OF_PASS.has(before) => return Some(Secret::Certain),
        b"pass" if before.is_empty() => return Some(Secret::IfLong),
        b"word" | b"phrase" if before == b"pass" => return Some(Secret::Certain),
        b"key" | b"keys" if OF_KEY.has(before) => return Some(Secret::Certain),
        b"signature" if matches!(before, b"access" | b"shared") => return Some(Secret::Certain),
        b"literal" if before == b"from" => return Some(Secret::Certain),
        b"auth" | b"_auth" if words.count == 1 => return Some(Secret::IfLong),
        b"id" if before == b"secret" && words.count == 2 => return Some(Secret::IfLong),
        b"sid" if words.count > 1 && before != b"connect" => return None,
        b"sid" | b"session" | b"jsessionid" | b"phpsessid" | b"sessionid" => {
            return Some(Secret::IfLong);
        }
        b"psk" => return Some(Secret::Certain),
        _ if KEYS.has(last) => return Some(Secret::Certain),
        _ => {}
    }
    if last.ends_with(b"tokens") || last.ends_with(b"secrets") {
        let is_told =
            list!("access auth refresh api bearer client bot").has(before) || last.len() > 8;
        let is_reference = NOT_SECRET.has(before) || NOT_TOKEN.has(before);
        return (!is_reference).then_some(if is_told {
            Secret::Likely
        } else {
            Secret::Several
        });
    }
    if last.ends_with(b"token") {
        let is_position = NOT_TOKEN.has(before)
            || list!("*nexttoken *pagetoken *continuetoken *continuationtoken").has(last);
        return (!is_position).then_some(Secret::Likely);
    }
    if last.ends_with(b"secret") {
        let is_reference =
            NOT_SECRET.has(before) || list!("*pullsecret *existingsecret *tlssecret").has(last);
        return (!is_reference).then_some(Secret::Likely);
    }
    list!("authorization jwt bearer credential credentials creds cookie cookies pat otp")
        .has(last)
        .then_some(if last.starts_with(b"auth") {
            Secret::Likely
        } else {
            Secret::IfLong
        })
}

/// Members that tell about a secret beside them, and are none.
const DESCRIBING: List = List::new(
    "name secretname secret_name namespace kind apiversion type token_type tokentype version path mountpath \
    mode defaultmode items key ref valuefrom secretkeyref configmapkeyref secretref optional file filename id uid \
    expires* expiry* expiration* created* updated* issued* rotated* scope scopes audience aud user username \
    description format rotationpolicy encoding curve signer length size provider status state algorithm alg source label labels annotations",
);

/// Whether a member of an object that is called like a secret only describes it.
pub(super) fn is_describing(name: &[u8]) -> bool {
    let ends_in_id = name.ends_with(b"Id")
        || name.ends_with(b"ID")
        || name.ends_with(b"_id")
        || name.ends_with(b"Ref")
        || name.ends_with(b"Key")
        || name.ends_with(b"Name");
    ends_in_id || DESCRIBING.has(name)
}

/// Names whose value is the name of what their neighbour `value` is for.
pub(super) fn tells_name(name: &[u8]) -> bool {
    list!("name key id field variable parametername parameterkey varname headername header")
        .has(name)
}

/// Names of the neighbour that has the value.
pub(super) fn tells_value(name: &[u8]) -> bool {
    list!("value val defaultvalue parametervalue rawvalue stringvalue content").has(name)
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
            "DB_PASSWORD_2",
            "password1",
            "passwords",
            "DB_PASSWORD_PROD",
            "passwordBase64",
            "spring.datasource.password",
            "mysqlRootPassword",
            "PGPASSWORD",
            "passwd",
            "pwd",
            "DB_PASS",
            "smtpPass",
            "apiKey",
            "apiKeys",
            "api_key",
            "x-api-key",
            "OPENAI_API_KEY",
            "token",
            "tokens",
            "accessToken",
            "access_tokens",
            "refresh_token",
            "GITHUB_TOKEN",
            "secret",
            "secrets",
            "client_secret",
            "clientSecret",
            "CLIENTSECRET",
            "aws_secret_access_key",
            "SecretAccessKey",
            "private_key",
            "client-key-data",
            "AccountKey",
            "SharedAccessKey",
            "SECRET_KEY_BASE",
            "Authorization",
            "_authToken",
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
            "token_count",
            "maxTokens",
            "max_token",
            "tokensUsed",
            "time_to_first_token",
            "promptTokens",
            "secretName",
            "secretKeyRef",
            "imagePullSecrets",
            "imagePullSecret",
            "passwordPolicy",
            "password_file",
            "require_password",
            "checksum.secret",
            "existingSecret",
            "nextToken",
            "page_token",
            "continue-token",
            "NOPASSWD",
            "OLDPWD",
            "keyboard",
            "compass",
            "design",
            "signal",
            "monkey",
            "primaryKey",
            "public_key",
            "partitionKey",
            "idempotency-key",
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
