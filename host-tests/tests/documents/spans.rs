//! Commands within sentences, and blocks of SQL: what they do depends on what is wrong, but none of them may be wrong itself.

use regex::Regex;

use crate::console::read;
use crate::night::Night;
use crate::operator::said;

const PAGES: [&str; 3] = ["operations.md", "runbook.md", "troubleshooting.md"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl; .ci/run installs it"]
async fn every_command_in_a_sentence_can_be_typed() {
    let night = Night::begin().await;
    let mut count = 0;
    for page in PAGES {
        for line in lines(&read(page)) {
            let output = night.operator.types(&night.primary, &night.host, &line);
            // `grep` that finds nothing says 1.
            let usual = i32::from(line.contains("grep"));
            let code = output.status.code();
            assert!(
                code.is_some_and(|code| code == 0 || code == usual),
                "{page}: {line}\n{}",
                said(&output)
            );
            count += 1;
        }
    }
    assert!(count >= 25, "only {count} were found");
    night.host.stop().await;
}

/// What is looked for in the log is what docs/logging.md lists.
#[test]
fn every_word_that_is_looked_for_in_the_log_is_written_there() {
    let log = read("logging.md");
    let looked_for = Regex::new(r#""([a-z_]+)":(?:"([^"]+)")?"#).expect("a pattern");
    let mut count = 0;
    for page in PAGES {
        let text = read(page);
        let greps = text.lines().flat_map(|line| line.split('`'));
        for grep in greps.filter(|part| part.contains("LOG | grep")) {
            for found in looked_for.captures_iter(grep) {
                let field = format!("| `{}` |", &found[1]);
                assert!(log.contains(&field), "{page}: {grep}: no field {field}");
                let message = found.get(2).filter(|_| &found[1] == "msg");
                if let Some(message) = message {
                    let message = format!("| `{}` |", message.as_str());
                    assert!(
                        log.contains(&message),
                        "{page}: {grep}: no message {message}"
                    );
                    count += 1;
                }
            }
        }
    }
    assert!(count >= 8, "only {count} messages were found");
}

/// What is to be typed for each command of a page.
fn lines(text: &str) -> Vec<String> {
    // What Prometheus is asked stands in such spans as well, and is asked by `cargo xtask drill`.
    let span = Regex::new(r"`((?:psql|curl|LOG \||SELECT|TRUNCATE|CALL|ALTER EXTENSION) ?[^`]*)`")
        .expect("a pattern");
    let block = Regex::new(r"(?s)```sql\n(.*?)```").expect("a pattern");
    let prose = Regex::new(r"(?s)```.*?```").expect("a pattern");
    let prose = prose.replace_all(text, "");
    let spans = span.captures_iter(&prose).map(|found| found[1].to_owned());
    let blocks = block.captures_iter(text).map(|found| found[1].to_owned());
    spans
        .filter(|span| span.contains(' '))
        .chain(blocks)
        .map(|command| typed(&command))
        .collect()
}

/// Statements are typed into `psql`, and process ids are those of nobody.
fn typed(command: &str) -> String {
    let command = command.replace("PID", "1").replace('…', "hash");
    // An address that there is not is a failure, too.
    let command = command.replacen("curl ", "curl --fail ", 1);
    let is_typed = ["psql", "curl", "LOG"]
        .iter()
        .any(|program| command.starts_with(program));
    if is_typed {
        command
    } else {
        format!("psql \"$DATABASE_URL\" --set=ON_ERROR_STOP=1 <<'END'\n{command};\nEND")
    }
}
