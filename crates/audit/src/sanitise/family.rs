//! The families of tokens that are known by how they begin: one row each.
//!
//! To add one, add a row where its first letter belongs, with an example that is not real. The tests take every
//! example through [`crate::redact`]. Sources: the issuers' documentation.

use super::text::{ALNUM, BASE64, CAPITALS, Class, DOT, TOKEN_PATH, WORD};

/// A family of tokens.
pub(super) struct Family {
    /// How its tokens begin.
    pub(super) prefix: &'static str,
    /// The characters that follow.
    pub(super) alphabet: Class,
    /// How many follow, at least. Below the issuers' lengths, so that a token that a log has cut is still one.
    pub(super) min: usize,
    /// How many follow, at most: more than that is something else.
    pub(super) max: usize,
    /// Whether the beginning tells nothing and stays, as a web hook's host.
    pub(super) keeps_prefix: bool,
    #[cfg(test)]
    pub(super) example: &'static str,
}

/// For tokens without a greatest length.
const ANY: usize = usize::MAX;

macro_rules! families {
    ($($prefix:literal $alphabet:ident $(| $more:ident)* $min:literal..$max:tt $keeps:ident $example:literal;)*) => {
        &[$(Family {
            prefix: $prefix,
            alphabet: $alphabet $(| $more)*,
            min: $min,
            max: $max,
            keeps_prefix: families!(@$keeps),
            #[cfg(test)]
            example: $example,
        }),*]
    };
    (@all) => { false };
    (@rest) => { true };
}

