//! The canonical form of JSON by RFC 8785: the same value is the same bytes, whoever writes it.
//!
//! Members are sorted by the UTF-16 code units of their names, texts have the fewest escapes, and a number is what ECMAScript prints
//! for the double that is nearest to it. So `1`, `1.0` and `1e0` are one number here, and of an integer beyond 2^53 only what a
//! double holds counts.

use serde_json::{Map, Number, Value};

/// What a double holds of integers without a gap.
const EXACT: u64 = 1 << 53;

/// The canonical form of a value, in UTF-8.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    push(&mut bytes, value);
    bytes
}

/// Appends the canonical form of a value.
pub(crate) fn push(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.extend_from_slice(b"null"),
        Value::Bool(true) => bytes.extend_from_slice(b"true"),
        Value::Bool(false) => bytes.extend_from_slice(b"false"),
        Value::Number(number) => push_number(bytes, number),
        Value::String(text) => push_text(bytes, text),
        Value::Array(elements) => push_list(bytes, elements, push),
        Value::Object(members) => push_object(bytes, members.iter()),
    }
}

/// Whether the canonical form of a value is surely its JSON with [sorted](crate::sorted) members.
pub(crate) fn is_sorted_form(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) if exact(number).is_some() => true,
        Value::Number(number) => {
            let mut form = Vec::new();
            push_number(&mut form, number);
            form == number.to_string().as_bytes()
        }
        Value::Array(elements) => elements.iter().all(is_sorted_form),
        // Beyond ASCII, UTF-16 has another order than UTF-8.
        Value::Object(members) => members
            .iter()
            .all(|(name, value)| name.is_ascii() && is_sorted_form(value)),
    }
}

/// Appends an array, with each element as `push` writes it.
pub(crate) fn push_list<T>(bytes: &mut Vec<u8>, elements: &[T], push: fn(&mut Vec<u8>, &T)) {
    bytes.push(b'[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        push(bytes, element);
    }
    bytes.push(b']');
}

/// Appends an object of these members.
pub(crate) fn push_object<'a>(
    bytes: &mut Vec<u8>,
    members: impl Iterator<Item = (&'a String, &'a Value)>,
) {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    bytes.push(b'{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        push_text(bytes, name);
        bytes.push(b':');
        push(bytes, value);
    }
    bytes.push(b'}');
}

/// Appends an object, for [`push_list`].
pub(crate) fn push_members(bytes: &mut Vec<u8>, members: &Map<String, Value>) {
    push_object(bytes, members.iter());
}

/// The serialiser escapes what must be escaped, in the form that RFC 8785 asks for.
fn push_text(bytes: &mut Vec<u8>, text: &str) {
    // A text always serialises, and nothing stops a vector from growing.
    let _ = serde_json::to_writer(bytes, text);
}

/// The integer that it is, if a double holds it.
fn exact(number: &Number) -> Option<i64> {
    let integer = number.as_i64()?;
    (integer.unsigned_abs() <= EXACT).then_some(integer)
}

fn push_number(bytes: &mut Vec<u8>, number: &Number) {
    if let Some(integer) = exact(number) {
        bytes.extend_from_slice(integer.to_string().as_bytes());
    } else {
        push_double(bytes, number.as_f64().unwrap_or_default());
    }
}

/// As `Number::toString` of ECMAScript.
fn push_double(bytes: &mut Vec<u8>, double: f64) {
    if double == 0.0 {
        return bytes.push(b'0'); // zero has no sign here
    }
    if double.is_sign_negative() {
        bytes.push(b'-');
    }
    let (digits, point) = shortest(double.abs());
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    match point {
        -5..=0 => {
            bytes.extend_from_slice(b"0.");
            push_zeros(bytes, point.saturating_neg());
            bytes.extend_from_slice(&digits);
        }
        1..=21 if count <= point => {
            bytes.extend_from_slice(&digits);
            push_zeros(bytes, point.saturating_sub(count));
        }
        1..=21 => push_split(bytes, &digits, usize::try_from(point).unwrap_or_default()),
        _ => {
            push_split(bytes, &digits, 1);
            let exponent = point.saturating_sub(1);
            bytes.extend_from_slice(format!("e{exponent:+}").as_bytes());
        }
    }
}

/// The fewest digits that are this double and no other, and where the point is, counted from the first of them. Of several such
/// digits, they are those that are nearest, and of two that are as near, those that are even, as ECMAScript asks for. The standard
/// library of Rust takes others.
fn shortest(double: f64) -> (Vec<u8>, i32) {
    let text = Number::from_f64(double).map_or_else(String::new, |number| number.to_string());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0');
    let zeros = digits.len().saturating_sub(significant.len());
    let point = i32::try_from(whole.len()).unwrap_or_default();
    let point = point
        .saturating_add(exponent.parse().unwrap_or_default())
        .saturating_sub(i32::try_from(zeros).unwrap_or_default());
    let significant = significant.trim_end_matches('0');
    (significant.as_bytes().to_vec(), point)
}

