//! Values that are no secrets although their names promise one: references to where the secret is, placeholders, code, and
//! words that say that there is none.

use super::REPLACEMENT;
use super::list::{List, list};
use super::name;
use super::text::{
    ALNUM, DASH, DIGIT, DOT, LETTER, NAME, PATH, Text, WORD, count, is, minus, plus,
};

/// What a text says in place of a value.
const WORDS: List = List::new(
    "yes no true false null nil none not required expired invalid missing incorrect \
    wrong empty failed unset cannot denied rejected revoked mismatch too permission \
    authentication user access connection unauthorized undefined enabled disabled changed ok accepted valid optional unknown \
    redacted hidden masked filtered removed omitted obfuscated sensitive confidential protected n/a na tbd todo fixme \
    string str varchar text any object bytes boolean bool int integer number write read \
    changeme change-me change_me replaceme replace-me replace_me placeholder dummy",
);

/// How a message begins that stands in place of a value.
const VERBS: List = List::new(
    "is was has have must should cannot can't not required expired invalid missing incorrect wrong may will does did \
    are were been authentication failed unset too at for rejected denied mismatch connection changed reset permission access user",
);

/// Types of code, and how expressions begin that a value is read by. Go's `*string` is none of these: the star would stand
/// for any beginning.
const CODE: List = List::new(
    "os.* process.env.* process.env[* system.getenv* env.* env[* var.* local.* data.* module.* secrets.* vars.* inputs.* self.* this.* \
    args.* config.* cfg.* settings.* request.* req.* params.* options.* opts.* ctx.* props.* values.* .values.* c.* conf.* \
    viper.* flags.* cmd.* user.* option<* optional<* string? secretstr getpass.* std::* &str",
);

/// How references begin: where a secret is kept.
const PLACES: &[&str] = &[
    "${",
    "$(",
    "{{",
    "<%",
    "#{",
    "%(",
    "@Microsoft.KeyVault(",
    "arn:",
    "vault:",
    "op://",
    "ref+",
    "secret://",
    "secrets/",
    "secretsmanager:",
    "awssm:",
    "gcpsm:",
    "akvs:",
    "sops:",
    "projects/",
    "env:",
    "env(",
    "file:",
    "ENC[",
    "ENC(",
    "!vault",
    "!Ref",
    "!Sub",
    "!GetAtt",
    "!reference",
    "!secret",
    "$ANSIBLE_VAULT",
    "sha256:",
    "sha1:",
    "sha512:",
    "./",
    "../",
    "~/",
    "(*",
    "0xc0",
    "<<",
    "<set to",
    "(sensitive",
    "(known",
    "(hidden",
    "(redacted",
    "(none",
    "(not",
    "(unset",
    "/etc/",
    "/var/",
    "/run/",
    "/home/",
    "/mnt/",
    "/opt/",
    "/tmp/",
    "/usr/",
    "/secrets/",
    "/root/",
    "/vault/",
    "valueFrom",
    "secretKeyRef",
    "https://",
    "http://",
    "s3://",
    "gs://",
    "kms:",
    "resolve:",
    "azurekeyvault://",
];

/// How files end that keys are read from.
const FILES: List =
    List::new("*.pem *.key *.crt *.p12 *.pfx *.jks *.json *.txt *.yaml *.yml *.pub *.env *.file");

/// Whether a value is none.
pub(super) fn is_harmless(value: &[u8], quoted: bool) -> bool {
    let text = Text(value);
    let trimmed = value.trim_ascii();
    let bare = Text(trimmed);
    trimmed.is_empty()
        || trimmed == REPLACEMENT.as_bytes() && quoted
        || is_placeholder(bare)
        || PLACES.iter().any(|place| bare.has(0, place))
        || is_path(text)
        || FILES.has(trimmed) && bare.run(0, NAME) == bare.len()
        || is_word(trimmed, &WORDS)
        || (!quoted && is_word(trimmed, &VERBS))
        || begins_phrase(bare)
        || (!quoted && (is_code(bare) || bare.has(1, ":\\")))
}

