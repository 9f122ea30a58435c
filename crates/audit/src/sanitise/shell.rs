//! Options of commands that say by the command alone that a secret follows: `mysql -pX`, `docker login -p X`, `redis-cli -a X`,
//! `curl -u user:X`. Options with a telling name are in `secrets`.

use std::ops::Range;

use super::list::{List, list};
use super::reference;
use super::text::{ALNUM, DIGIT, LETTER, QUOTE, SPACE, Text, WORD, minus, plus};
use super::value::{Found, shell_word};

/// How far before an option its command is looked for.
const COMMAND_MAX: usize = 256;
const WORDS_MAX: usize = 24;

/// How an option has its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In the same word: `-pX`.
    Attached,
    /// In the next word: `-p X`.
    Next,
    Both,
    /// `user:X`, in the next word or the same.
    User,
    /// `user%X`.
    Percent,
}

/// Commands, the word that must stand behind them, the option, and how it has its value.
const OPTIONS: &[(List, &str, u8, Form)] = &[
    (
        list!(
            "mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mysqlsh mysqlbinlog mariadb mariadb-dump mariadb-admin xtrabackup 7z 7za 7zz"
        ),
        "",
        b'p',
        Form::Attached,
    ),
    (list!("sshpass plink pscp"), "", b'p', Form::Both),
    (
        list!(
            "docker podman nerdctl buildah skopeo helm crane oras az oc cf argocd npm heroku rancher ibmcloud"
        ),
        "login",
        b'p',
        Form::Both,
    ),
    (
        list!(
            "mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat cqlsh influx rabbitmqadmin nats amqp-publish nmcli"
        ),
        "",
        b'p',
        Form::Next,
    ),
    (
        list!("redis-cli valkey-cli keydb-cli redis-benchmark"),
        "",
        b'a',
        Form::Next,
    ),
    (
        list!("ldapsearch ldapmodify ldapadd ldapdelete ldapwhoami ldappasswd ldapcompare"),
        "",
        b'w',
        Form::Both,
    ),
    (
        list!("sqlcmd bcp isql mosquitto_pub mosquitto_sub unzip zip tsql osql kcat"),
        "",
        b'P',
        Form::Both,
    ),
    (
        list!("curl wget http https httpie xh ab hey siege aria2c lftp elasticdump"),
        "",
        b'u',
        Form::User,
    ),
    (list!("curl"), "", b'U', Form::User),
    (list!("ab"), "", b'A', Form::User),
    (list!("http https xh"), "", b'a', Form::User),
    (
        list!("smbclient rpcclient net wmic impacket"),
        "",
        b'U',
        Form::Percent,
    ),
    (list!("openssl"), "", b'k', Form::Next),
    (list!("snmpwalk snmpget snmpset"), "", b'A', Form::Next),
    (list!("snmpwalk snmpget snmpset"), "", b'X', Form::Next),
];

/// Commands whose options mean something else, although one of the above stands before: `sshpass -p X ssh -p 22`.
const OTHERS: List = List::new(
    "ssh scp sftp rsync psql kubectl nc mkdir cp tar ps lsof nmap useradd usermod netstat ss grep pg_dump",
);

/// The secret of the option whose dash is at `at`.
pub(super) fn option(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let letter = text.byte(plus(at, 1));
    let behind = plus(at, 2);
    if letter == b'p' && text.has(at, "-pass") {
        return source(text, at);
    }
    if !b"paPwuUAXk".contains(&letter) {
        return user_option(text, at);
    }
    let before = text.byte_before(at);
    if at > 0 && !matches!(before, b' ' | b'\t' | b'"' | b'\'' | b',' | b'[') {
        return None;
    }
    let (command, line) = command(text, at);
    let form = OPTIONS.iter().find_map(|(commands, needs, option, form)| {
        let is_it = *option == letter && commands.has(command);
        (is_it && (needs.is_empty() || line.find(0, needs).is_some())).then_some(*form)
    })?;
    let next = next_word(text, behind);
    let is_attached = next.is_none();
    let start = next.unwrap_or(behind);
    let found = shell_word(text, start);
    match form {
        Form::Attached if !is_attached => None,
        Form::Next if is_attached => None,
        Form::User => user(text, &found, b':'),
        Form::Percent => user(text, &found, b'%'),
        _ => plain(text, &found),
    }
}

