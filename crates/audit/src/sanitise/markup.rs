//! Markup out of free text, as far as it can become active in a page; everything else stays byte for byte.
//!
//! Every `<` with a name behind it is looked at by itself, wherever it stands: whether a browser takes what is around it for a
//! comment, for an attribute's value or for text depends on the page that it is put into. Elements that run or load something
//! go with their content, where their end tag is there. A tag that only makes the browser load something is defused: its `<`
//! becomes `&lt;`, and nothing of it is lost. Out of all tags go handlers, styles that load, and the addresses that run scripts.

mod edits;
mod links;

use std::borrow::Cow;
use std::ops::Range;

use self::edits::Edits;
use super::attribute::{self, Effect};
use super::list::list;
use super::tag::{self, Attribute, Attributes, Tag};
use super::text::{QUOTE, SLASH, SPACE, Text, minus, plus};

/// Elements that go with what is in them (contract, sanitising).
const WITH_CONTENT: [&[u8]; 7] = [
    b"script", b"iframe", b"object", b"embed", b"style", b"svg", b"math",
];

/// What was removed may bring the halves of a tag together. After so many rounds elements are defused, not removed.
const REMOVING_ROUNDS: usize = 4;
/// After so many, every tag is defused.
const ROUNDS: usize = 12;

/// How many bytes of tags are looked at for each byte of a text: tags in tags in tags cannot make it slow.
const BUDGET: usize = 16;

/// The text without its active markup; borrowed if it has none.
pub(super) fn strip(text: &str) -> Cow<'_, str> {
    let mut clean = Cow::Borrowed(text);
    for round in 0..=ROUNDS {
        let Some(next) = pass(&clean, How::in_round(round)) else {
            break;
        };
        clean = Cow::Owned(next);
    }
    clean
}

/// Whether the text has any active markup.
pub(crate) fn is_in(text: &str) -> bool {
    pass(text, How::Removes).is_some()
}

/// What is done with elements that go with their content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Removes,
    Defuses,
    /// Nor is any other tag left.
    DefusesAll,
}

impl How {
    fn in_round(round: usize) -> Self {
        match round {
            0..REMOVING_ROUNDS => Self::Removes,
            REMOVING_ROUNDS..ROUNDS => Self::Defuses,
            _ => Self::DefusesAll,
        }
    }
}

/// Once through a text; nothing if nothing is changed.
fn pass(text: &str, how: How) -> Option<String> {
    let bytes = Text(text.as_bytes());
    let mut pass = Pass {
        text: bytes,
        how,
        edits: Edits::default(),
        budget: text.len().saturating_mul(BUDGET),
        has_no_end: [false; WITH_CONTENT.len()],
        last_acting: None,
    };
    let mut at = 0;
    while let Some(open) = bytes.find_byte(at, b'<') {
        at = pass.tag(open).max(plus(open, 1));
    }
    let has_tags = !pass.edits.is_empty();
    links::targets(bytes, &mut pass.edits);
    if has_tags {
        pass.outside();
    }
    pass.edits.apply(text)
}

struct Pass<'t> {
    text: Text<'t>,
    how: How,
    edits: Edits,
    budget: usize,
    /// Which elements have no end tag in the rest of the text; looked for once only.
    has_no_end: [bool; WITH_CONTENT.len()],
    /// The last `=` in the text behind a name that may act, once somebody asked.
    last_acting: Option<usize>,
}

/// What was found in a tag.
#[derive(Default)]
struct Found {
    acts: bool,
    loads: bool,
    /// Behind the tag.
    end: Option<usize>,
}

