//! What an attribute of a tag does in a page: it runs a script, or it makes the browser ask for something.

use super::entity;
use super::list::{List, list};
use super::tag::Attribute;
use super::text::{Text, plus};

/// What an attribute does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// Its tag makes the browser load or send something.
    Loads,
    /// It runs something itself, wherever it stands.
    Acts,
}

/// The names of handlers without their `on`: those of the HTML and SVG standards and what browsers add to them. Outside of the tags of known
/// elements only these count, because `once=` and `onFailure=` are words of other languages.
const HANDLERS: List = List::new(
    "abort activate afterprint afterscriptexecute animation* auxclick beforecopy beforecut beforeinput beforematch beforepaste \
    beforeprint beforescriptexecute beforetoggle beforeunload begin blur bounce cancel canplay canplaythrough change click close command \
    contentvisibilityautostatechange contextlost contextmenu contextrestored copy cuechange cut dblclick drag dragend dragenter \
    dragexit dragleave dragover dragstart drop durationchange emptied end ended error finish focus focusin focusout formdata fullscreen* \
    gotpointercapture hashchange input invalid keydown keypress keyup languagechange load loadeddata loadedmetadata loadstart \
    lostpointercapture message messageerror mouse* offline online pagehide pagereveal pageshow pageswap paste pause play playing pointer* popstate \
    progress promptdismiss promptaction ratechange repeat reset resize scroll scrollend scrollsnapchange scrollsnapchanging search securitypolicyviolation \
    seeked seeking select selectionchange selectstart show slotchange stalled start storage submit suspend timeupdate toggle touch* \
    transition* unhandledrejection unload validationstatuschange volumechange waiting webkit* wheel zoom",
);

/// Attributes that a browser loads or sends to. An `href` is one unless it is that of a link, which needs a click.
const LOADING: List = List::new(
    "action archive attributionsrc background classid codebase data dynsrc formaction imagesrcset lowsrc manifest ping poster src srcdoc srcset",
);

/// Where an animation of SVG says what becomes of the attribute that it changes.
const ANIMATED: List = List::new("from to by values");

/// What an attribute does in a tag of `element`.
pub(super) fn effect(text: Text<'_>, element: &[u8], attribute: &Attribute) -> Effect {
    let name = text.slice(attribute.name.start, attribute.name.end);
    let is_set = !attribute.value.is_empty();
    if is_set && (is_handler(name) || acts(text, name, attribute)) {
        return Effect::Acts;
    }
    let is_link = list!("a area").has(element);
    let is_address = list!("href xlink:href").has(name);
    let loads = LOADING.has(name)
        || (is_address && !is_link)
        || (list!("attributename").has(name) && list!("animate* set").has(element));
    if list!("http-equiv").has(name) {
        return Effect::Loads;
    }
    if !loads || !is_set {
        return Effect::Nothing;
    }
    let value = decoded(text, attribute);
    let is_local = is_address && value.trim_ascii_start().starts_with(b"#");
    let is_image = has_prefix(&value, IMAGES);
    if is_local || is_image {
        Effect::Nothing
    } else {
        Effect::Loads
    }
}

/// Whether an attribute is a handler that HTML or SVG knows, or is active without a tag around it that loads.
pub(super) fn acts_anywhere(text: Text<'_>, attribute: &Attribute) -> bool {
    let name = text.slice(attribute.name.start, attribute.name.end);
    !attribute.value.is_empty() && (is_known_handler(name) || acts(text, name, attribute))
}

/// Whether an attribute of an element that nobody knows is a handler that does something: `<job onerror="continue">` does not.
pub(super) fn is_script(text: Text<'_>, attribute: &Attribute) -> bool {
    let name = text.slice(attribute.name.start, attribute.name.end);
    is_known_handler(name)
        && decoded(text, attribute)
            .iter()
            .any(|byte| matches!(byte, b'(' | b'`' | b'=' | b'\\'))
}

/// Whether an attribute may do something, by its name alone.
pub(super) fn may_act(name: &[u8]) -> bool {
    is_handler(name) || LOADING.has(name) || list!("href xlink:href style http-equiv").has(name)
}

pub(super) fn is_known_handler(name: &[u8]) -> bool {
    name.get(2..)
        .is_some_and(|event| is_handler(name) && HANDLERS.has(event))
}

fn is_handler(name: &[u8]) -> bool {
    Text(name).has_folded(0, b"on") && name.len() > 2
}

fn acts(text: Text<'_>, name: &[u8], attribute: &Attribute) -> bool {
    if attribute.value.is_empty() {
        return false;
    }
    let value = decoded(text, attribute);
    let is_address = list!("href xlink:href formaction").has(name) || LOADING.has(name);
    is_script_address(&value, is_address)
        || (ANIMATED.has(name)
            && value
                .split(|byte| *byte == b';')
                .any(|address| is_script_address(address, true)))
        || is_active_style(&value, list!("style").has(name))
}

