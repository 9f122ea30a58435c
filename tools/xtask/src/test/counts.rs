//! What came of all suites together.

/// How many tests passed, failed and were left out, and which suites failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
    suites: Vec<String>,
}

impl Counts {
    /// Adds what a suite says of itself in its last lines. One that ends in another way, such as by a signal, has failed, too.
    pub(super) fn add(&mut self, suite: &str, succeeded: bool, output: &str) {
        if !succeeded {
            self.suites.push(suite.to_owned());
        }
        let result = output
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("test result: "));
        for part in result.unwrap_or_default().split(['.', ';']) {
            if let Some((number, what)) = part.trim().split_once(' ')
                && let Ok(number) = number.parse::<u64>()
            {
                match what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.ignored += number,
                    _ => {}
                }
            }
        }
    }

    /// Adds those of other suites.
    pub(super) fn extend(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.suites.extend(other.suites);
    }

    pub(super) fn succeeded(&self) -> bool {
        self.suites.is_empty()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for suite in &self.suites {
            writeln!(f, "failed: {suite}; what it says is above")?;
        }
        let result = if self.succeeded() { "ok" } else { "FAILED" };
        let (passed, failed, ignored) = (self.passed, self.failed, self.ignored);
        write!(
            f,
            "test result: {result}. {passed} passed; {failed} failed; {ignored} ignored, in all suites"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = "running 2 tests\ntest a ... ok\n\n\
        test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.27s\n\n";
    const FAILED: &str = "test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";

    #[test]
    fn suites_are_added_up() {
        let mut counts = Counts::default();
        counts.add("one", true, PASSED);
        assert_eq!(
            counts.to_string(),
            "test result: ok. 2 passed; 0 failed; 1 ignored, in all suites"
        );
        counts.add("two", false, FAILED);
        assert_eq!(
            counts.to_string(),
            "failed: two; what it says is above\n\
             test result: FAILED. 6 passed; 1 failed; 1 ignored, in all suites"
        );
    }

    #[test]
    fn a_suite_that_ends_without_a_result_has_failed() {
        let mut counts = Counts::default();
        counts.add("killed", false, "running 1 test\n");
        assert!(!counts.succeeded());
    }
}