/// Prefix, alphabet, how many characters follow, what is replaced, an example of what follows. In the order of the first
/// byte.
pub(super) const FAMILIES: &[Family] = families! {
    // Google's refresh tokens.
    "1//0" WORD 20..ANY all "gAbCdEfGhIjKlMnOpQrStUvWx1234567890";
    // AWS: access keys, and those of a session.
    "AKIA" CAPITALS 16..16 all "IOSFODNN7EXAMPLE";
    "ASIA" CAPITALS 16..16 all "IOSFODNN7EXAMPLE";
    "ABIA" CAPITALS 16..16 all "IOSFODNN7EXAMPLE";
    "ACCA" CAPITALS 16..16 all "IOSFODNN7EXAMPLE";
    "AIza" WORD 16..ANY all "SyA-1234567890abcdefghijklmnopqrstu";
    "AGE-SECRET-KEY-1" CAPITALS 32..ANY all "QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQ";
    // Atlassian and Bitbucket.
    "ATATT3" BASE64 20..ANY all "xFfGF0N0tARealT0kenN0tARealT0ken=0A1B2C3D";
    "ATCTT3" BASE64 20..ANY all "xFfGF0N0tARealT0kenN0tARealT0ken=0A1B2C3D";
    "ATBB" ALNUM 28..ANY all "N0tARealT0kenN0tARealT0ken1A2B3C4D";
    "CCIPAT_" WORD 20..ANY all "N0tARealT0kenN0tAReal_0123456789abcdef";
    "CFPAT-" WORD 30..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0ken0123";
    // OAuth clients of Google.
    "GOCSPX-" WORD 16..ANY all "N0tARealT0kenN0tARealT0ken12";
    "GR1348941" WORD 16..ANY all "N0tARealT0ken_N0tAReal";
    "HRKU-" WORD 20..ANY all "AAN0tARealT0kenN0tARealT0kenN0tARealT0ken";
    // `-----BEGIN` in base64, as in a kubeconfig.
    // Session tokens of AWS: base64 of what they begin with.
    "IQoJb3JpZ2luX2Vj" BASE64 16..ANY all "EN0tARealT0kenN0tARealT0kenN0tARealT0ken==";
    "LS0tLS1CRUdJTi" BASE64 16..ANY all "BSU0EgUFJJVkFURSBLRVktLS0tLQo=";
    "NRAK-" ALNUM 20..ANY all "N0TAREALT0KENN0TAREALT0KEN1";
    "PMAK-" WORD 30..ANY all "0123456789abcdef01234567-0123456789abcdef0123456789abcdef01";
    "SG." WORD | DOT 24..ANY all "N0tARealT0kenN0tAReal0.N0tARealT0kenN0tARealT0kenN0tARealT0ken1234";
    "SK" ALNUM 32..32 all "0123456789abcdef0123456789abcdef";
    "SWMTKN-" WORD 30..ANY all "1-0123456789abcdef0123456789abcdef-0123456789abcdef";
    "aio_" ALNUM 24..ANY all "N0tARealT0kenN0tARealT0ken12";
    "api.telegram.org/bot" TOKEN_PATH 20..ANY rest "0123456789:AAN0tARealT0kenN0tARealT0kenN0tAR";
    "api_org_" ALNUM 24..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    // crates.io.
    "cio" ALNUM 32..32 all "N0tARealT0kenN0tARealT0kenN0tARe";
    "dapi" ALNUM 32..34 all "0123456789abcdef0123456789abcdef";
    "dckr_oat_" WORD 16..ANY all "N0tARealT0kenN0tARealT0kenN";
    "dckr_pat_" WORD 16..ANY all "N0tARealT0kenN0tARealT0kenN";
    "discord.com/api/webhooks/" TOKEN_PATH 20..ANY rest "123456789012345678/N0tARealT0kenN0tARealT0ken";
    "discordapp.com/api/webhooks/" TOKEN_PATH 20..ANY rest "123456789012345678/N0tARealT0kenN0tARealT0ken";
    // DigitalOcean.
    "doo_v1_" ALNUM 20..ANY all "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    "dop_v1_" ALNUM 20..ANY all "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    "dor_v1_" ALNUM 20..ANY all "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    // Doppler.
    "dp.audit." WORD | DOT 20..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    "dp.ct." WORD | DOT 20..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    "dp.pt." WORD | DOT 20..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    "dp.sa." WORD | DOT 20..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    "dp.scim." WORD | DOT 20..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    "dp.st." WORD | DOT 20..ANY all "prd.N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    // Dynatrace.
    "dt0c01." WORD | DOT 30..ANY all "N0TAREALT0KENN0TAREALT0K.N0TAREALT0KENN0TAREALT0KEN";
    "dt0s16." WORD | DOT 30..ANY all "N0TAREAL.N0TAREALT0KENN0TAREALT0KEN";
    // Older keys of Grafana: JSON in base64.
    "eyJrIjoi" BASE64 40..ANY all "TjB0QVJlYWxUMGtlbk4wdEFSZWFsVDBrZW5OMHRBUmVhbFQwa2VuIn0=";
    "figd_" WORD 20..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "fm2_" BASE64 30..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal==";
    "fo1_" WORD 30..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "gho_" WORD 16..ANY all "1234567890abcdefghijklmnopqrstuvwxyz";
    "ghp_" WORD 16..ANY all "1234567890abcdefghijklmnopqrstuvwxyz";
    "ghr_" WORD 16..ANY all "1234567890abcdefghijklmnopqrstuvwxyz";
    "ghs_" WORD 16..ANY all "1234567890abcdefghijklmnopqrstuvwxyz";
    "ghu_" WORD 16..ANY all "1234567890abcdefghijklmnopqrstuvwxyz";
    "github_pat_" WORD 16..ANY all "11ABCDEFG0123456789_abcdefghijklmnopqrstuvwxyz";
    "glagent-" WORD 16..ANY all "abcdefghij1234567890abcdefghij12345678901234567890";
    "glc_" BASE64 24..ANY all "eyJvIjoiMTIzNDU2IiwibiI6Im4wdC1hLXJlYWwtdG9rZW4ifQ==";
    "glcbt-" WORD 16..ANY all "64_abcdefghij1234567890";
    "gldt-" WORD 16..ANY all "abcdefghij1234567890";
    "glffct-" WORD 16..ANY all "abcdefghij1234567890";
    "glft-" WORD 16..ANY all "abcdefghij1234567890";
    "glimt-" WORD 16..ANY all "abcdefghij1234567890abcde";
    "gloas-" WORD 16..ANY all "abcdefghij1234567890abcdefghij1234567890abcdefghij";
    "glpat-" WORD | DOT 16..ANY all "abcdefghij1234567890";
    "glptt-" WORD 16..ANY all "0123456789abcdef0123456789abcdef01234567";
    "glrt-" WORD | DOT 16..ANY all "t1_abcdefghij1234567890";
    "glrtr-" WORD 16..ANY all "abcdefghij1234567890";
    "glsa_" WORD 24..ANY all "N0tARealT0kenN0tARealT0kenN0tARe_0a1b2c3d";
    "glsoat-" WORD 16..ANY all "abcdefghij1234567890";
    "gsk_" ALNUM 30..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0ken";
    "hf_" ALNUM 24..ANY all "N0tARealTokenNotARealTokenNotAReal";
    "hooks.slack.com/services/" TOKEN_PATH 16..ANY rest "T00000000/B00000000/N0tARealT0kenN0tARealT0";
    "hooks.slack.com/triggers/" TOKEN_PATH 16..ANY rest "T00000000/0123456789/N0tARealT0kenN0tARealT0";
    "hooks.slack.com/workflows/" TOKEN_PATH 16..ANY rest "T00000000/A00000000/0123456789/N0tARealT0kenN0tARealT0";
    // HashiCorp Vault.
    "hvb." WORD 20..ANY all "AAAAAQN0tARealT0kenN0tARealT0kenN0tARealT0ken";
    "hvr." WORD 20..ANY all "AAAAAQN0tARealT0kenN0tARealT0kenN0tARealT0ken";
    "hvs." WORD 20..ANY all "CAESIN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0ken";
    "key-" ALNUM 32..32 all "0123456789abcdef0123456789abcdef";
    "lin_api_" ALNUM 24..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0ken1";
    "lsv2_pt_" WORD 24..ANY all "0123456789abcdef0123456789abcdef_0123456789";
    "lsv2_sk_" WORD 24..ANY all "0123456789abcdef0123456789abcdef_0123456789";
    "napi_" ALNUM 30..ANY all "n0tarealt0kenn0tarealt0kenn0tarealt0kenn0tareal";
    "nfp_" ALNUM 24..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN";
    "npm_" ALNUM 24..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0";
    "ntn_" ALNUM 30..ANY all "012345678901N0tARealT0kenN0tARealT0kenN";
    "nvapi-" WORD 30..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0ken";
    "ops_eyJ" BASE64 40..ANY all "zaWduSW5BZGRyZXNzIjoibm90LWEtcmVhbC10b2tlbi4xcGFzc3dvcmQuY29tIn0";
    "outlook.office.com/webhook/" TOKEN_PATH 20..ANY rest "01234567-89ab-cdef-0123-456789abcdef@01234567-89ab-cdef-0123-456789abcdef/IncomingWebhook/0123/4567";
    "phx_" WORD 24..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    "pnu_" ALNUM 24..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0";
    "pplx-" ALNUM 24..ANY all "0123456789abcdef0123456789abcdef0123456789abcdef";
    "pscale_oauth_" WORD | DOT 24..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "pscale_pw_" WORD | DOT 24..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "pscale_tkn_" WORD | DOT 24..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "pul-" ALNUM 40..40 all "0123456789abcdef0123456789abcdef01234567";
    "pypi-" WORD 24..ANY all "AgEIcHlwaS5vcmcCJDAxMjM0NTY3LTg5YWItY2RlZi0wMTIzLTQ1Njc4OWFiY2RlZg";
    "r8_" ALNUM 30..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0k";
    "rdme_" ALNUM 40..ANY all "n0tarealt0kenn0tarealt0kenn0tarealt0kenn0tarealt0kenn0tareal0123456789";
    // Stripe.
    "rk_live_" ALNUM 10..ANY all "N0tARealT0kenN0tARealT0k";
    "rk_test_" ALNUM 10..ANY all "N0tARealT0kenN0tARealT0k";
    "rubygems_" ALNUM 40..ANY all "0123456789abcdef0123456789abcdef0123456789abcdef";
    "s." ALNUM 24..24 all "KJfKjBkpB49UQxSyRAWswJlx";
    "sbp_" ALNUM 30..ANY all "0123456789abcdef0123456789abcdef01234567";
    "sgp_" WORD 30..ANY all "0123456789abcdef_0123456789abcdef0123456789abcdef01234567";
    // OpenShift.
    "sha256~" WORD 30..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0ta";
    "shpat_" ALNUM 24..ANY all "0123456789abcdef0123456789abcdef";
    "shpca_" ALNUM 24..ANY all "0123456789abcdef0123456789abcdef";
    "shppa_" ALNUM 24..ANY all "0123456789abcdef0123456789abcdef";
    "shpss_" ALNUM 24..ANY all "0123456789abcdef0123456789abcdef";
    "sk-admin-" WORD 16..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "sk-ant-" WORD 16..ANY all "api03-N0tARealT0kenN0tARealT0kenN0tARealT0ken-AA";
    "sk-lf-" WORD 16..ANY all "01234567-89ab-cdef-0123-456789abcdef";
    "sk-or-" WORD 16..ANY all "v1-0123456789abcdef0123456789abcdef";
    "sk-proj-" WORD 16..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "sk-svcacct-" WORD 16..ANY all "N0tARealT0kenN0tARealT0kenN0tAReal";
    "sk_live_" ALNUM 10..ANY all "N0tARealT0kenN0tARealT0k";
    "sk_test_" ALNUM 10..ANY all "N0tARealT0kenN0tARealT0k";
    "sl." WORD 100..ANY all "BN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tAReal";
    "sntryu_" WORD 24..ANY all "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    "sntrys_" BASE64 24..ANY all "eyJpYXQiOjE3MDAwMDAwMDAsInVybCI6Imh0dHBzOi8vc2VudHJ5LmlvIn0=_N0tAReal";
    "sqa_" ALNUM 30..ANY all "0123456789abcdef0123456789abcdef01234567";
    "sqp_" ALNUM 30..ANY all "0123456789abcdef0123456789abcdef01234567";
    "squ_" ALNUM 30..ANY all "0123456789abcdef0123456789abcdef01234567";
    "tfp_" WORD 30..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0ken_1234";
    "tskey-" WORD 16..ANY all "auth-kN0tAReal1CNTRL-N0tARealT0kenN0tARealT0ken";
    "v1.0-" WORD 100..ANY all "0123456789abcdef01234567-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    "vercel_" ALNUM 24..ANY all "N0tARealT0kenN0tARealT0ken";
    "webhook.office.com/webhookb2/" TOKEN_PATH 20..ANY rest "01234567-89ab-cdef-0123-456789abcdef@01234567-89ab-cdef-0123-456789abcdef/IncomingWebhook/0123/4567";
    "whsec_" BASE64 16..ANY all "N0tARealT0kenN0tARealT0kenN0tARe";
    "xai-" ALNUM 40..ANY all "N0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0kenN0tARealT0ken";
    "xapp-" WORD 16..ANY all "1-A0123456789-0123456789012-n0tarealt0ken";
    "xkeysib-" WORD 30..ANY all "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef-N0tAReal";
    "xoxa-" WORD 16..ANY all "2-123456789012-N0tARealT0ken";
    "xoxb-" WORD 16..ANY all "123456789012-123456789012-N0tARealT0kenN0tAReal";
    "xoxc-" WORD 16..ANY all "123456789012-123456789012-N0tARealT0ken";
    "xoxd-" TOKEN_PATH 16..ANY all "N0tARealT0ken%2FN0tARealT0ken%3D";
    "xoxe-" WORD 16..ANY all "1-N0tARealT0kenN0tARealT0ken";
    "xoxe." WORD 16..ANY all "xoxp-1-N0tARealT0kenN0tARealT0ken";
    "xoxo-" WORD 16..ANY all "123456789012-N0tARealT0ken";
    "xoxp-" WORD 16..ANY all "123456789012-123456789012-N0tARealT0ken";
    "xoxr-" WORD 16..ANY all "123456789012-N0tARealT0ken";
    "xoxs-" WORD 16..ANY all "123456789012-N0tARealT0ken";
    "ya29." WORD | DOT 20..ANY all "a0AN0tARealT0kenN0tARealT0kenN0tARealT0ken";
};

