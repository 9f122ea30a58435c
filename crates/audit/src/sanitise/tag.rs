//! Tags: which names are elements, and where a tag ends.

use super::entity;
use super::text::{QUOTE, SLASH, SPACE, Text, is_listed, minus, plus};

/// The elements of HTML, those that are obsolete too. Sources: the HTML standard's index of elements and its list of obsolete ones.
const HTML: &str = "a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body br \
    button canvas caption center cite code col colgroup command content data datalist dd del details dfn dialog dir div dl dt element \
    em embed fencedframe fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe image \
    img input ins isindex kbd keygen label legend li link listing main map mark marquee menu menuitem meta meter multicol nav nextid \
    nobr noembed noframes noscript object ol optgroup option output p param picture plaintext portal pre progress q rb rbc rp rt rtc ruby s \
    samp script search section select selectedcontent shadow slot small source spacer span strike strong style sub summary sup svg table tbody td template \
    textarea tfoot th thead time title tr track tt u ul var video wbr xmp xss";

/// Those of SVG and MathML that are none of HTML. Sources: SVG 2, MathML 3.
const OTHERS: &str = "animate animatecolor animatemotion animatetransform circle clippath cursor defs desc discard ellipse fe* \
    filter foreignobject g handler line lineargradient marker mask metadata mpath path pattern polygon polyline radialgradient rect \
    set solidcolor stop switch symbol text textpath tref tspan use view math annotation annotation-xml maction maligngroup menclose \
    merror mfenced mfrac mglyph mi mlabeledtr mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt \
    mstyle msub msubsup msup mtable mtd mtext mtr munder munderover semantics";

/// Elements that go with what is in them (contract, sanitising).
pub(super) const WITH_CONTENT: &str = "script iframe object embed style svg math";

/// Elements that act or load without an attribute, or change how the rest of a page is read.
const ACTIVE: &str = "script iframe style svg math base link meta form frame frameset applet portal fencedframe plaintext xmp noscript \
    noembed noframes template textarea title listing body html head image img video audio source input button select \
    isindex keygen marquee bgsound foreignobject animate* set use handler";

/// Attributes that load or act, beside handlers.
const LOADING: &str = "src srcdoc srcset href xlink:href data action formaction poster background code codebase archive classid ping \
    manifest lowsrc dynsrc style from to values by attributename http-equiv usemap type is";

/// The longest tag.
const MAX: usize = 2048;

/// A tag, from its `<` on.
pub(super) struct Tag {
    /// Its name, in the text.
    pub(super) name: (usize, usize),
    pub(super) is_end: bool,
    /// Behind its `>`.
    pub(super) end: Option<usize>,
    /// Whether one of its attributes loads or acts.
    pub(super) acts: bool,
}

/// The tag that begins with the `<` at `at`. One with no end on its line is a browser's tag all the same, if the text goes on.
pub(super) fn tag(text: Text<'_>, at: usize) -> Option<Tag> {
    let first = plus(at, 1);
    let is_end = text.byte(first) == b'/';
    let start = plus(first, usize::from(is_end));
    let end = name_end(text, start);
    let name = text.slice(start, end);
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    if !text.byte(start).is_ascii_alphabetic()
        || !(is_listed(HTML, local) || is_listed(OTHERS, local))
    {
        return None;
    }
    let next = text.byte(end);
    if !(text.is_at(end, SPACE | SLASH) || matches!(next, b'>' | b'<') || end >= text.len()) {
        return None;
    }
    let (close, acts) = attributes(text, at, end);
    Some(Tag {
        name: (start, end),
        is_end,
        end: close,
        acts,
    })
}

/// Whether an element is one that is never kept as a text, even without attributes.
pub(super) fn is_active(name: &[u8]) -> bool {
    is_listed(ACTIVE, name)
}

fn name_end(text: Text<'_>, mut at: usize) -> usize {
    while at < text.len()
        && !text.is_at(at, SPACE | SLASH)
        && !matches!(text.byte(at), b'>' | b'<' | b'"' | b'\'' | b'=')
    {
        at = plus(at, 1);
    }
    at
}

/// Where a tag ends whose name ends at `at`, and whether any attribute of it loads or acts.
fn attributes(text: Text<'_>, open: usize, mut at: usize) -> (Option<usize>, bool) {
    let limit = plus(open, MAX).min(text.len());
    let mut acts = false;
    let mut quote = 0_u8;
    let mut word = at;
    while at < limit {
        let byte = text.byte(at);
        if quote != 0 {
            quote = if byte == quote { 0 } else { quote };
        } else if byte == b'>' {
            return (Some(plus(at, 1)), acts);
        } else if text.is_at(at, QUOTE)
            && byte != b'`'
            && text.byte_before(text.run_back(open, at, SPACE)) == b'='
        {
            quote = byte;
        } else if byte == b'=' {
            let end = text.run_back(word, at, SPACE);
            let name = text.slice(word, end);
            acts |= is_listed(LOADING, name) || has_prefix(name);
        } else if byte == b'<' && text.byte(plus(at, 1)).is_ascii_alphabetic() && at > open {
            // Another tag: a browser would read on, and so do we, but this one is not over on its line.
        } else if text.is_at(at, SPACE | SLASH | QUOTE) {
            let next = text.run(at, SPACE);
            if text.byte(next) != b'=' {
                word = plus(at, 1);
            }
        }
        at = plus(at, 1);
    }
    (None, acts)
}

fn has_prefix(name: &[u8]) -> bool {
    name.len() > 2 && Text(name).has_folded(0, b"on")
}

/// Whether a text begins with an address that runs a script, with the characters and entities that browsers see through.
pub(super) fn is_script_address(text: Text<'_>, start: usize, end: usize) -> bool {
    let schemes: [&[u8]; 7] = [
        b"javascript:",
        b"vbscript:",
        b"livescript:",
        b"data:text/html",
        b"data:image/svg",
        b"data:text/xml",
        b"data:application/x",
    ];
    schemes
        .iter()
        .any(|scheme| begins(text, start, end, scheme))
}

fn begins(text: Text<'_>, start: usize, end: usize, scheme: &[u8]) -> bool {
    let mut at = start;
    for (place, expected) in scheme.iter().enumerate() {
        loop {
            let Some((found, next)) = entity::decode(text, at).filter(|_| at < end) else {
                return false;
            };
            at = next;
            if found.to_ascii_lowercase() == *expected {
                break;
            }
            let is_skipped =
                matches!(found, b'\t' | b'\n' | b'\r') || (place == 0 && found <= b' ');
            if !is_skipped {
                return false;
            }
        }
    }
    minus(at, start) > 0
}
