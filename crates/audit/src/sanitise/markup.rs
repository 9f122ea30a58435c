//! Markup out of free text, as far as it can become active in a page; everything else stays byte for byte.
//!
//! A tag is `<` and the name of an element that HTML, SVG or MathML has, in the tag's own syntax (`tag`). Elements that run or load
//! something go with their content, where their end tag is there; where it is not, their `<` becomes `&lt;` and nothing behind
//! it is lost. Out of other tags go handlers and the addresses that run scripts.

use std::borrow::Cow;

use super::tag::{self, Tag, WITH_CONTENT};
use super::text::{QUOTE, SLASH, SPACE, Text, is, is_listed, minus, plus};

/// What an attribute becomes that runs a script: nothing.
const DEFUSED: &str = "&lt;";

/// Removing something may bring the halves of a tag together; more often than this they are defused.
const PASSES: usize = 4;

/// The text without its active markup; borrowed if it has none.
pub(super) fn strip(text: &str) -> Cow<'_, str> {
    let Some(first) = pass(text, false) else {
        return Cow::Borrowed(text);
    };
    let mut clean = first;
    for round in 1..=PASSES {
        match pass(&clean, round == PASSES) {
            Some(again) => clean = again,
            None => break,
        }
    }
    Cow::Owned(clean)
}

/// Whether the text has any active markup.
pub(crate) fn is_in(text: &str) -> bool {
    pass(text, false).is_some()
}

/// Once through a text; nothing if nothing is changed. `defuses` says that no tag is to be removed any more.
fn pass(text: &str, defuses: bool) -> Option<String> {
    let bytes = Text(text.as_bytes());
    let mut work = Work {
        text: bytes,
        clean: String::new(),
        copied: 0,
        no_end: [false; 8],
    };
    let mut at = 0;
    while let Some(open) = bytes.find_byte(at, b'<') {
        at = work.tag(open, defuses).max(plus(open, 1));
    }
    if work.copied == 0 {
        return None;
    }
    work.clean
        .push_str(text.get(work.copied..).unwrap_or_default());
    Some(work.clean)
}

struct Work<'t> {
    text: Text<'t>,
    clean: String,
    copied: usize,
    /// Which elements have no end tag in the rest of the text; looked for once only.
    no_end: [bool; 8],
}

impl Work<'_> {
    /// At a `<`: deals with the tag that begins there, and says where to go on.
    fn tag(&mut self, open: usize, defuses: bool) -> usize {
        let text = self.text;
        let Some(tag) = tag::tag(text, open) else {
            // `<!--`, `<!doctype` and `<?` hide nothing: what follows is read as if they were not there.
            return plus(open, 1);
        };
        let name = text.slice(tag.name.0, tag.name.1);
        let name = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
        let with_content = is_listed(WITH_CONTENT, name);
        // `<object object at 0x7f3c2a>`, as Python prints.
        let is_inert =
            is_listed("object embed", name) && !tag.is_end && !tag.acts && !self.ends(name, &tag);
        if is_inert {
            return plus(open, 1);
        }
        let Some(end) = tag.end else {
            return self.unfinished(open, &tag, with_content || tag::is_active(name));
        };
        if with_content && !tag.is_end && !defuses {
            let content = self.content_end(name, end);
            return match content {
                Some(end) => self.replace(open, end, ""),
                None => self.replace(open, plus(open, 1), DEFUSED),
            };
        }
        if with_content
            || (tag.acts && defuses)
            || is_listed(
                "base meta link frame frameset applet portal fencedframe plaintext",
                name,
            ) && !tag.is_end
        {
            return self.replace(open, plus(open, 1), DEFUSED);
        }
        self.attributes(&tag, end);
        end
    }

    /// A tag that does not end: a browser would take what follows for its attributes.
    fn unfinished(&mut self, open: usize, tag: &Tag, active: bool) -> usize {
        if active || tag.acts {
            return self.replace(open, plus(open, 1), DEFUSED);
        }
        plus(open, 1)
    }

    fn ends(&mut self, name: &[u8], tag: &Tag) -> bool {
        tag.end.is_some_and(|end| self.content_end(name, end).is_some())
    }

    fn content_end(&mut self, name: &[u8], from: usize) -> Option<usize> {
        let place = WITH_CONTENT
            .split(' ')
            .position(|element| name.eq_ignore_ascii_case(element.as_bytes()))?;
        let known = self.no_end.get_mut(place)?;
        if *known {
            return None;
        }
        let end = end_tag(self.text, name, from);
        *known = end.is_none();
        end
    }

    /// Takes handlers and script addresses out of a tag.
    fn attributes(&mut self, tag: &Tag, end: usize) {
        let text = self.text;
        let mut at = tag.name.1;
        while at < end {
            let start = at;
            at = text.run(at, SPACE | SLASH | QUOTE);
            let name_end = attribute_end(text, at, end);
            let equals = text.run(name_end, SPACE);
            if text.byte(equals) != b'=' {
                at = name_end
                    .max(plus(start, 1))
                    .max(plus(at, usize::from(name_end == at)));
                continue;
            }
            let value = text.run(plus(equals, 1), SPACE);
            let quote = text.byte(value);
            let is_quoted = is(quote, QUOTE) && quote != b'`';
            let inside = plus(value, usize::from(is_quoted));
            let stop = value_end(text, inside, end, if is_quoted { quote } else { 0 });
            let name = text.slice(at, name_end);
            let is_handler = name.len() > 2 && Text(name).has_folded(0, b"on");
            let acts = is_handler
                || is_listed("srcdoc http-equiv attributename", name)
                || tag::is_script_address(text, inside, stop)
                || (is_listed("style", name) && is_active_style(text.slice(inside, stop)))
                || (is_listed("values from to by content", name)
                    && Text(text.slice(inside, stop)).has_script());
            let after = if is_quoted {
                plus(stop, 1).min(end)
            } else {
                stop
            };
            if acts {
                self.replace(at, after.max(plus(at, 1)), "");
            }
            at = after.max(plus(at, 1));
        }
    }

    fn replace(&mut self, start: usize, end: usize, with: &str) -> usize {
        let kept = self.text.slice(self.copied, start);
        self.clean.push_str(&String::from_utf8_lossy(kept));
        self.clean.push_str(with);
        self.copied = end.min(self.text.len());
        end
    }
}

