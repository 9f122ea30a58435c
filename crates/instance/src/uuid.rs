//! Random identifiers.

/// A new UUID (RFC 9562, version 4), in its usual form.
pub fn uuid() -> String {
    let (high, low) = (runtime::random(), runtime::random());
    let (first, second, third) = (high >> 32, (high >> 16) & 0xffff, high & 0x0fff);
    let fourth = ((low >> 48) & 0x3fff) | 0x8000;
    let fifth = low & 0xffff_ffff_ffff;
    format!("{first:08x}-{second:04x}-4{third:03x}-{fourth:04x}-{fifth:012x}")
}

#[cfg(test)]
mod tests {
    use runtime::simulated::{Servers, run};

    use super::*;

    #[test]
    fn a_uuid_says_that_it_is_random() {
        run(Servers::default(), async {
            let one = uuid();
            let lengths: Vec<_> = one.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12]);
            assert_eq!(&one[14..15], "4");
            assert!("89ab".contains(&one[19..20]), "{one}");
            assert_ne!(one, uuid());
        });
    }
}
