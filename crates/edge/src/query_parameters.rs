//! The query string, strictly: a misspelt parameter must not silently change the answer.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::problem::Error;
use crate::slug::Slug;

/// Parameters that were taken, by their names.
#[derive(Debug, Default)]
pub struct Taken(BTreeMap<&'static str, String>);

impl Taken {
    /// The value of a name, if it was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same, of which these are times: a `+` that is not escaped arrives as a space, and no time has one.
    #[must_use]
    pub fn with_times(mut self, names: &[&str]) -> Self {
        for name in names {
            if let Some(value) = self.0.get_mut(*name) {
                *value = value.replace(' ', "+");
            }
        }
        self
    }
}

/// The parameters of a request. An endpoint takes those it knows, then [`QueryParameters::finish`] refuses
/// what is left.
#[derive(Debug)]
pub struct QueryParameters(Vec<(String, String)>);

impl QueryParameters {
    /// Splits and decodes a query string (`application/x-www-form-urlencoded`, as browsers and
    /// every HTTP client write it). What is not UTF-8 once decoded is refused.
    pub fn parse(query: &str) -> Result<Self, Error> {
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let name = decode(name)
                    .ok_or_else(|| Error::parameter("", "has a name that is not UTF-8"))?;
                let value = decode(value).ok_or_else(|| Error::parameter(&name, "is not UTF-8"))?;
                Ok((name, value))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Names and values that came another way, such as in a body.
    pub fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Takes the value of `name`. More than one is refused: they could only contradict each other.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, Error> {
        let mut values = self.0.extract_if(.., |(key, _)| key == name);
        let first = values.next().map(|(_, value)| value);
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Error::parameter(
                name,
                "is given more than once; send it once",
            )),
        }
    }

    /// Takes the values of all of these names that are given.
    pub fn take_all(&mut self, names: &[&'static str]) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        for name in names {
            if let Some(value) = self.take(name)? {
                taken.0.insert(name, value);
            }
        }
        Ok(taken)
    }

    /// Takes a whole number of `name` in `range`. `slug` names the problem if it is none.
    pub(crate) fn take_number(
        &mut self,
        name: &str,
        slug: Slug,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<Option<i64>, Error> {
        let Some(text) = self.take(name)? else {
            return Ok(None);
        };
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if plain && range.contains(&number) => Ok(Some(number)),
            _ => Err(Error::Parameter {
                slug,
                name: name.to_owned(),
                message: if *range.end() == i64::MAX {
                    format!("must be a whole number of at least {}", range.start())
                } else {
                    format!(
                        "must be a whole number from {} to {}",
                        range.start(),
                        range.end()
                    )
                },
            }),
        }
    }

    /// Refuses what no endpoint took.
    pub fn finish(self) -> Result<(), Error> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Error::parameter(
                &name,
                "is not a parameter of this endpoint; check its spelling",
            )),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_names_and_values() {
        let mut parameters =
            QueryParameters::parse("a=1&b=x%20y+z&&%C3%A4=%F0%9F%99%82&c").unwrap();
        assert_eq!(parameters.take("a").unwrap().unwrap(), "1");
        assert_eq!(parameters.take("b").unwrap().unwrap(), "x y z");
        assert_eq!(parameters.take("ä").unwrap().unwrap(), "🙂");
        assert_eq!(parameters.take("c").unwrap().unwrap(), "");
        assert_eq!(parameters.take("d").unwrap(), None);
        parameters.finish().unwrap();
    }

    #[test]
    fn refuses_what_is_not_utf8_repeated_or_unknown() {
        assert!(QueryParameters::parse("a=%FF").is_err());
        assert!(QueryParameters::parse("%FF=a").is_err());
        assert!(
            QueryParameters::parse("a=1&a=1")
                .unwrap()
                .take("a")
                .is_err()
        );
        assert!(QueryParameters::parse("a=1").unwrap().finish().is_err());
    }

    #[test]
    fn those_that_are_taken_together_leave_the_others() {
        let mut parameters = QueryParameters::parse("a=1+1&b=&c=3&c=4&e=5").unwrap();
        let taken = parameters.take_all(&["a", "b", "d"]).unwrap();
        let taken = taken.with_times(&["a", "d"]);
        let values = ["a", "b", "d"].map(|name| taken.get(name));
        assert_eq!(values, [Some("1+1"), Some(""), None]);
        assert!(parameters.take_all(&["c"]).is_err(), "twice");
        parameters.finish().unwrap_err();
    }

    #[test]
    fn numbers_are_plain_digits_in_range() {
        let number = |text: &str| {
            QueryParameters::parse(&format!("n={text}"))
                .unwrap()
                .take_number("n", Slug::InvalidLimit, 1..=1000)
        };
        assert_eq!(number("1000").unwrap(), Some(1000));
        for bad in [
            "0",
            "1001",
            "-1",
            "",
            "1.0",
            "1e2",
            "0x10",
            "%2B5",
            "99999999999999999999",
        ] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}