impl Pass<'_> {
    /// Deals with what begins with the `<` at `open`, and says where to go on.
    fn tag(&mut self, open: usize) -> usize {
        let text = self.text;
        let Some(tag) = tag::tag(text, open) else {
            return links::autolink(text, open, &mut self.edits);
        };
        let name = text.slice(tag.name.start, tag.name.end);
        let content = WITH_CONTENT
            .iter()
            .position(|element| name.eq_ignore_ascii_case(element));
        if tag.is_end {
            if content.is_some() {
                self.edits.defuse(open);
            }
            return plus(open, 1);
        }
        if self.how == How::DefusesAll || self.budget == 0 {
            self.edits.defuse(open);
            return plus(open, 1);
        }
        self.spend(minus(tag.name.end, open));
        if !tag::is_element(name) {
            self.unknown(&tag);
            return links::autolink(text, open, &mut self.edits);
        }
        let found = self.attributes(name, &tag);
        match content {
            Some(element) => self.with_content(open, element, &found),
            None => {
                if found.loads || (found.end.is_none() && self.may_act_behind(&tag)) {
                    self.edits.defuse(open);
                }
                plus(open, 1)
            }
        }
    }

    /// An element that goes with its content.
    fn with_content(&mut self, open: usize, element: usize, found: &Found) -> usize {
        let end = found.end.and_then(|end| self.content_end(element, end));
        let name = WITH_CONTENT.get(element).copied().unwrap_or_default();
        // `<object object at 0x7f3c2a>`, as Python prints.
        let is_text = list!("object embed").has(name) && !found.acts && !found.loads;
        match end {
            Some(end) if self.how == How::Removes => {
                self.edits.remove(open..end);
                return end;
            }
            None if is_text => {}
            _ => self.edits.defuse(open),
        }
        plus(open, 1)
    }

    /// Behind the end tag of an element, from `from` on.
    fn content_end(&mut self, element: usize, from: usize) -> Option<usize> {
        let name = WITH_CONTENT.get(element)?;
        let has_no_end = self.has_no_end.get_mut(element)?;
        if *has_no_end {
            return None;
        }
        let end = end_tag(self.text, name, from);
        *has_no_end = end.is_none();
        end
    }

    /// Takes out of a tag what acts.
    fn attributes(&mut self, element: &[u8], tag: &Tag) -> Found {
        let text = self.text;
        let mut found = Found::default();
        let mut attributes = Attributes::of_tag(text, tag.name.end);
        while let Some(attribute) = attributes.next() {
            match attribute::effect(text, element, &attribute) {
                Effect::Acts => {
                    found.acts = true;
                    self.remove(&attribute);
                }
                Effect::Loads => found.loads = true,
                Effect::Nothing if attribute.is_quoted => found.acts |= self.inside(&attribute),
                Effect::Nothing => {}
            }
        }
        found.end = attributes.end;
        self.spend(minus(attributes.seen(), tag.name.end));
        found
    }

    /// Takes handlers and the like out of a value. Put between the quotes of a page's own tag, they would be attributes of that.
    fn inside(&mut self, attribute: &Attribute) -> bool {
        let text = self.text;
        let value = text.slice(attribute.value.start, attribute.value.end);
        if !value.contains(&b'=') {
            return false;
        }
        let mut acts = false;
        for inner in Attributes::inside(text, &attribute.value) {
            if attribute::acts_anywhere(text, &inner) {
                acts = true;
                self.remove(&inner);
            }
        }
        acts
    }

    /// Takes scripts out of the tag of an element that no standard has, and nothing else.
    fn unknown(&mut self, tag: &Tag) {
        let text = self.text;
        let mut attributes = Attributes::of_tag(text, tag.name.end);
        while let Some(attribute) = attributes.next() {
            if attribute::is_script(text, &attribute) {
                self.remove(&attribute);
            }
        }
        self.spend(minus(attributes.seen(), tag.name.end));
    }

    /// Removes an attribute, but nothing behind a quote that is not closed.
    fn remove(&mut self, attribute: &Attribute) {
        let end = if attribute.is_whole {
            attribute.all.end
        } else {
            attribute.value.start
        };
        self.edits.remove(attribute.all.start..end);
    }

    /// Whether something that acts may be behind as much of a tag as is looked at.
    fn may_act_behind(&mut self, tag: &Tag) -> bool {
        let text = self.text;
        let last = *self.last_acting.get_or_insert_with(|| last_acting(text));
        last > plus(tag.name.end, tag::MAX)
    }

    /// Whether what begins at `start` would act as an attribute.
    fn acts(&mut self, start: usize) -> bool {
        if self.budget == 0 {
            return true;
        }
        let mut attributes = Attributes::of_tag(self.text, start);
        let attribute = attributes.next();
        self.spend(minus(attributes.seen(), start));
        attribute.is_some_and(|attribute| attribute::acts_anywhere(self.text, &attribute))
    }

    fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes);
    }

    /// Takes the names of handlers and of styles that load out of what is no tag, in a text that has active tags: whoever put those there may want it to stand
    /// between the quotes of a page's own tag.
    fn outside(&mut self) {
        let text = self.text;
        let mut at = 0;
        while let Some(equals) = text.find_byte(at, b'=') {
            at = plus(equals, 1);
            let name = name_before(text, equals);
            let is_free = text.is_at(name.start.wrapping_sub(1), SPACE | SLASH | QUOTE);
            let word = text.slice(name.start, name.end);
            let may_act = attribute::is_known_handler(word) || list!("style").has(word);
            if is_free && may_act && self.acts(name.start) {
                self.edits.remove(name.start..at);
            }
        }
    }
}

