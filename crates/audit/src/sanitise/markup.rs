//! Markup out of free text, as far as it can become active in a page; everything else stays byte for byte.
//!
//! Every `<` with a name behind it is looked at by itself, wherever it stands: whether a browser takes what is around it for a
//! comment, for an attribute's value or for text depends on the page that it is put into. Elements that run or load something
//! go with their content, where their end tag is there. A tag that only makes the browser load something is defused: its `<`
//! becomes `&lt;`, and nothing of it is lost. Out of all tags go handlers, styles that load, and the addresses that run scripts.

mod edits;
mod links;
mod marks;

use std::borrow::Cow;

use self::edits::Edits;
use self::marks::{Mark, Marks};
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
    let mut had_tags = false;
    for round in 0..=ROUNDS {
        let (next, tags_seen) = pass(&clean, How::in_round(round), had_tags);
        had_tags |= tags_seen;
        let Some(next) = next else {
            break;
        };
        clean = Cow::Owned(next);
    }
    clean
}

/// Whether the text has any active markup.
pub(crate) fn is_in(text: &str) -> bool {
    pass(text, How::Removes, false).0.is_some()
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

/// Once through a text: what it becomes, nothing if nothing is changed, and whether it has tags. `had_tags` says that it had.
fn pass(text: &str, how: How, had_tags: bool) -> (Option<String>, bool) {
    let bytes = Text(text.as_bytes());
    let mut pass = Pass {
        text: bytes,
        how,
        edits: Edits::default(),
        budget: text.len().saturating_mul(BUDGET),
        has_no_end: [false; WITH_CONTENT.len()],
        marks: None,
        has_tags: had_tags,
    };
    let mut at = 0;
    while let Some(open) = bytes.find_byte(at, b'<') {
        at = pass.tag(open).max(plus(open, 1));
    }
    links::targets(bytes, &mut pass.edits);
    if pass.has_tags {
        pass.outside();
    }
    let tags_seen = pass.has_tags;
    (pass.edits.apply(text), tags_seen)
}

struct Pass<'t> {
    text: Text<'t>,
    how: How,
    edits: Edits,
    budget: usize,
    /// Which elements have no end tag in the rest of the text; looked for once only.
    has_no_end: [bool; WITH_CONTENT.len()],
    marks: Option<Marks>,
    /// Whether there is a tag of a known element.
    has_tags: bool,
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
        let next = plus(open, 1);
        links::autolink(text, open, &mut self.edits);
        let Some(tag) = tag::tag(text, open) else {
            return next;
        };
        let name = text.slice(tag.name.start, tag.name.end);
        let content = WITH_CONTENT
            .iter()
            .position(|element| name.eq_ignore_ascii_case(element));
        if self.how == How::DefusesAll || (tag.is_end && content.is_some()) {
            self.edits.defuse(open);
            return next;
        }
        if tag.is_end {
            return next;
        }
        if !tag::is_element(name) {
            self.unknown(open, &tag);
            return next;
        }
        self.has_tags = true;
        let marks = self.marks();
        let is_inert = !marks.is_behind(tag.name.end) && !marks.has_link_behind(open);
        if is_inert && content.is_none() {
            return next;
        }
        if self.budget == 0 {
            self.edits.defuse(open);
            return next;
        }
        let found = self.attributes(name, &tag);
        match content {
            Some(element) => self.with_content(open, element, &found),
            None if found.loads => {
                self.edits.defuse(open);
                next
            }
            None => next,
        }
    }

    /// An element that goes with its content.
    fn with_content(&mut self, open: usize, element: usize, found: &Found) -> usize {
        let name = WITH_CONTENT.get(element).copied().unwrap_or_default();
        // `<object object at 0x7f3c2a>`, as Python prints.
        let may_be_text = list!("object embed").has(name) && !found.acts && !found.loads;
        let end = (self.how == How::Removes)
            .then(|| found.end.and_then(|end| self.content_end(element, end)))
            .flatten();
        match end {
            Some(end) => {
                self.edits.remove(open..end);
                return end;
            }
            None if may_be_text => {}
            None => self.edits.defuse(open),
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
                Effect::Nothing => {
                    found.loads |= self.may_be_closed_elsewhere(&attribute)
                        || (attributes.is_cut() && self.goes_on(&attribute));
                }
            }
        }
        found.end = attributes.end;
        let seen = attributes.seen();
        found.loads |= attributes.is_cut() && self.marks().is_behind(seen);
        self.spend(minus(seen, tag.name.end));
        found
    }

    /// Whether a value goes on behind as much of the tag as is looked at, and may act.
    fn goes_on(&self, attribute: &Attribute) -> bool {
        let name = self.text.slice(attribute.name.start, attribute.name.end);
        !attribute.is_whole && attribute::may_act(name)
    }

    /// Whether Markdown may close the quote of a value: where a block of HTML ends within it, a quote of a link that follows does, and what the link
    /// leads to becomes attributes.
    fn may_be_closed_elsewhere(&mut self, attribute: &Attribute) -> bool {
        let value = self.text.slice(attribute.value.start, attribute.value.end);
        attribute.is_quoted
            && value.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
            && self.marks().has_link_behind(attribute.value.start)
    }

    /// Takes scripts and styles that load out of the tag of an element that no standard has, and nothing else.
    fn unknown(&mut self, open: usize, tag: &Tag) {
        let text = self.text;
        if !self.marks().is_anywhere_behind(tag.name.end) {
            return;
        }
        if self.budget == 0 {
            return self.edits.defuse(open);
        }
        let mut attributes = Attributes::of_tag(text, tag.name.end);
        while let Some(attribute) = attributes.next() {
            if attribute::acts_anywhere(text, &attribute) {
                self.remove(&attribute);
            } else if attributes.is_cut() && self.goes_on(&attribute) {
                self.edits.defuse(open);
            }
        }
        let seen = attributes.seen();
        if attributes.is_cut() && self.marks().is_anywhere_behind(seen) {
            self.edits.defuse(open);
        }
        self.spend(minus(seen, tag.name.start));
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

    /// What may act in the text, found when it is first asked for.
    fn marks(&mut self) -> &Marks {
        self.marks.get_or_insert_with(|| Marks::of(self.text))
    }

    fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes);
    }

    /// Takes the names of handlers and of styles that load out of what is no attribute, in a text that has tags: whoever wrote those may want it to
    /// stand between the quotes of a page's own tag.
    fn outside(&mut self) {
        let text = self.text;
        let marks = self.marks.take().unwrap_or_else(|| Marks::of(text));
        let quote = (0..text.len()).find(|at| matches!(text.byte(*at), b'"' | b'\''));
        let Some(quote) = quote else {
            return;
        };
        let mut removed = 0;
        for mark in marks.all.iter().filter(|mark| mark.is_anywhere) {
            let start = mark.name.start;
            let is_free =
                text.is_at(start.wrapping_sub(1), SPACE | SLASH | QUOTE) || start == removed;
            if start > quote && is_free && self.acts(mark) {
                removed = plus(mark.equals, 1);
                self.edits.remove(start..removed);
            }
        }
    }

    /// Whether something would act as an attribute.
    fn acts(&mut self, mark: &Mark) -> bool {
        if self.budget == 0 {
            return true;
        }
        let mut attributes = Attributes::of_tag(self.text, mark.name.start);
        let attribute = attributes.next();
        self.spend(minus(attributes.seen(), mark.name.start));
        attribute.is_some_and(|mut attribute| {
            let value = self.text.slice(attribute.value.start, attribute.value.end);
            // It ends with what it is in, if not before.
            let ends = value
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\'' | b'<'));
            if let Some(length) = ends.filter(|_| !attribute.is_quoted) {
                attribute.value.end = plus(attribute.value.start, length);
            }
            attribute::acts_anywhere(self.text, &attribute) || !attribute.is_whole
        })
    }
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
            ("[a](\u{a0}javascript&colon\\;x)", "[a](\u{a0}x)"),
            ("<p title='\n\n'>\n[a](/x)", "&lt;p title='\n\n'>\n[a](/x)"),
            ("<a href='data: text/html,x'>", "<a >"),
            ("<x-y style='fill:\\75rl(x)'>", "<x-y >"),
            ("<xss onpointerenter=location++>", "<xss >"),
            ("<javascript:x>", "&lt;javascript:x>"),
            ("> <p\n> onclick=x>", "> <p\n> >"),
            ("> <a href='java\n> script:x'>", "> <a >"),
            // Between the quotes of another tag.
            ("<b title='x onclick=y()'>", "<b title='x y()'>"),
            ("<b title='x\"onclick=y()'>", "<b title='x\"y()'>"),
            ("\" onclick=x() <script>", "\" x() &lt;script>"),
            ("<b>x</b>\" onclick=onclick=x() y=\"", "<b>x</b>\" x() y=\""),
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
            "app[12]: javascript: heap limit reached",
            "[ERROR]: JavaScript: heap out of memory",
            "if a<b then action=restart src=10.0.0.1",
            "<button on:click={handleClick} only=1>Save</button>",
            "<meta http-equiv=\"Content-Type\" content=\"text/html\">",
            "<span title=\"url(x) is not allowed, nor javascript:\">",
            "<p style=\"overscroll-behavior: none\">x</p> \"y onerror=continue",
            "<p data=\"5\">x</p> <feature data=\"5\"/>",
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
        let expected = format!("a &lt;b {padding} onclick=alert(1)>");
        assert!(strip(&active) == expected);
        let unknown = active.replace("<b", "<x");
        assert!(strip(&unknown) == expected.replace("&lt;b", "&lt;x"));
        let value = format!("<a href=\"{padding}javascript:x\">");
        assert!(strip(&value) == value.replace('<', "&lt;"));
        let harmless = format!("a <b {padding} c");
        assert!(strip(&harmless) == harmless);
        let code = "for (i = 0; i<n; i++) sum += a[i]; mem<limit;\n".repeat(100);
        assert!(strip(&code) == code);
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
