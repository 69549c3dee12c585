//! Addresses and networks. Text that is none gives null; an IPv4 address mapped into IPv6 is that IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal256Array, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int64Type, i256};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Texts, constant_text, over_arrays, text_type};

/// The functions of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ip {
    /// `ip_in_cidr(ip, cidr)`: whether the network holds the address. A bare address is a network of one.
    InCidr,
    /// `cidrmatch(cidr, ip)`: the same, as Splunk and OpenSearch spell it.
    CidrMatch,
    /// `ip_is_private(ip)`: whether the address is never seen on the Internet: RFC 1918, shared (RFC 6598), loopback, link-local,
    /// unique local (RFC 4193), unspecified. Documentation networks count as public: GuardDuty's samples use them.
    IsPrivate,
    /// `ip_family(ip)`: 4 or 6.
    Family,
    /// `ip_network(ip, prefix)`: the network of that prefix length that holds the address, as `10.1.0.0/16`.
    Network,
    /// `ip_to_int(ip)`: the address as a number, for sorting; DECIMAL(39, 0), which holds IPv6 too.
    ToInt,
}

impl Ip {
    pub(crate) const ALL: [Ip; 6] = [
        Ip::InCidr,
        Ip::CidrMatch,
        Ip::IsPrivate,
        Ip::Family,
        Ip::Network,
        Ip::ToInt,
    ];
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct IpFunction {
    what: Ip,
    signature: Signature,
}

impl IpFunction {
    pub(crate) fn new(what: Ip) -> IpFunction {
        IpFunction {
            what,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for IpFunction {
    fn name(&self) -> &str {
        match self.what {
            Ip::InCidr => "ip_in_cidr",
            Ip::CidrMatch => "cidrmatch",
            Ip::IsPrivate => "ip_is_private",
            Ip::Family => "ip_family",
            Ip::Network => "ip_network",
            Ip::ToInt => "ip_to_int",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.what, given) {
            (Ip::InCidr | Ip::CidrMatch, [first, second]) => {
                Ok(vec![text_type(first), text_type(second)])
            }
            (Ip::Network, [ip, _]) => Ok(vec![text_type(ip), DataType::Int64]),
            (Ip::IsPrivate | Ip::Family | Ip::ToInt, [ip]) => Ok(vec![text_type(ip)]),
            (Ip::InCidr, _) => plan_err!(
                "ip_in_cidr takes an address and a network: ip_in_cidr(remote_ip, '10.0.0.0/8')"
            ),
            (Ip::CidrMatch, _) => plan_err!(
                "cidrmatch takes a network and an address: cidrmatch('10.0.0.0/8', remote_ip)"
            ),
            (Ip::Network, _) => plan_err!(
                "ip_network takes an address and a prefix length: ip_network(remote_ip, 24)"
            ),
            _ => plan_err!("{} takes one address", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.what {
            Ip::InCidr | Ip::CidrMatch | Ip::IsPrivate => DataType::Boolean,
            Ip::Family => DataType::Int32,
            Ip::Network => DataType::Utf8,
            Ip::ToInt => DataType::Decimal256(39, 0),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let what = self.what;
        let (ip_at, cidr_at) = if what == Ip::CidrMatch {
            (1, 0)
        } else {
            (0, 1)
        };
        let constant = constant_text(args.args.get(cidr_at));
        over_arrays(args, |arrays, len| {
            let texts = Texts::of(&arrays[ip_at]);
            let ips = (0..len).map(|row| texts.get(row).and_then(address));
            Ok(match what {
                Ip::InCidr | Ip::CidrMatch => held(ips, &arrays[cidr_at], constant),
                Ip::IsPrivate => {
                    Arc::new(ips.map(|ip| ip.map(is_private)).collect::<BooleanArray>())
                }
                Ip::Family => Arc::new(
                    ips.map(|ip| ip.map(|ip| if ip.is_ipv4() { 4 } else { 6 }))
                        .collect::<Int32Array>(),
                ),
                Ip::Network => {
                    let prefixes = arrays[1].as_primitive::<Int64Type>();
                    let networks = ips.zip(prefixes).map(|(ip, prefix)| network(ip?, prefix?));
                    Arc::new(networks.collect::<StringArray>())
                }
                Ip::ToInt => {
                    let numbers = ips.map(|ip| ip.map(number)).collect::<Decimal256Array>();
                    Arc::new(numbers.with_precision_and_scale(39, 0)?)
                }
            })
        })
    }
}

/// A network that does not change from row to row is read once.
fn held(
    ips: impl Iterator<Item = Option<IpAddr>>,
    cidrs: &ArrayRef,
    constant: Option<Option<String>>,
) -> ArrayRef {
    let result: BooleanArray = match constant {
        Some(cidr) => {
            let cidr = cidr.as_deref().and_then(cidr_of);
            ips.map(|ip| Some(cidr?.contains(&ip?))).collect()
        }
        None => {
            let texts = Texts::of(cidrs);
            ips.enumerate()
                .map(|(row, ip)| Some(texts.get(row).and_then(cidr_of)?.contains(&ip?)))
                .collect()
        }
    };
    Arc::new(result)
}

/// An address as findings write it: a zone (`%eth0`) is left out, an IPv4 address in IPv6 is taken out.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = text.split_once('%').map_or(text, |(ip, _)| ip);
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn cidr_of(text: &str) -> Option<IpNet> {
    let text = text.trim();
    if !text.contains('/') {
        return address(text).map(IpNet::from);
    }
    match text.parse::<IpNet>().ok()? {
        IpNet::V6(net) => match net.network().to_ipv4_mapped() {
            Some(v4) if net.prefix_len() >= 96 => {
                Ipv4Net::new(v4, net.prefix_len() - 96).ok().map(IpNet::V4)
            }
            _ => Some(IpNet::V6(net)),
        },
        net => Some(net),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => v4_is_private(ip),
        IpAddr::V6(ip) => v6_is_private(ip),
    }
}

fn v4_is_private(ip: Ipv4Addr) -> bool {
    let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    ip.is_private() || shared || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
}

fn v6_is_private(ip: Ipv6Addr) -> bool {
    ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback() || ip.is_unspecified()
}

fn network(ip: IpAddr, prefix: i64) -> Option<String> {
    let prefix = u8::try_from(prefix).ok()?;
    match ip {
        IpAddr::V4(ip) => Ipv4Net::new(ip, prefix)
            .ok()
            .map(|net| net.trunc().to_string()),
        IpAddr::V6(ip) => Ipv6Net::new(ip, prefix)
            .ok()
            .map(|net| net.trunc().to_string()),
    }
}

fn number(ip: IpAddr) -> i256 {
    match ip {
        IpAddr::V4(ip) => i256::from_i128(i128::from(u32::from(ip))),
        IpAddr::V6(ip) => i256::from_parts(u128::from(ip), 0),
    }
}