/// Appends digits with a point in them, where any are left behind it.
fn push_split(bytes: &mut Vec<u8>, digits: &[u8], at: usize) {
    let (before, behind) = digits.split_at_checked(at).unwrap_or((digits, &[]));
    bytes.extend_from_slice(before);
    if !behind.is_empty() {
        bytes.push(b'.');
        bytes.extend_from_slice(behind);
    }
}

fn push_zeros(bytes: &mut Vec<u8>, count: i32) {
    bytes.extend((0..count).map(|_| b'0'));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(canonical(value)).expect("UTF-8")
    }

    /// The samples of RFC 8785, appendix B.
    #[test]
    fn numbers_are_those_of_ecmascript() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let number: u64 = bits;
            assert_eq!(text(&json!(f64::from_bits(number))), expected);
        }
    }

    #[test]
    fn the_same_number_is_the_same_text_however_it_is_written() {
        for (written, expected) in [
            ("1", "1"),
            ("1.0", "1"),
            ("1e0", "1"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("0.00000012", "1.2e-7"),
            ("123456789012345680000", "123456789012345680000"),
            ("1e21", "1e+21"),
            ("-1.5e21", "-1.5e+21"),
            ("4.50", "4.5"),
            ("9007199254740991", "9007199254740991"),
            ("9007199254740992", "9007199254740992"),
            ("9007199254740993", "9007199254740992"),
            ("-9007199254740993", "-9007199254740992"),
            ("18446744073709551615", "18446744073709552000"),
            ("18446744073709551616", "18446744073709552000"),
        ] {
            let value = audit::json::parse(written.as_bytes()).expect("a number");
            assert_eq!(text(&value), expected, "{written}");
        }
    }

    /// The order of names by UTF-16: an emoji is before U+FB33, although its code point is beyond.
    #[test]
    fn members_are_sorted_by_utf_16() {
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "O With Diaeresis",
        });
        let text = text(&value);
        let places: Vec<_> = [
            "\\r",
            "\"1\"",
            "\u{80}",
            "\u{f6}",
            "\u{20ac}",
            "\u{1f600}",
            "\u{fb33}",
        ]
        .into_iter()
        .map(|name| text.find(name).expect(name))
        .collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn texts_have_the_fewest_escapes() {
        let value =
            json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}\u{2028}\u{8}\t\u{c}\r\u{0}\u{1f}</script>");
        let expected = "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\u{2028}\\b\\t\\f\\r\\u0000\\u001f</script>\"";
        assert_eq!(text(&value), expected);
    }

    #[test]
    fn what_services_send_is_in_its_sorted_form() {
        for (value, expected) in [
            (
                json!({"score": 0.85, "count": 3, "list": [null, true, "é"]}),
                true,
            ),
            (json!(-9_007_199_254_740_992_i64), true),
            (json!(9_007_199_254_740_993_i64), false),
            (json!(1.0), false),
            (json!([{"b": -0.0}]), false),
            (json!({"é": 1}), false),
        ] {
            assert_eq!(is_sorted_form(&value), expected, "{value}");
        }
    }

    #[test]
    fn nothing_stands_between_the_parts() {
        let value = json!({"b": [1, {"d": null, "c": []}, "x y"], "a": {}, "": true, "A": false});
        assert_eq!(
            text(&value),
            r#"{"":true,"A":false,"a":{},"b":[1,{"c":[],"d":null},"x y"]}"#
        );
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-900_i32..900).prop_map(|number| (f64::from(number) / 100.0).into()),
            (-9_i32..9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ]
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[a-z\"\\\\\u{1}]{0,4}"]
    }

    fn value() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_double_comes_back(double in any::<f64>()) {
            prop_assume!(double.is_finite());
            let text = text(&json!(double));
            let back: f64 = text.parse().expect("a number");
            // Zero has no sign in the form.
            prop_assert_eq!(back.to_bits(), (double + 0.0).to_bits(), "{}", text);
            prop_assert!(!text.contains('e') || double.abs() >= 1e21 || double.abs() < 1e-6);
        }

        #[test]
        fn the_form_of_the_form_is_the_form(value in value()) {
            let once = canonical(&value);
            let again = audit::json::parse(&once).expect("JSON");
            prop_assert_eq!(canonical(&again), once);
        }

        #[test]
        fn a_sorted_form_is_told_from_others(value in value()) {
            let sorted = serde_json::to_vec(&crate::sorted::Sorted(&value)).expect("JSON");
            let is_same = sorted == canonical(&value);
            prop_assert!(is_same || !is_sorted_form(&value), "{}", value);
        }

        #[test]
        fn spaces_do_not_count(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            let again = audit::json::parse(pretty.as_bytes()).expect("JSON");
            prop_assert_eq!(canonical(&again), canonical(&value));
        }
    }
}