/// The last `=` behind a name that may act, or zero.
fn last_acting(text: Text<'_>) -> usize {
    let mut at = text.len();
    while at > 0 {
        at = minus(at, 1);
        if text.byte(at) == b'=' {
            let name = name_before(text, at);
            if attribute::may_act(text.slice(name.start, name.end)) {
                return at;
            }
        }
    }
    0
}

/// The longest name of an attribute that matters.
const NAME_MAX: usize = 64;

/// The name before an equals sign.
fn name_before(text: Text<'_>, equals: usize) -> Range<usize> {
    let floor = minus(equals, NAME_MAX);
    let end = text.run_back(floor, equals, SPACE);
    let mut start = end;
    while start > floor
        && matches!(text.byte_before(start), b'a'..=b'z' | b'A'..=b'Z' | b':' | b'-')
    {
        start = minus(start, 1);
    }
    start..end
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
            ("a</style>b", "a&lt;/style>b"),
            ("a<iframe src='https://x'>fallback</iframe>b", "ab"),
            ("a<svg><style>x</style></svg>b", "ab"),
            ("<p onclick=alert(1)>x</p>", "<p >x</p>"),
            ("<p onclick = 'alert(1)' class=a>", "<p  class=a>"),
            ("<p onclick=\"x", "<p x"),
            ("<xss onfocus=alert(1)>", "<xss >"),
            ("<a href=\"javascript:alert('x')\">here</a>", "<a >here</a>"),
            ("<a href=\"java&#x73;cript:x\">here</a>", "<a >here</a>"),
            ("<p style='background:url(//x)'>", "<p >"),
            // What only loads is kept, but is no tag any more.
            ("<img src=x onerror=alert(1)>", "&lt;img src=x >"),
            (
                "<link rel=icon href=/x.ico>",
                "&lt;link rel=icon href=/x.ico>",
            ),
            (
                "<meta http-equiv=refresh content=0>",
                "&lt;meta http-equiv=refresh content=0>",
            ),
            ("<img src=x ", "&lt;img src=x "),
            // Halves of a tag do not come together.
            ("<scr<script></script>ipt>x", "&lt;script>x"),
            // In Markdown.
            ("[a](javascript:x)", "[a](x)"),
            ("[a]( <java&Tab;script:javascript:x> )", "[a]( <x> )"),
            ("[a]: \n data:text/html,x", "[a]: \n html,x"),
            ("<javascript:x>", "&lt;javascript:x>"),
            ("> <p\n> onclick=x>", "> <p\n> >"),
            ("> <a href='java\n> script:x'>", "> <a >"),
            // Between the quotes of another tag.
            ("<b title='x onclick=y'>", "<b title='x '>"),
            ("\" onclick=x <script>", "\" x &lt;script>"),
            // Tags within the values of others.
            (
                "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
                "<noscript><p title=\"</noscript>&lt;img src=x >\">",
            ),
        ] {
            assert_eq!(strip(text), expected, "{text}");
            assert_eq!(strip(expected), expected, "again");
            assert!(is_in(text));
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
            "<a href='https://x.example/a?online=1' title=\"a > b\">x</a>",
            "<p style='color: red'>",
            "<img alt=x>",
            "<job onerror=\"continue\" name=\"sync\"/>",
            "<retry count=\"3\" onFailure=\"skip\"/>",
            "[runbook](https://x.example) [1]: data: 5",
        ] {
            assert!(
                matches!(strip(text), std::borrow::Cow::Borrowed(_)),
                "{text}"
            );
            assert!(!is_in(text));
        }
    }

    #[test]
    fn a_tag_that_is_longer_than_a_tag_is_defused_if_anything_in_it_may_act() {
        let padding = "x ".repeat(2000);
        let active = format!("a <b {padding} onclick=alert(1)>");
        let expected = format!("a &lt;b {padding} alert(1)>");
        assert!(strip(&active) == expected);
        let harmless = format!("a <b {padding} c");
        assert!(strip(&harmless) == harmless);
    }

    #[test]
    fn what_is_nested_without_end_comes_to_an_end() {
        for text in [
            "<scr".repeat(500) + &"<script></script>ipt>".repeat(500),
            "<a ".repeat(5000),
            "<b onclick=\"".repeat(2000),
            "[a](javascript:".repeat(2000),
        ] {
            let once = strip(&text);
            // Without printing them.
            assert!(strip(&once) == once);
        }
    }
}