/// The same character over and over, something in brackets, a variable, a format, or words that ask to put a value here.
fn is_placeholder(text: Text<'_>) -> bool {
    let (first, last) = (text.byte(0), text.byte_before(text.len()));
    let masks = |byte: &u8| {
        matches!(byte, b'*' | b'x' | b'X' | b'.' | b'#' | b'-' | b'_' | b'?') || !byte.is_ascii()
    };
    let is_mask = (text.len() > 2 || first == b'*')
        && text.byte(0).is_ascii()
        && text.0.iter().all(|byte| masks(byte) && *byte == first)
        || text.0.chunks(3).all(|bullet| bullet == "•".as_bytes());
    let inside = text.slice(1, minus(text.len(), 1));
    let brackets = matches!(
        (first, last),
        (b'<', b'>') | (b'[', b']') | (b'(', b')') | (b'%', b'%') | (b'{', b'}')
    );
    let is_bracketed = brackets
        && !inside.is_empty()
        && inside
            .iter()
            .all(|byte| is(*byte, LETTER | DASH | DOT) || matches!(byte, b' ' | b':' | b'\''));
    let is_tag = first == b'<' && last == b'>' && !inside.contains(&b'<');
    is_mask || is_bracketed || is_tag || is_variable(text) || asks(text)
}

/// `$DB_PASSWORD`, `$1`, `%s`, `:password`, `?`.
fn is_variable(text: Text<'_>) -> bool {
    let rest = text.slice(1, text.len());
    let is_name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    match text.byte(0) {
        b'$' => {
            !rest.is_empty()
                && (rest.iter().all(is_name)
                    || (is_identifier(rest) && name::secret(rest).is_some()))
        }
        b'%' | b'@' | b':' => {
            matches!(rest, b"s" | b"v" | b"q" | b"d" | b"w" | b"+v" | b"#v")
                || name::secret(rest).is_some_and(|_| is_identifier(rest))
        }
        _ => false,
    }
}

fn is_identifier(word: &[u8]) -> bool {
    !word.is_empty()
        && word.iter().all(|byte| is(*byte, WORD) && *byte != b'-')
        && !word.iter().any(u8::is_ascii_digit)
}

/// `your-api-key`, `INSERT_TOKEN_HERE`.
fn asks(text: Text<'_>) -> bool {
    let begins = [
        &b"your"[..],
        b"insert",
        b"replace",
        b"enter",
        b"<your",
        b"my_api",
        b"changeme",
        b"change_me",
        b"put_your",
        b"put-your",
    ];
    let is_asking = begins.iter().any(|word| text.has_folded(0, word))
        && text.0.iter().any(|byte| is(*byte, DASH) || *byte == b' ')
        || text.has_folded(minus(text.len(), 5), b"_here")
        || text.has_folded(minus(text.len(), 5), b"-here");
    is_asking && !text.0.iter().any(|byte| is(*byte, DIGIT))
}

/// Whether the password of an address only stands for one.
pub(super) fn is_stand_in(value: &[u8]) -> bool {
    let text = Text(value);
    is_placeholder(text) || text.has(0, "${") || text.has(0, "$(") || text.has(0, "{{")
}

/// A path of small letters, as secrets in base64 have not.
fn is_path(text: Text<'_>) -> bool {
    text.byte(0) == b'/' && text.len() > 1 && text.run(0, PATH) >= text.len()
}

/// Whether a word, without what punctuates it, is one of these.
pub(super) fn is_word(word: &[u8], words: &List) -> bool {
    let text = Text(word);
    let mut end = word.len();
    while end > 0 && b",;.:!)".contains(&text.byte_before(end)) {
        end = minus(end, 1);
    }
    end > 0 && words.has(text.slice(0, end))
}

/// A message in place of a value: `must have 8 characters`.
fn begins_phrase(text: Text<'_>) -> bool {
    let end = text.run(0, LETTER);
    text.byte(end) == b' ' && text.is_at(plus(end, 1), ALNUM) && VERBS.has(text.slice(0, end))
}

