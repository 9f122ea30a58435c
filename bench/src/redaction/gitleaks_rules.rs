//! What gitleaks looks for, as its documentation and configuration publish it (version 8, 2026): what a token looks like, the words
//! of which one must occur, and the least entropy. Rules of issuers that the corpus does not have are left out, because they
//! find nothing there but what others find.

/// How a rule is applied.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// The expression as it stands.
    Plain,
    /// A word by itself, which a quote, a space, a semicolon or the end of the text follows.
    Word,
    /// The value that one of these names is given.
    Assigned(&'static str),
}

/// A rule: its keywords, how it is applied, the expression of the value, the least entropy.
pub(super) type Rule = (&'static [&'static str], How, &'static str, f64);

use How::{Assigned, Plain, Word};

/// The rule that finds values of any name; its exceptions are in `gitleaks.rs`.
pub(super) const GENERIC: Rule = (
    &[
        "access",
        "api",
        "auth",
        "key",
        "credential",
        "creds",
        "passwd",
        "password",
        "secret",
        "token",
    ],
    Assigned("access|auth|(?-i:[Aa]pi|API)|credential|creds|key|passw(?:or)?d|secret|token"),
    r"[\w.=-]{10,150}|[a-z0-9][a-z0-9+/]{11,}={0,3}",
    3.5,
);

const HEX64: &str = "[a-f0-9]{64}";
const UUID: &str = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