/// Styles that load or run something. An address may stand in other attributes of SVG too, as in `fill`.
fn is_active_style(value: &[u8], is_style: bool) -> bool {
    let words: &[&[u8]] = &[
        b"image(",
        b"image-set(",
        b"src(",
        b"expression(",
        b"@import",
        b"-moz-binding",
        b"behavior",
        b"\\",
    ];
    contains(value, b"url(") || (is_style && words.iter().any(|word| contains(value, word)))
}

fn contains(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|part| part == word)
}

/// Addresses of images that cannot run anything and need no request.
const IMAGES: &[&str] = &[
    "data:image/gif",
    "data:image/jpeg",
    "data:image/png",
    "data:image/webp",
];
const SCRIPTS: &[&str] = &["javascript:", "vbscript:", "livescript:"];
const DOCUMENTS: &[&str] = &[
    "data:text/",
    "data:application/",
    "data:image/svg",
    "data:message/",
    "data:multipart/",
    "data:,",
    "data:;",
];

/// Whether a decoded value in small letters is an address that runs a script; `and_documents` says that one with a document in it counts.
fn is_script_address(value: &[u8], and_documents: bool) -> bool {
    has_prefix(value, SCRIPTS) || (and_documents && has_prefix(value, DOCUMENTS))
}

/// Whether an address begins with one of the prefixes, as browsers read it: without controls and blanks in front, and without line
/// ends and tabs anywhere. In Markdown, neither what its quotations and lists put in front of a line counts, nor a backslash.
fn has_prefix(value: &[u8], prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .any(|prefix| after_prefix(value, prefix.as_bytes()).is_some())
}

fn after_prefix(value: &[u8], prefix: &[u8]) -> Option<usize> {
    let value = Text(value);
    let mut at = 0;
    let mut is_line_start = true;
    for (place, expected) in prefix.iter().enumerate() {
        loop {
            let found = value.byte(at);
            if at >= value.len() {
                return None;
            }
            at = plus(at, 1);
            if found == *expected {
                is_line_start = false;
                break;
            }
            let is_skipped = matches!(found, b'\t' | b'\n' | b'\r' | b'\\')
                || (is_line_start && matches!(found, b' ' | b'>'))
                || (place == 0 && found <= b' ');
            if !is_skipped {
                return None;
            }
            is_line_start |= matches!(found, b'\n' | b'\r');
        }
    }
    Some(at)
}

/// The value of an attribute in small letters, with its character references decoded.
fn decoded(text: Text<'_>, attribute: &Attribute) -> Vec<u8> {
    let mut value = Vec::new();
    let mut at = attribute.value.start;
    while at < attribute.value.end {
        let (byte, next) = entity::decode(text, at).unwrap_or((text.byte(at), plus(at, 1)));
        value.push(byte.to_ascii_lowercase());
        at = next;
    }
    value
}

/// How far a script address reaches that begins at `start`, up to its colon or type; nothing if there is none.
pub(super) fn script_address(text: Text<'_>, start: usize, limit: usize) -> Option<usize> {
    let mut value = Vec::new();
    let mut ends = Vec::new();
    let mut at = start;
    let limit = limit.min(text.len());
    while at < limit {
        let (byte, next) = entity::decode(text, at).unwrap_or((text.byte(at), plus(at, 1)));
        value.push(byte.to_ascii_lowercase());
        at = next;
        ends.push(at);
        // The longest prefix has 17 letters; more than this is nothing but what is skipped.
        if byte.is_ascii_alphanumeric() && value.len() > 64 {
            break;
        }
    }
    let prefixes = SCRIPTS.iter().chain(DOCUMENTS);
    let length = prefixes
        .filter_map(|prefix| after_prefix(&value, prefix.as_bytes()))
        .max()?;
    ends.get(length.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::{Text, script_address};

    #[test]
    fn addresses_that_run_a_script() {
        for text in [
            "javascript:",
            "JaVaScRiPt:",
            "java\tscript\n:",
            "\u{1} javascript&colon;",
            "&#106;avascript:",
            "&#x0000000000000000000000000000006a;avascript:",
            "java\n  > script:",
            "vbscript:",
            "data:text/",
            "data&colon;text&sol;",
        ] {
            let found = script_address(Text(text.as_bytes()), 0, text.len());
            assert_eq!(found, Some(text.len()), "{text:?}");
        }
        for text in [
            "",
            "java script:",
            "javascript",
            "xjavascript:",
            "data:image/png",
            "https://x",
        ] {
            assert_eq!(
                script_address(Text(text.as_bytes()), 0, text.len()),
                None,
                "{text:?}"
            );
        }
    }
}