/// Where the rows of each first byte begin and end.
const ROWS: [(u8, u8); 128] = {
    let mut rows = [(0, 0); 128];
    let mut row = 0;
    while row < FAMILIES.len() {
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let first = FAMILIES[row].prefix.as_bytes()[0] as usize;
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let bounds = &mut rows[first];
        #[expect(clippy::cast_possible_truncation, reason = "there are fewer rows")]
        let at = row as u8;
        if bounds.1 == 0 {
            bounds.0 = at;
        }
        bounds.1 = at.wrapping_add(1);
        row = row.wrapping_add(1);
    }
    rows
};

/// The second bytes of each first one, in a set of 64. `sk-` has no row.
const SECONDS: [u64; 128] = {
    let mut seconds = [0; 128];
    let mut row = 0;
    while row < FAMILIES.len() {
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let prefix = FAMILIES[row].prefix.as_bytes();
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let (first, second) = (prefix[0] as usize, prefix[1]);
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let of_first = &mut seconds[first];
        *of_first |= 1 << (second & 63);
        row = row.wrapping_add(1);
    }
    seconds
};

/// Whether any family's tokens may begin with two bytes.
pub(super) fn may_begin(first: u8, second: u8) -> bool {
    let seconds = SECONDS.get(usize::from(first)).copied();
    seconds.unwrap_or_default() >> (second & 63) & 1 != 0
}

