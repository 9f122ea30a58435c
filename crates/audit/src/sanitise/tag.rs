//! Tags, as the tokenizer of HTML reads them: which names are elements, where a tag ends, which attributes it has.

use std::ops::Range;

use super::list::List;
use super::text::{SLASH, SPACE, Text, is, minus, plus};

/// The elements of HTML, those that are obsolete too. Sources: the HTML standard's index of elements and its list of obsolete ones.
const HTML: List = List::new(
    "a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body br \
    button canvas caption center cite code col colgroup command content data datalist dd del details dfn dialog dir div dl dt element \
    em embed fencedframe fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe image \
    img input ins isindex kbd keygen label legend li link listing main map mark marquee menu menuitem meta meter multicol nav nextid \
    nobr noembed noframes noscript object ol optgroup option output p param picture plaintext portal pre progress q rb rbc rp rt rtc ruby s \
    samp script search section select selectedcontent shadow slot small source spacer span strike strong style sub summary sup svg table tbody td template \
    textarea tfoot th thead time title tr track tt u ul var video wbr xmp",
);

/// Those of SVG and `MathML` that are none of HTML. Sources: SVG 2, `MathML` 3.
const OTHERS: List = List::new(
    "animate animatecolor animatemotion animatetransform circle clippath cursor defs desc discard ellipse feblend fecolormatrix fecomponenttransfer fecomposite feconvolvematrix fediffuselighting \
    fedisplacementmap fedistantlight fedropshadow feflood fefunca fefuncb fefuncg fefuncr fegaussianblur feimage femerge femergenode \
    femorphology feoffset fepointlight fespecularlighting fespotlight fetile feturbulence filter foreignobject g handler line lineargradient marker mask metadata mpath path pattern polygon polyline radialgradient rect \
    set solidcolor stop switch symbol text textpath tref tspan use view math annotation annotation-xml maction maligngroup malignmark menclose \
    merror mfenced mfrac mglyph mi mlabeledtr mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt \
    mstyle msub msubsup msup mtable mtd mtext mtr munder munderover semantics",
);

/// The longest tag that is one (contract, sanitising).
pub(super) const MAX: usize = 2048;

/// Whether an element of HTML, SVG or `MathML` has this name.
pub(super) fn is_element(name: &[u8]) -> bool {
    HTML.has(name) || OTHERS.has(name)
}

/// What begins at a `<` and may be a tag.
pub(super) struct Tag {
    pub(super) name: Range<usize>,
    pub(super) is_end: bool,
}

/// The beginning of the tag whose `<` is at `open`.
pub(super) fn tag(text: Text<'_>, open: usize) -> Option<Tag> {
    let first = plus(open, 1);
    let is_end = text.byte(first) == b'/';
    let start = plus(first, usize::from(is_end));
    if !text.byte(start).is_ascii_alphabetic() {
        return None;
    }
    let limit = plus(start, MAX).min(text.len());
    let mut end = start;
    while end < limit && !text.is_at(end, SPACE | SLASH) && text.byte(end) != b'>' {
        end = plus(end, 1);
    }
    Some(Tag {
        name: start..end,
        is_end,
    })
}

/// An attribute of a tag.
pub(super) struct Attribute {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    /// With its value's quotes.
    pub(super) all: Range<usize>,
    pub(super) is_quoted: bool,
    /// Whether all of its value was seen.
    pub(super) is_whole: bool,
}

/// The attributes of a tag, one after the other.
///
/// A `>` that begins a line ends a tag, but not in a quotation of Markdown, where it is not part of the text. So the attributes
/// behind it are looked at too.
pub(super) struct Attributes<'t> {
    text: Text<'t>,
    at: usize,
    /// Where looking ends.
    limit: usize,
    /// Behind the first `>` that ends the tag.
    pub(super) end: Option<usize>,
    is_over: bool,
}

/// So many signs of quotations are looked back over; behind more, a `>` is taken for another one.
const SIGNS_MAX: usize = 64;

impl<'t> Attributes<'t> {
    /// Of the tag whose name ends at `start`.
    pub(super) fn of_tag(text: Text<'t>, start: usize) -> Self {
        Self {
            text,
            at: start,
            limit: plus(start, MAX).min(text.len()),
            end: None,
            is_over: false,
        }
    }

    /// How far has been looked.
    pub(super) fn seen(&self) -> usize {
        self.at
    }

    /// Whether the tag may go on behind as much of it as was looked at.
    pub(super) fn is_cut(&self) -> bool {
        !self.is_over && self.limit < self.text.len()
    }

    /// Goes over white space, and over what else stands between attributes.
    fn skip(&mut self, between: u16) {
        let mut begins_line = None;
        while self.at < self.limit && !self.is_over {
            let byte = self.text.byte(self.at);
            if byte == b'>' {
                let begins = *begins_line.get_or_insert_with(|| self.begins_line());
                self.is_over = !begins;
                self.end.get_or_insert(plus(self.at, 1));
            } else if matches!(byte, b'\n' | b'\r') {
                begins_line = Some(true);
            } else if byte == b'/' && between & SLASH != 0 {
                begins_line = Some(false);
            } else if !self.text.is_at(self.at, SPACE) {
                return;
            }
            self.at = plus(self.at, 1);
        }
    }

    fn begins_line(&self) -> bool {
        let floor = minus(self.at, SIGNS_MAX);
        let mut at = self.at;
        while at > floor && matches!(self.text.byte_before(at), b' ' | b'\t' | b'>') {
            at = minus(at, 1);
        }
        at > 0 && (at == floor || matches!(self.text.byte_before(at), b'\n' | b'\r'))
    }

    fn until(&self, mut at: usize, ends: impl Fn(u8) -> bool) -> usize {
        while at < self.limit && !ends(self.text.byte(at)) {
            at = plus(at, 1);
        }
        at
    }
}

impl Iterator for Attributes<'_> {
    type Item = Attribute;

    fn next(&mut self) -> Option<Attribute> {
        self.skip(SLASH);
        if self.is_over || self.at >= self.limit {
            return None;
        }
        let start = self.at;
        // An equals sign in front belongs to the name.
        let end = self.until(plus(start, 1), |byte| {
            is(byte, SPACE | SLASH) || matches!(byte, b'=' | b'>')
        });
        self.at = end;
        self.skip(0);
        if self.is_over || self.at >= self.limit || self.text.byte(self.at) != b'=' {
            return Some(Attribute {
                name: start..end,
                value: end..end,
                all: start..end,
                is_quoted: false,
                is_whole: true,
            });
        }
        self.at = plus(self.at, 1);
        self.skip(0);
        Some(self.with_value(start..end))
    }
}

impl Attributes<'_> {
    /// The attribute whose value begins here.
    fn with_value(&mut self, name: Range<usize>) -> Attribute {
        let quote = self.text.byte(self.at);
        let is_quoted = self.at < self.limit && !self.is_over && matches!(quote, b'"' | b'\'');
        let from = plus(self.at, usize::from(is_quoted)).min(self.limit);
        let to = if self.is_over {
            from
        } else if is_quoted {
            self.until(from, |byte| byte == quote)
        } else {
            self.until(from, |byte| is(byte, SPACE) || byte == b'>')
        };
        let is_closed = is_quoted && to < self.limit;
        if !self.is_over {
            self.at = plus(to, usize::from(is_closed));
        }
        let all = name.start..if self.is_over { to } else { self.at };
        Attribute {
            name,
            value: from..to,
            all,
            is_quoted,
            is_whole: is_closed
                || (!is_quoted && (to < self.limit || self.limit == self.text.len())),
        }
    }
}