fn plain(text: Text<'_>, found: &Found) -> Option<Range<usize>> {
    let word = text.slice(found.range.start, found.range.end);
    let is_option = word.starts_with(b"-") && !found.quoted;
    (!is_option && !reference::is_harmless(word, true)).then(|| found.range.clone())
}

/// The password behind the user's name.
fn user(text: Text<'_>, found: &Found, sign: u8) -> Option<Range<usize>> {
    let range = &found.range;
    let sign = (range.start..range.end).find(|at| text.byte(*at) == sign)?;
    let password = plus(sign, 1);
    let word = text.slice(password, range.end);
    // `-u 1000:1000` is a user and a group.
    let is_group = text.run(range.start, DIGIT) == sign && text.run(password, DIGIT) == range.end;
    let is_secret = password < range.end && !is_group && !reference::is_harmless(word, true);
    is_secret.then_some(password..range.end)
}

/// `--user name:X`, `--proxy-user=name:X`.
fn user_option(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let names = [
        "-user",
        "--user",
        "--proxy-user",
        "--auth",
        "--creds",
        "--credentials",
        "--src-creds",
        "--dest-creds",
        "--basic-auth",
    ];
    let name = names.iter().find(|name| text.has(at, name))?;
    let end = plus(at, name.len());
    let start = if text.byte(end) == b'=' {
        plus(end, 1)
    } else {
        next_word(text, end)?
    };
    user(text, &shell_word(text, start), b':')
}

/// `-passin pass:X`.
fn source(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let start = next_word(text, text.run(plus(at, 1), LETTER))?;
    let found = shell_word(text, start);
    let password = plus(found.range.start, 5);
    let is_given = text.has(found.range.start, "pass:") && password < found.range.end;
    is_given.then_some(password..found.range.end)
}

/// Where the next word begins; in a list of arguments behind quotes and a comma.
pub(super) fn next_word(text: Text<'_>, at: usize) -> Option<usize> {
    if text.byte(at) == b' ' {
        let start = text.run(at, super::text::BLANK);
        return (!text.is_at(start, SPACE) && start < text.len()).then_some(start);
    }
    let escapes = text.run(at, super::text::BACKSLASH);
    if text.is_at(escapes, QUOTE) {
        let comma = text.run(plus(escapes, 1), SPACE);
        let next = text.run(plus(comma, usize::from(text.byte(comma) == b',')), SPACE);
        let quote = text.run(next, super::text::BACKSLASH);
        let is_list = next > plus(escapes, 1) && text.is_at(quote, QUOTE);
        return is_list.then_some(next);
    }
    // An item of a list in YAML.
    let line = text.run(at, super::text::BREAK);
    if line > at {
        let dash = text.run(line, super::text::BLANK);
        return text.has(dash, "- ").then_some(plus(dash, 2));
    }
    None
}

/// The command that an option is one of, and what stands between its line's beginning and the option.
fn command(text: Text<'_>, at: usize) -> (&[u8], Text<'_>) {
    let line = text.slice(minus(at, COMMAND_MAX), at);
    let is_end = |byte: &u8| matches!(byte, b';' | b'|' | b'&');
    let start = line.iter().rposition(is_end).map_or(0, |end| plus(end, 1));
    let line = line.get(start..).unwrap_or_default();
    let words = line.rsplit(|byte| !(super::text::is(*byte, WORD) || *byte == b'.'));
    let is_known = |word: &&[u8]| {
        !word.is_empty()
            && super::text::is(word.first().copied().unwrap_or_default(), ALNUM)
            && (OTHERS.has(word) || OPTIONS.iter().any(|row| row.0.has(word)))
    };
    (
        words.take(WORDS_MAX).find(is_known).unwrap_or_default(),
        Text(line),
    )
}
