//! Which trace a request belongs to, as W3C Trace Context says it in the header `traceparent`.
//!
//! The service makes no traces of its own: a request without one stays without. `tracestate` is not handed on. It is free text of
//! strangers, and who embeds texts may be outside of the cluster; the specification lets a service remove it for that reason.

use std::num::NonZeroU128;

use http::HeaderMap;

/// The header that a request brings its trace in, and that requests to other services take it on in.
pub const TRACEPARENT: &str = "traceparent";

/// Bytes of a header in the version `00`. Those of later versions are longer, if they differ.
const LENGTH: usize = 55;

/// The flags that are defined: the caller may have recorded its part, and the id is random. All others must not be handed on.
const FLAGS: u8 = 0b11;

/// The trace of a request. Whatever else the header might hold is not in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: NonZeroU128,
    flags: u8,
}

impl Trace {
    /// The trace of a request with these headers; nothing if they name none, more than one, or not in the form that is laid down.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.as_bytes())
    }

    /// Its id: 32 hexadecimal digits.
    pub fn id(self) -> String {
        format!("{:032x}", self.id)
    }

    /// `traceparent` of one request to another service, which belongs to the trace under an id of its own.
    pub fn onward(self) -> String {
        // Zero is no id.
        let parent = runtime::random().max(1);
        format!("00-{:032x}-{parent:016x}-{:02x}", self.id, self.flags)
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(LENGTH)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let mut field = |length: usize| {
            let digits = fields.next().filter(|digits| digits.len() == length)?;
            number(digits)
        };
        let (version, id, parent, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        // What a later version has more begins with a hyphen.
        let is_whole = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let is_usable = is_whole && parent != 0;
        let id = NonZeroU128::new(id).filter(|_| is_usable)?;
        let flags = u8::try_from(flags).ok()? & FLAGS;
        Some(Self { id, flags })
    }
}

/// The number that these hexadecimal digits are, of which 32 fit. Capital letters are none.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' | b'a'..=b'f' => char::from(*digit).to_digit(16)?,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn of(values: &[&str]) -> Option<Trace> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                TRACEPARENT,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        Trace::of(&headers)
    }

    /// Version, flags, and what follows the flags.
    fn traceparent(version: &str, flags: &str, rest: &str) -> String {
        format!("{version}-{ID}-{PARENT}-{flags}{rest}")
    }

    #[test]
    fn the_present_version_and_later_ones_are_read() {
        for (version, flags, rest, expected) in [
            ("00", "00", "", 0),
            ("00", "01", "", 1),
            ("00", "03", "", 3),
            // Flags that nobody has defined are not handed on.
            ("00", "fc", "", 0),
            ("01", "ff", "", 3),
            ("01", "01", "-", 1),
            ("cc", "01", "-what-the-future-will-be-like", 1),
            ("fe", "01", "-\u{e4}", 1),
        ] {
            let trace = of(&[&traceparent(version, flags, rest)]).expect(version);
            assert_eq!((trace.id().as_str(), trace.flags), (ID, expected));
        }
    }

    #[test]
    fn what_is_not_in_the_form_is_no_trace() {
        let good = traceparent("00", "01", "");
        assert!(of(&[&good]).is_some());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&good, &good]), None, "sent twice");
        assert_eq!(of(&[&format!("{good}, {good}")]), None, "joined by a proxy");
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            "00".into(),
            "token=hunter2".into(),
            good[..54].into(),
            traceparent("00", "01", "-"),
            traceparent("00", "01", "-what-the-future-will-be-like"),
            traceparent("cc", "01", ".what-the-future-will-be-like"),
            traceparent("ff", "01", ""),
            traceparent("0g", "01", ""),
            traceparent("00", "1", ""),
            traceparent("00", "0x", ""),
            traceparent("00", "0A", ""),
            traceparent("00", "+1", ""),
            good.replace(ID, &zeros),
            good.replace(PARENT, &zeros[..16]),
            good.replace(ID, &ID.to_uppercase()),
            good.replace(PARENT, &PARENT.to_uppercase()),
            good.replace(ID, &format!("{}g", &ID[1..])),
            good.replace(ID, &format!("+{}", &ID[1..])),
            good.replace('-', "_"),
            good.replace('-', ""),
            format!(" {good}"),
            good.replace("4b", "\u{e4}"),
        ] {
            assert_eq!(of(&[&bad]), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_request_onward_is_in_the_trace_under_an_id_of_its_own(
            id in 1..=u128::MAX, parent in 1..=u64::MAX, flags in any::<u8>()
        ) {
            let text = format!("00-{id:032x}-{parent:016x}-{flags:02x}");
            let trace = of(&[&text]).expect("a trace");
            prop_assert_eq!(trace.id(), format!("{id:032x}"));
            let (first, second) = (trace.onward(), trace.onward());
            for onward in [&first, &second] {
                prop_assert_eq!(of(&[onward]), Some(trace));
            }
            prop_assert!(first != second && first != text);
        }

        #[test]
        fn nothing_but_digits_is_logged_whatever_is_sent(text in "[0-9a-f-]{50,60}|\\PC{0,60}") {
            if let Some(trace) = of(&[&text]) {
                prop_assert_eq!(trace.id(), &text[3..35]);
            }
        }
    }
}