pub(super) const RULES: [Rule; 78] = [
    (
        &["age-secret-key-1"],
        Plain,
        "AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        0.0,
    ),
    (
        &["sk-ant-admin01"],
        Word,
        r"sk-ant-admin01-[\w-]{93}AA",
        0.0,
    ),
    (&["sk-ant-api03"], Word, r"sk-ant-api03-[\w-]{93}AA", 0.0),
    (
        &["a3t", "akia", "asia", "abia", "acca"],
        Plain,
        r"\b(?:A3T[A-Z0-9]|A[KSB]IA|ACCA)[A-Z2-7]{16}\b",
        3.0,
    ),
    (&["q~"], Plain, r"[\w.~]{3}\dQ~[\w.~-]{31,34}", 3.0),
    (
        &["cloudflare"],
        Assigned("cloudflare"),
        "[a-z0-9_-]{40}",
        2.0,
    ),
    (&["cloudflare"], Assigned("cloudflare"), "[a-f0-9]{37}", 2.0),
    (
        &["cloudflare", "v1.0-"],
        Word,
        "v1[.]0-[a-f0-9]{24}-[a-f0-9]{146}",
        2.0,
    ),
    (
        &["cohere", "co_api_key"],
        Assigned("cohere|CO_API_KEY"),
        "[a-z0-9]{40}",
        4.0,
    ),
    (
        &["curl"],
        Plain,
        r#"(?i)\bcurl\b.*[ \t](?:-H|--header)[= \t]{0,5}["'](?:Authorization:[ \t]{0,5}(?:Basic |Bearer |(?:Api-)?Token )?|(?:X-(?:[a-z]+-)?)?(?:Api-?)?(?:Key|Token):[ \t]{0,5})([\w=~@.+/-]{8,})["']"#,
        2.75,
    ),
    (
        &["curl"],
        Plain,
        r#"\bcurl\b.*[ \t](?:-u|--user)[= \t]{0,5}((?:"[^":]{3,}:[^"]{3,}"|'[^':]{3,}:[^']{3,}'|[\w$@.-]+:[\w${}@.-]+))(?:\s|\z)"#,
        2.0,
    ),
    (&["dapi"], Word, r"dapi[a-f0-9]{32}(?:-\d)?", 3.0),
    (&["datadog"], Assigned("datadog"), "[a-z0-9]{40}", 0.0),
    (&["doo_v1_"], Word, "doo_v1_[a-f0-9]{64}", 3.0),
    (&["dop_v1_"], Word, "dop_v1_[a-f0-9]{64}", 3.0),
    (&["dor_v1_"], Word, "(?i:dor_v1_[a-f0-9]{64})", 0.0),
    (&["discord"], Assigned("discord"), HEX64, 0.0),
    (&["discord"], Assigned("discord"), "[0-9]{18}", 2.0),
    (&["discord"], Assigned("discord"), r"[a-z0-9=_\-]{32}", 2.0),
    (&["dp.pt."], Plain, "dp[.]pt[.](?i:[a-z0-9]{43})", 2.0),
    (&["aiza"], Word, r"AIza[\w-]{35}", 4.0),
    (&["ghu_", "ghs_"], Plain, "gh[us]_[0-9a-zA-Z]{36}", 3.0),
    (&["github_pat_"], Plain, r"github_pat_\w{82}", 3.0),
    (&["gho_"], Plain, "gho_[0-9a-zA-Z]{36}", 3.0),
    (&["ghp_"], Plain, "ghp_[0-9a-zA-Z]{36}", 3.0),
    (&["ghr_"], Plain, "ghr_[0-9a-zA-Z]{36}", 3.0),
    (&["glcbt-"], Plain, r"glcbt-[0-9a-zA-Z]{1,5}_[\w-]{20}", 3.0),
    (&["gldt-"], Plain, r"gldt-[\w-]{20}", 3.0),
    (&["glft-"], Plain, r"glft-[\w-]{20}", 3.0),
    (&["glagent-"], Plain, r"glagent-[\w-]{50}", 3.0),
    (&["gloas-"], Plain, r"gloas-[\w-]{64}", 3.0),
    (&["glpat-"], Plain, r"glpat-[\w-]{20}", 3.0),
    (&["glptt-"], Plain, "glptt-[0-9a-f]{40}", 3.0),
    (&["glrt-"], Plain, r"glrt-[\w-]{20}", 3.0),
    (
        &["_gitlab_session="],
        Plain,
        "_gitlab_session=[0-9a-z]{32}",
        3.0,
    ),
    (
        &["eyjrijoi"],
        Word,
        "(?i:eyJrIjoi[a-z0-9]{70,400}={0,3})",
        3.0,
    ),
    (&["glc_"], Word, "(?i:glc_[a-z0-9+/]{32,400}={0,3})", 3.0),
    (&["glsa_"], Word, "(?i:glsa_[a-z0-9]{32}_[a-f0-9]{8})", 3.0),
    (
        &["administrator_login_password", "password"],
        Assigned("administrator_login_password|password"),
        r#""[a-z0-9=_\-]{8,20}""#,
        2.0,
    ),
    (&["heroku"], Assigned("heroku"), UUID, 0.0),
    (&["hrku-aa"], Word, r"HRKU-AA[\w-]{58}", 4.0),
    (&["hf_"], Word, "hf_(?i:[a-z]{34})", 2.0),
    (&["api_org_"], Word, "api_org_(?i:[a-z]{34})", 2.0),
    (
        &["ey"],
        Word,
        r"ey[a-zA-Z0-9]{17,}[.]ey[\w/\\-]{17,}[.](?:[\w/\\-]{10,}={0,2})?",
        3.0,
    ),
    (
        &["secret"],
        Plain,
        r#"(?i)\bkind:[ \t]*["']?\bsecret\b["']?(?s:.){0,200}?\bdata:(?s:.){0,100}?\s+([\w.-]+:(?:[ \t]*(?:\||>[-+]?)\s+)?[ \t]*["']?[a-z0-9+/]{10,}={0,3}["']?)"#,
        0.0,
    ),
    (
        &["secret"],
        Plain,
        r#"(?i)\bdata:(?s:.){0,100}?\s+([\w.-]+:(?:[ \t]*(?:\||>[-+]?)\s+)?[ \t]*["']?[a-z0-9+/]{10,}={0,3}["']?)(?s:.){0,200}?\bkind:[ \t]*["']?\bsecret\b"#,
        0.0,
    ),
    (
        &["webhook.office.com", "webhookb2", "incomingwebhook"],
        Plain,
        r"https://[a-z0-9]+[.]webhook[.]office[.]com/webhookb2/[a-z0-9-]{36}@[a-z0-9-]{36}/IncomingWebhook/[a-z0-9]{32}/[a-z0-9-]{36}",
        0.0,
    ),
    (&["npm_"], Word, "(?i:npm_[a-z0-9]{36})", 2.0),
    (
        &["t3blbkfj"],
        Word,
        r"sk-(?:proj|svcacct|admin)-(?:[\w-]{74}|[\w-]{58})T3BlbkFJ(?:[\w-]{74}|[\w-]{58})",
        3.0,
    ),
    (
        &["t3blbkfj"],
        Word,
        "sk-[a-zA-Z0-9]{20}T3BlbkFJ[a-zA-Z0-9]{20}",
        3.0,
    ),
    (
        &["-----begin"],
        Plain,
        r"(?i)-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----[\s\S-]{64,}?KEY(?: BLOCK)?-----",
        0.0,
    ),
    (
        &["pypi-ageichlwas5vcmc"],
        Plain,
        r"pypi-AgEIcHlwaS5vcmc[\w-]{50,1000}",
        3.0,
    ),
    (&["sg."], Word, r"SG[.](?i:[a-z0-9=_.\-]{66})", 2.0),
    (&["sentry"], Assigned("sentry"), HEX64, 3.0),
    (&["sntryu_"], Word, "sntryu_[a-f0-9]{64}", 3.5),
    (
        &["sntrys_eyjpyxqio"],
        Plain,
        r"\bsntrys_eyJpYXQiO[a-zA-Z0-9+/]{10,200}(?:LCJyZWdpb25fdXJs|InJlZ2lvbl91cmwi|cmVnaW9uX3VybCI6)[a-zA-Z0-9+/]{10,200}={0,2}_[a-zA-Z0-9+/]{43}",
        4.5,
    ),
    (
        &["xapp"],
        Plain,
        r"(?i)xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+",
        2.0,
    ),
    (
        &["xoxb"],
        Plain,
        "xoxb-[0-9]{10,13}-[0-9]{10,13}[a-zA-Z0-9-]*",
        3.0,
    ),
    (
        &["xoxe.xoxb-", "xoxe.xoxp-"],
        Plain,
        r"(?i)xoxe.xox[bp]-\d-[A-Z0-9]{163,166}",
        2.0,
    ),
    (&["xoxe-"], Plain, r"(?i)xoxe-\d-[A-Z0-9]{146}", 2.0),
    (&["xoxb"], Plain, "xoxb-[0-9]{8,14}-[a-zA-Z0-9]{18,26}", 2.0),
    (
        &["xoxo", "xoxs"],
        Plain,
        r"xox[os]-\d+-\d+-\d+-[a-fA-F\d]+",
        2.0,
    ),
    (
        &["xoxa", "xoxr"],
        Plain,
        r"xox[ar]-(?:\d-)?[0-9a-zA-Z]{8,48}",
        2.0,
    ),
    (
        &["xoxp-", "xoxe-"],
        Plain,
        "xox[pe](?:-[0-9]{10,13}){3}-[a-zA-Z0-9-]{28,34}",
        2.0,
    ),
    (
        &["hooks.slack.com"],
        Plain,
        "(?:https?://)?hooks.slack.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{43,56}",
        0.0,
    ),
    (
        &["sk_", "rk_"],
        Word,
        "[sr]k_(?:test|live|prod)_[a-zA-Z0-9]{10,99}",
        2.0,
    ),
    (&["sk"], Plain, "SK[0-9a-fA-F]{32}", 3.0),
    (&["hvb."], Word, r"hvb[.][\w-]{138,300}", 4.0),
    (&["hvs."], Word, r"hvs[.][\w-]{90,120}", 3.5),
    (&["s."], Word, "s[.](?i:[a-z0-9]{24})", 3.5),
    (
        &["sonar"],
        Assigned("sonar[_.-]?(?:login|token)"),
        r"(?:squ_|sqp_|sqa_)?[a-z0-9=_\-]{40}",
        0.0,
    ),
    (
        &["jfrog", "artifactory"],
        Assigned("jfrog|artifactory|bintray|xray"),
        "[a-z0-9]{73}",
        0.0,
    ),
    (
        &["jfrog", "artifactory"],
        Assigned("jfrog|artifactory|bintray|xray"),
        "[a-z0-9]{64}",
        0.0,
    ),
    (
        &["atlassian", "jira"],
        Assigned("atlassian|confluence|jira"),
        "[a-z0-9]{20}[a-f0-9]{4}",
        3.5,
    ),
    (&["travis"], Assigned("travis"), "[a-z0-9]{22}", 0.0),
    (&["okta"], Assigned("okta"), r"00[\w=\-]{40}", 4.0),
    (
        &["snyk"],
        Assigned("snyk[_.-]?(?:(?:api|oauth)[_.-]?)?(?:key|token)"),
        UUID,
        0.0,
    ),
    (&["sha256~"], Plain, r"\bsha256~[\w-]{43}", 3.5),
];
