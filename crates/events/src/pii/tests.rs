use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn gone(text: &str, expected: &str) {
    let expected = expected.replace('#', REPLACEMENT);
    assert_eq!(redact(text), expected);
}

#[track_caller]
fn kept(text: &str) {
    assert!(matches!(redact(text), Cow::Borrowed(_)), "{}", redact(text));
}

#[test]
fn email_addresses_go() {
    gone("alice@example.org", "#");
    gone(
        "by Alice <alice.b+audit@mail.example.org>.",
        "by Alice <#>.",
    );
    gone("a_b%c@x-y.example.co", "#");
    gone("mail alice@example.org, bob@example.org.", "mail #, #.");
    gone("jürgen@münchen.example", "#");
    gone(
        "https://x.example/?user=alice%40example.org&page=2",
        "https://x.example/?user=#&page=2",
    );
}

#[test]
fn what_has_an_at_and_is_no_address_stays() {
    kept("quay.io/example/image@sha256:c3c3c3");
    kept("@alice, @bob: see a@b");
    kept("module@1.2.3");
    kept("user@localhost");
    kept("100% @ 5");
}

#[test]
fn ip_addresses_go() {
    gone("10.42.1.7", "#");
    gone(
        "dial tcp 10.42.1.7:5432: refused",
        "dial tcp #:5432: refused",
    );
    gone("from 192.168.0.1, to 192.168.0.2.", "from #, to #.");
    gone("10.0.0.0/8", "#/8");
    gone("2001:db8::1", "#");
    gone("[2001:db8::1]:443", "[#]:443");
    gone("ip:2001:db8:0:0:0:0:0:1, port", "ip:#, port");
    gone("fe80::1%eth0 and ::1.", "#%eth0 and #.");
    gone("::ffff:10.0.0.1", "#");
    gone("fe80::/64", "fe80::/64".replace("fe80::", "#").as_str());
    gone("node ip-10-0-12-7.internal", "node ip-#.internal");
    gone("1:2:3:4:5:6:7:8:443", "#:443");
}

#[test]
fn what_has_points_and_colons_and_is_no_address_stays() {
    for text in [
        "at 17:03:40",
        "2026-08-22T17:03:40.123456Z",
        "2026-08-22T17:03:40+02:00",
        "v1.2.3.4",
        "1.30.2",
        "1.2.3.4.5",
        "300.1.1.1",
        "sha256:a1a1a1",
        "ab:ab:ab:ab:ab:ab",
        "std::vec::Vec, dead::beef, a::b, ::",
        "x86_64:1",
        "key: value: more",
        "10.5",
    ] {
        kept(text);
    }
}

#[test]
fn telephone_numbers_go() {
    gone("+49 30 1234567", "#");
    gone("call +1-555-010-0199 now", "call # now");
    gone("+491701234567", "#");
    gone("+44 (0)20 7946 0958", "#");
    gone("0049 170 1234567", "#");
    gone("00491701234567", "#");
    gone("(555) 123-4567", "#");
    gone("555-123-4567", "#");
    gone("555.123.4567", "#");
    gone("1 800 555 0199", "#");
    gone("030 1234567", "#");
    gone("0171/2345678", "#");
    gone("(030) 12 34 56 78", "#");
    gone("tel:5550199", "tel:#");
    gone("phone:555-123-4567,", "phone:#,");
}

#[test]
fn other_numbers_stay() {
    for text in [
        "5551234567",
        "1724346220",
        "2026-08-22",
        "22-08-2026",
        "01-02-2026",
        "0.123456789",
        "+0.5",
        "+12",
        "3 of 10 replicas, 1024 MiB",
        "01e99377-a431-58bf-8c03-1727130a3ba2",
        "12345678-1234-1234-1234-123456789012",
        "rr-555-123-4567",
        "pod-7d4b9c6f8-x2x4z",
        "1.25.3",
        "0 0 0 0 0 0 0 0 0",
        "00000000000000000000",
        "cpu 250m, 512Mi",
        "100-200-300",
        "",
    ] {
        kept(text);
    }
}

#[test]
fn an_event_says_that_it_was_redacted() {
    let mut event = json!({
        "event_id": "10.0.0.1", "correlation_id": "rr-alice@example.org", "actor_id": "alice@example.org",
        "actor_ip": "10.42.1.7", "error_message": "call +49 30 1234567", "duration_ms": 5,
        "event_data": {"event_type": "x", "deep": [{"who": "bob@example.org", "n": 1}]},
        "extra": {"alice@example.org": 1, "bob@example.org": 2, "carol": 3},
    });
    let event = event.as_object_mut().expect("an object");
    assert!(redact_pii(event));
    let expected = json!({
        "event_id": "10.0.0.1", "correlation_id": "rr-alice@example.org", "actor_id": REPLACEMENT,
        "actor_ip": REPLACEMENT, "error_message": format!("call {REPLACEMENT}"), "duration_ms": 5,
        "event_data": {"event_type": "x", "deep": [{"who": REPLACEMENT, "n": 1}]},
        "extra": {(REPLACEMENT): 1, (format!("{REPLACEMENT} 2")): 2, "carol": 3}, "redacted": true,
    });
    assert_eq!(Value::Object(event.clone()), expected);
}

#[test]
fn an_event_without_any_is_left_as_it_is() {
    let mut event = json!({"event_id": "x", "actor_id": "gateway-service", "event_data": {"a": ["b", null, 1.5]}});
    let before = event.clone();
    assert!(!redact_pii(event.as_object_mut().expect("an object")));
    assert_eq!(event, before);
}

proptest! {
    #[test]
    fn any_text_can_be_looked_at(text in any::<String>()) {
        let _ = redact(&text);
    }

    #[test]
    fn nothing_is_found_twice(text in "[a-f0-9@.:+() /_-]{0,40}") {
        if let Cow::Owned(clean) = redact(&text) {
            prop_assert!(clean.contains(REPLACEMENT));
        }
    }

    #[test]
    fn addresses_go_wherever_they_stand(
        before in "[ ,;\"'=<\\[]?", behind in "[ ,;\"'>\\]]?", four in any::<[u8; 4]>(), six in any::<[u16; 8]>(),
    ) {
        let four = std::net::Ipv4Addr::from(four).to_string();
        let six = std::net::Ipv6Addr::from(six).to_string();
        for address in [four, six] {
            let text = format!("{before}{address}{behind}");
            prop_assert_eq!(redact(&text), format!("{before}{REPLACEMENT}{behind}"));
        }
    }
}