/// The families whose tokens begin with a byte.
pub(super) fn beginning_with(byte: u8) -> &'static [Family] {
    let (start, end) = ROWS.get(usize::from(byte)).copied().unwrap_or_default();
    FAMILIES
        .get(usize::from(start)..usize::from(end))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{FAMILIES, beginning_with};
    use crate::redact;

    #[test]
    fn every_example_is_found_and_nothing_else() {
        for family in FAMILIES {
            let kept = if family.keeps_prefix {
                family.prefix
            } else {
                ""
            };
            let token = format!("{}{}", family.prefix, family.example);
            for (before, after) in [
                ("", ""),
                ("a ", " b"),
                ("(", ")"),
                ("x=\"", "\"\n"),
                ("\\n", "\\n"),
            ] {
                let expected = format!("{before}{kept}***REDACTED***{after}");
                assert_eq!(redact(&format!("{before}{token}{after}")), expected);
            }
            assert!(redact(family.prefix) == family.prefix);
        }
    }

    #[test]
    fn rows_are_in_order() {
        let first = |prefix: &str| prefix.as_bytes()[0];
        assert!(FAMILIES.is_sorted_by_key(|family| first(family.prefix)));
        assert!(FAMILIES.len() < 255);
        for family in FAMILIES {
            let found = beginning_with(first(family.prefix));
            assert!(found.iter().any(|row| row.prefix == family.prefix));
        }
    }
}
