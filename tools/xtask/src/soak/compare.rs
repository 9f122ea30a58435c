//! What is stored, compared with what was acknowledged.

use super::ledger::{Entry, Ledger};
use super::record::{self, State};

/// A record as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) kind: String,
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) status: Option<String>,
    pub(super) is_corrected: bool,
    pub(super) is_hidden: bool,
    pub(super) vectors: Vectors,
}

/// Where a record's vector is, and so whether searches find it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vectors {
    pub(super) on_primary: bool,
    pub(super) in_vector_database: bool,
}

impl Row {
    /// In words, if it is not as it should be.
    fn differs(&self, entry: &Entry) -> Option<String> {
        let is_visible = entry.state != State::Hidden;
        let expected = (
            record::kind(entry.number),
            record::name(entry.number),
            Some(entry.state.status()),
            !is_visible,
        );
        let found = (
            self.kind.as_str(),
            self.name.clone(),
            self.status.as_deref(),
            self.is_hidden,
        );
        let vectors = Vectors {
            on_primary: is_visible,
            in_vector_database: is_visible,
        };
        // Some are corrected before they are hidden.
        let is_corrected = entry.state == State::Corrected;
        let flaw = if expected != found {
            format!(
                "kind, name, status and whether it is hidden to be {expected:?}, found {found:?}"
            )
        } else if is_visible && self.is_corrected != is_corrected {
            format!(
                "corrected to be {is_corrected}, found {}",
                self.is_corrected
            )
        } else if self.vectors != vectors {
            format!("its vector to be at {vectors:?}, found {:?}", self.vectors)
        } else {
            return None;
        };
        Some(format!("{}: expected {flaw}", entry.says()))
    }
}

/// Compares what was acknowledged with all stored records whose ids are above `after` and at most `to`, in the order of their ids,
/// and says in words what differs.
pub(super) fn compare(ledger: &Ledger, after: i64, to: i64, rows: &[Row]) -> Vec<String> {
    let within = |entry: &&Entry| entry.id > after && entry.id <= to;
    let mut expected: Vec<&Entry> = ledger.entries().iter().filter(within).collect();
    expected.sort_by_key(|entry| entry.id);
    let mut findings = Vec::new();
    let mut expected = expected.into_iter().peekable();
    for row in rows {
        while let Some(entry) = expected.next_if(|entry| entry.id < row.id) {
            findings.push(lost(entry));
        }
        match expected.next_if(|entry| entry.id == row.id) {
            Some(entry) => findings.extend(row.differs(entry)),
            None => findings.push(unknown(ledger, row)),
        }
    }
    findings.extend(expected.map(lost));
    findings
}

fn lost(entry: &Entry) -> String {
    let says = entry.says();
    format!("expected {says}, which was acknowledged; it is lost")
}

fn unknown(ledger: &Ledger, row: &Row) -> String {
    let Row { kind, id, name, .. } = row;
    let number = record::number(name);
    let mut entries = ledger.entries().iter();
    match entries.find(|entry| Some(entry.number) == number) {
        Some(entry) => format!(
            "expected one record of the name {name}, found a duplicate: {kind} {id} beside {}",
            entry.id
        ),
        None => format!(
            "expected no record that was never acknowledged, found {kind} {id} of the name {name}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// Records 1 to 5 with the ids 10 to 50, and what is stored of them.
    fn five() -> (Ledger, Vec<Row>) {
        let mut ledger = Ledger::default();
        let mut rows = Vec::new();
        // Acknowledged in another order than stored.
        for number in [2, 1, 3, 5, 4] {
            ledger.add(number, i64::from(number) * 10, true);
        }
        for number in 1..=5 {
            rows.push(Row {
                kind: record::kind(number).to_owned(),
                id: i64::from(number) * 10,
                name: record::name(number),
                status: Some(record::first_state(number).status().to_owned()),
                is_corrected: false,
                is_hidden: false,
                vectors: Vectors {
                    on_primary: true,
                    in_vector_database: true,
                },
            });
        }
        (ledger, rows)
    }

    fn the_only(findings: &[String]) -> &str {
        assert_eq!(findings.len(), 1, "{findings:?}");
        &findings[0]
    }

    #[test]
    fn what_is_stored_as_acknowledged_is_right() {
        let (ledger, rows) = five();
        assert_eq!(compare(&ledger, 0, i64::MAX, &rows), [""; 0]);
        assert_eq!(compare(&ledger, 20, 40, &rows[2..4]), [""; 0]);
    }

    #[test]
    fn a_lost_record_is_found_wherever_it_was() {
        for lost in 0..5 {
            let (ledger, mut rows) = five();
            let row = rows.remove(lost);
            let findings = compare(&ledger, 0, i64::MAX, &rows);
            let finding = the_only(&findings);
            assert!(finding.contains(&format!(" {} ", row.id)), "{finding}");
            assert!(finding.contains("lost"), "{finding}");
        }
    }

    #[test]
    fn a_duplicate_is_told_from_a_record_that_nobody_posted() {
        let (ledger, mut rows) = five();
        rows.push(Row {
            id: 60,
            ..rows[2].clone()
        });
        let finding = compare(&ledger, 0, i64::MAX, &rows);
        assert!(the_only(&finding).contains("duplicate: remediation 60 beside 30"));
        rows[5].name = "soak-99".to_owned();
        let finding = compare(&ledger, 0, i64::MAX, &rows);
        assert!(the_only(&finding).contains("never acknowledged"));
    }

    #[test]
    fn a_record_that_is_not_as_it_was_acknowledged_is_found() {
        let spoils: [fn(&mut Row); 7] = [
            |row| row.kind = "workflow".to_owned(),
            |row| row.name = "soak-4".to_owned(),
            |row| row.status = Some("running".to_owned()),
            |row| row.is_corrected = true,
            |row| row.is_hidden = true,
            |row| row.vectors.on_primary = false,
            |row| row.vectors.in_vector_database = false,
        ];
        for spoil in spoils {
            let (ledger, mut rows) = five();
            spoil(&mut rows[2]);
            the_only(&compare(&ledger, 0, i64::MAX, &rows));
        }
    }

    #[test]
    fn a_hidden_record_has_no_vector_anywhere() {
        let (mut ledger, mut rows) = five();
        let mut chance = StdRng::seed_from_u64(1);
        let taken = ledger.take(&mut chance, |entry| entry.number == 3);
        let taken = taken.expect("number 3");
        ledger.change(taken, State::Hidden, true);
        the_only(&compare(&ledger, 0, i64::MAX, &rows));
        rows[2].is_hidden = true;
        the_only(&compare(&ledger, 0, i64::MAX, &rows));
        rows[2].vectors = Vectors {
            on_primary: false,
            in_vector_database: false,
        };
        assert_eq!(compare(&ledger, 0, i64::MAX, &rows), [""; 0]);
        assert_eq!(ledger.totals()["remediation"], (5, 4));
    }
}
