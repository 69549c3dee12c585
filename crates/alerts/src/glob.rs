//! What a value must be like: a text, a text with `*` for any characters, or a network of addresses.

use std::net::IpAddr;

/// One pattern as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Glob {
    text: String,
    /// Address and prefix length, where the text is a network.
    network: Option<(IpAddr, u32)>,
}

impl Glob {
    /// The error is a clause that can follow the field's name.
    pub(crate) fn parse(text: &str) -> Result<Glob, String> {
        let shown = crate::clean(text, 60);
        if text.chars().all(|c| c == '*') {
            return Err(format!("`{shown}` fits everything; leave the line out"));
        }
        let network = match text.split_once('/') {
            Some((address, length)) => match address.parse::<IpAddr>() {
                Ok(address) => {
                    let bits = width(address);
                    let length = length.parse().ok().filter(|length| *length <= bits);
                    let length = length.ok_or_else(|| {
                        format!("`{shown}` is no network; the length after the `/` is 0 to {bits}")
                    })?;
                    Some((address, length))
                }
                Err(_) => None,
            },
            None => None,
        };
        if let Some((address, length)) = network
            && prefix(address, length) != prefix(address, width(address))
        {
            return Err(format!(
                "`{shown}` has address bits beyond its length; is it the address or the network that is meant?"
            ));
        }
        Ok(Glob {
            text: text.to_owned(),
            network,
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Addresses are compared as addresses where the pattern is a network, all else as text, upper and lower case apart.
    pub(crate) fn fits(&self, value: &str) -> bool {
        match self.network {
            Some((network, length)) => value.parse::<IpAddr>().is_ok_and(|address| {
                let address = if network.is_ipv4() {
                    address.to_canonical()
                } else {
                    address
                };
                width(address) == width(network)
                    && prefix(address, length) == prefix(network, length)
            }),
            None => glob(&self.text, value),
        }
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first `length` bits of an address.
fn prefix(address: IpAddr, length: u32) -> u128 {
    let bits = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let rest = 128 - length;
    bits.checked_shr(rest)
        .unwrap_or(0)
        .checked_shl(rest)
        .unwrap_or(0)
}

/// `*` stands for any characters, also none. Each star takes as little as it can, so the time is bounded by the product of
/// the lengths whatever an attacker writes.
fn glob(pattern: &str, value: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| value.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + middle.len()..],
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(last) => rest.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[track_caller]
    fn check(pattern: &str, fits: &[&str], not: &[&str]) {
        let pattern = Glob::parse(pattern).unwrap();
        for value in fits {
            assert!(pattern.fits(value), "{pattern:?} {value}");
        }
        for value in not {
            assert!(!pattern.fits(value), "{pattern:?} {value}");
        }
    }

    #[test]
    fn texts_and_stars() {
        check("a.b", &["a.b"], &["A.b", "axb", "a.b ", ""]);
        check("a*", &["a", "abc"], &["ba", ""]);
        check("*a", &["a", "bca", "aa"], &["ab"]);
        check(
            "a*b*c",
            &["abc", "axbxbxc", "abcbc"],
            &["ac", "abcx", "acb"],
        );
        check("ab*ba", &["abba", "ab-ba"], &["aba"]);
        check("*:EC2/*", &["Recon:EC2/Port"], &["Recon:S3/x"]);
        check("a**b", &["ab", "axb"], &["a"]);
    }

    #[test]
    fn networks_of_addresses() {
        check(
            "203.0.113.0/24",
            &["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"],
            &["203.0.114.0", "203.0.113.0/24", "x", "2001:db8::1"],
        );
        check("10.0.0.1/32", &["10.0.0.1"], &["10.0.0.2"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check(
            "2001:db8::/32",
            &["2001:db8:ffff::1"],
            &["2001:db9::", "1.2.3.4"],
        );
        check("::/0", &["::1"], &["1.2.3.4"]);
        check("team/web", &["team/web"], &["team"]);
    }

    #[test]
    fn patterns_that_are_none() {
        let refused = |text: &str| Glob::parse(text).unwrap_err();
        assert_eq!(refused("*"), "`*` fits everything; leave the line out");
        assert_eq!(
            refused("10.0.0.0/33"),
            "`10.0.0.0/33` is no network; the length after the `/` is 0 to 32"
        );
        assert_eq!(
            refused("10.0.0.1/24"),
            "`10.0.0.1/24` has address bits beyond its length; is it the address or the network that is meant?"
        );
    }
}