/// An expression that is worked out elsewhere.
fn is_code(text: Text<'_>) -> bool {
    let chain = text.run(0, NAME);
    let function = text.slice(0, chain);
    let wraps = list!("some just ok optional secret password sensitive redacted string bytes")
        .has(function);
    let is_call = chain > 0
        && text.byte(chain) == b'('
        && text.is_at(0, LETTER)
        && !wraps
        && is_balanced(text, chain);
    // `user.Password`, `os.environ["X"]`: a chain of names, the last one of a secret.
    let is_chain = chain == text.len()
        && function.contains(&b'.')
        && text.is_at(0, LETTER)
        && !function.iter().any(|byte| is(*byte, DIGIT))
        && name::secret(function).is_some();
    is_call || is_chain || text.0 == b"*string" || (CODE.has(text.0) && is_of_names(text))
}

/// Whether a word has only what expressions have. A name with a digit is a constant's, in capitals: `env.DB2_PASSWORD`.
fn is_of_names(text: Text<'_>) -> bool {
    let is_of_code = |byte: &u8| is(*byte, NAME) || b"[](){}<>:'\"`*&?,;$\\".contains(byte);
    let is_name = |name: &[u8]| {
        !name.iter().any(u8::is_ascii_digit) || !name.iter().any(u8::is_ascii_lowercase)
    };
    text.0.iter().all(is_of_code)
        && text
            .0
            .split(|byte| !is(*byte, WORD) || *byte == b'-')
            .all(is_name)
}

/// Whether what opens at `at` is closed at the end.
fn is_balanced(text: Text<'_>, at: usize) -> bool {
    let rest = text.slice(at, text.len());
    count(rest, b'(') >= count(rest, b')')
}

/// Whether a word may be the name of a Kubernetes object: `db-credentials`, in small letters with dashes, and not random.
pub(super) fn is_object_name(word: &[u8]) -> bool {
    let text = Text(word);
    let is_name = word.iter().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
    });
    let has_dash = word.contains(&b'-');
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    is_name && has_dash && text.is_at(0, LETTER) && digits <= 4 && word.len() <= 63
}

#[cfg(test)]
mod tests {
    use super::{CODE, List, VERBS, WORDS, is_harmless, is_object_name};

    #[test]
    fn references_placeholders_and_words() {
        for value in [
            "",
            "********",
            "xxxx",
            "<password>",
            "[REDACTED]",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "$(DB_PASSWORD)",
            "{{ .Values.password }}",
            "%s",
            "arn:aws:secretsmanager:eu-west-1:1:secret:db",
            "vault:secret/data/db#password",
            "/var/run/secrets/token",
            "required",
            "must have 8 characters",
            "your-api-key-here",
            "tls.key",
            "null",
            ":password",
        ] {
            assert!(is_harmless(value.as_bytes(), true), "{value}");
        }
        for value in [
            "user.Password",
            "os.environ[",
            "process.env.DB2_PASSWORD",
            "getpass(",
            "getSecret(",
            "*string",
        ] {
            assert!(is_harmless(value.as_bytes(), false), "{value}");
            assert!(
                !is_harmless(value.as_bytes(), true) || value.starts_with("os."),
                "{value}"
            );
        }
    }

    /// As a harmless word begins or ends, a password may too.
    #[test]
    fn secrets_around_harmless_words() {
        for entry in [CODE, WORDS, VERBS].iter().flat_map(List::words) {
            let word = entry.trim_matches('*');
            for value in [format!("N0tAReal{word}"), format!("{word}N0tAReal")] {
                assert!(!is_harmless(value.as_bytes(), false), "{value}");
            }
        }
        for value in ["Env1ronment", "secretStr0ng", "N0tAReal*string"] {
            assert!(!is_harmless(value.as_bytes(), false), "{value}");
        }
    }

    #[test]
    fn secrets() {
        for value in [
            "hunter2",
            "$ecret123",
            "correct horse battery",
            "Pa$$w0rd",
            "(abc1",
            "p%s",
            "/JalrXUtnFEMI/K7",
        ] {
            assert!(!is_harmless(value.as_bytes(), true), "{value}");
        }
        assert!(
            is_object_name(b"db-credentials")
                && !is_object_name(b"hunter2")
                && !is_object_name(b"A-b")
        );
    }
}