fn attribute_end(text: Text<'_>, mut at: usize, end: usize) -> usize {
    while at < end && !text.is_at(at, SPACE | SLASH) && !matches!(text.byte(at), b'=' | b'>') {
        at = plus(at, 1);
    }
    at
}

fn value_end(text: Text<'_>, mut at: usize, end: usize, quote: u8) -> usize {
    while at < minus(end, 1)
        && (if quote == 0 {
            !text.is_at(at, SPACE)
        } else {
            text.byte(at) != quote
        })
    {
        at = plus(at, 1);
    }
    at
}

/// Styles that load or run something.
fn is_active_style(style: &[u8]) -> bool {
    let text = Text(style);
    (0..text.len()).any(|at| {
        [
            &b"url("[..],
            b"expression",
            b"@import",
            b"-moz-binding",
            b"behavior",
            b"image(",
        ]
        .iter()
        .any(|word| text.has_folded(at, word))
    }) || style.contains(&b'\\')
        || style.contains(&b'&')
}

/// Behind the end tag of an element, from `from` on.
fn end_tag(text: Text<'_>, name: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(open) = text.find_byte(at, b'<') {
        at = plus(open, 1);
        let end = plus(plus(open, 2), name.len());
        let is_it = text.byte(at) == b'/'
            && text.has_folded(plus(open, 2), name)
            && (text.is_at(end, SPACE | SLASH) || text.byte(end) == b'>');
        if is_it {
            return text.find_byte(end, b'>').map(|close| plus(close, 1));
        }
    }
    None
}

impl Text<'_> {
    /// Where a byte first is from `at` on.
    fn find_byte(self, at: usize, byte: u8) -> Option<usize> {
        let rest = self.slice(at, self.len());
        rest.iter()
            .position(|of| *of == byte)
            .map(|place| plus(at, place))
    }

    fn has_script(self) -> bool {
        (0..self.len())
            .any(|at| self.has_folded(at, b"script:") || self.has_folded(at, b"data:text"))
    }
}

#[cfg(test)]
mod tests {
    use super::{is_in, strip};

    #[test]
    fn only_what_can_act_is_touched() {
        for (text, expected) in [
            ("a<script>alert(1)</script>b", "ab"),
            ("a<SCRIPT type='x'>alert(1)</ScRiPt  >b", "ab"),
            ("a<script>never closed", "a&lt;script>never closed"),
            ("a<script src=//evil", "a&lt;script src=//evil"),
            ("a<iframe src='https://x'>fallback</iframe>b", "ab"),
            ("a<svg><style>x</style></svg>b", "ab"),
            ("a <b>bold</b>", "a <b>bold</b>"),
            ("<img src=x onerror=alert(1)>", "<img src=x >"),
            ("<a href=\"javascript:alert('x')\">here</a>", "<a >here</a>"),
            ("<a href=\"java&#x73;cript:x\">here</a>", "<a >here</a>"),
            (
                "<scr<script></script>ipt>x",
                "<script>x".replace('<', "&lt;").as_str(),
            ),
        ] {
            assert_eq!(strip(text), expected);
            assert_eq!(strip(expected), expected, "again");
        }
    }

    #[test]
    fn everything_else_is_borrowed() {
        for text in [
            "",
            "a < b && c > d",
            "List<String>",
            "a<b AND c>d",
            "<init>",
            "<module>",
            "<none>",
            "<no value>",
            "<pod-name>",
            "<jane+ops@corp.example>",
            "<object object at 0x7f3c2a>",
            "cat <<EOF > x",
            "ü<ö>",
            "x onerror=1 javascript:x",
        ] {
            assert!(
                matches!(strip(text), std::borrow::Cow::Borrowed(_)),
                "{text}"
            );
            assert!(!is_in(text));
        }
    }
}
