//! What an attribute of a tag does in a page: it runs a script, or it makes the browser ask for something.

use super::list::{List, list};
use super::tag::Attribute;
use super::text::{HEXADECIMAL_MAX, SPACE, Text, is, plus};
use super::{address, entity};

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

/// Words that begin with `on` and are no handlers.
const NO_HANDLERS: List = List::new("once one only ongoing");

/// Which elements load or send what which of their attributes says. Sources: the HTML standard's table of attributes, SVG 2.
const LOADING: &[(List, List)] = &[
    (
        list!(
            "img image input source video audio track frame iframe portal bgsound embed script model"
        ),
        list!("src srcdoc srcset lowsrc dynsrc attributionsrc"),
    ),
    (list!("video"), list!("poster")),
    (
        list!("body table thead tbody tfoot tr td th"),
        list!("background"),
    ),
    (list!("form isindex"), list!("action")),
    (list!("button input"), list!("formaction")),
    (list!("html"), list!("manifest")),
    (list!("a area"), list!("ping attributionsrc")),
    (
        list!("object applet"),
        list!("data classid codebase archive code"),
    ),
    (list!("link"), list!("imagesrcset")),
    (
        list!(
            "link base image use script feimage mpath textpath tref lineargradient radialgradient pattern filter cursor \
            animate animatecolor animatemotion animatetransform set discard mask clippath"
        ),
        list!("href xlink:href"),
    ),
];

/// Attributes whose value is an address, wherever they load.
const ADDRESSES: List = List::new(
    "href xlink:href src lowsrc dynsrc data action formaction background poster ping manifest codebase classid from to by values",
);
/// Those that have one address.
const SINGLE: List = List::new("href xlink:href src poster background");

/// Attributes that are styles: of all elements, and of those of SVG.
const STYLES: List = List::new(
    "style clip-path cursor fill filter marker marker-end marker-mid marker-start mask mask-image stroke",
);

/// What a page says about itself that makes no browser ask for anything.
const HARMLESS_META: List =
    List::new("content-type content-language x-ua-compatible cache-control pragma expires");

/// What an attribute does in a tag of `element`.
pub(super) fn effect(text: Text<'_>, element: &[u8], attribute: &Attribute) -> Effect {
    let name = text.slice(attribute.name.start, attribute.name.end);
    if attribute.value.is_empty() || !may_act(name) {
        return Effect::Nothing;
    }
    if is_handler(name) {
        return Effect::Acts;
    }
    let value = decoded(text, attribute);
    if ADDRESSES.has(name) && runs(element, name, &value) || is_active_style(name, &value) {
        return Effect::Acts;
    }
    let animates =
        list!("attributename").has(name) && (list!("*href src").has(&value) || STYLES.has(&value));
    if animates || (list!("http-equiv").has(name) && !HARMLESS_META.has(value.trim_ascii())) {
        return Effect::Loads;
    }
    let mut pairs = LOADING.iter();
    let loads = pairs.any(|(elements, names)| elements.has(element) && names.has(name));
    let is_local = list!("href xlink:href").has(name) && value.trim_ascii_start().starts_with(b"#");
    // Frames show an image as a document.
    let is_framed = list!("frame iframe embed object portal").has(element);
    let is_image = SINGLE.has(name) && !is_framed && address::is_image(&value);
    if loads && !is_local && !is_image {
        Effect::Loads
    } else {
        Effect::Nothing
    }
}

/// Whether an address runs a script; an animation may give it to another attribute.
fn runs(element: &[u8], name: &[u8], value: &[u8]) -> bool {
    if list!("src").has(name) {
        // A frame loads a document, which defuses it.
        return address::is_program(value);
    }
    if !list!("from to by values").has(name) {
        return address::is_script(value);
    }
    let is_animation =
        list!("animate set animatecolor animatemotion animatetransform").has(element);
    is_animation && value.split(|byte| *byte == b';').any(address::is_script)
}

/// Whether an attribute of an element that nobody knows, or of none, does something: `<job onerror="continue">` does not.
pub(super) fn acts_anywhere(text: Text<'_>, attribute: &Attribute) -> bool {
    let name = text.slice(attribute.name.start, attribute.name.end);
    if attribute.value.is_empty() || !may_act_anywhere(name) {
        return false;
    }
    let value = decoded(text, attribute);
    if is_known_handler(name) {
        return is_program(&value);
    }
    list!("style").has(name) && is_active_style(name, &value)
}

/// Whether an attribute may do something in some tag, by its name alone.
pub(super) fn may_act(name: &[u8]) -> bool {
    is_handler(name)
        || ADDRESSES.has(name)
        || STYLES.has(name)
        || list!("http-equiv attributename archive code srcset srcdoc imagesrcset attributionsrc")
            .has(name)
}

/// Whether it may in a tag that nobody knows.
pub(super) fn may_act_anywhere(name: &[u8]) -> bool {
    is_known_handler(name) || list!("style").has(name)
}

fn is_known_handler(name: &[u8]) -> bool {
    let event = name.get(2..).unwrap_or_default();
    is_handler(name) && HANDLERS.has(event)
}

fn is_handler(name: &[u8]) -> bool {
    Text(name).has_folded(0, b"on")
        && name.len() > 2
        && name.iter().all(u8::is_ascii_alphabetic)
        && !NO_HANDLERS.has(name)
}

/// Whether a handler's value does anything. Words, as `continue` or `{retry}`, do not.
fn is_program(value: &[u8]) -> bool {
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_ .,-{}$\n\r\t".contains(byte);
    !value.iter().all(is_of_word) || value.windows(2).any(|pair| pair == b"--")
}

/// Styles that load something.
fn is_active_style(name: &[u8], value: &[u8]) -> bool {
    if !STYLES.has(name) {
        return false;
    }
    let style = unescaped(value);
    let words: [&[u8]; 6] = [
        b"url(",
        b"image(",
        b"image-set(",
        b"src(",
        b"expression(",
        b"@import",
    ];
    let is_in = |word: &&[u8]| style.windows(word.len()).any(|part| part == *word);
    words.iter().any(is_in)
}

/// A style with its escapes decoded: `\75 rl(` is `url(`.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let text = Text(value);
    let mut style = Vec::with_capacity(value.len());
    let mut at = 0;
    while at < text.len() {
        if text.byte(at) != b'\\' {
            style.push(text.byte(at));
            at = plus(at, 1);
            continue;
        }
        at = plus(at, 1);
        let mut number = 0_u32;
        let mut digits = 0_usize;
        while digits < HEXADECIMAL_MAX
            && let Some(digit) = char::from(text.byte(at)).to_digit(16)
        {
            number = number.wrapping_mul(16).wrapping_add(digit);
            digits = plus(digits, 1);
            at = plus(at, 1);
        }
        if digits == 0 {
            style.push(text.byte(at));
            at = plus(at, 1);
        } else {
            style.push(u8::try_from(number).unwrap_or(b'?').to_ascii_lowercase());
            at = plus(at, usize::from(is(text.byte(at), SPACE)));
        }
    }
    style
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
