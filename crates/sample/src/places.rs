//! Where an address is: country, city and network, the same for an address whenever it appears.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rng::{Rng, mix};
use crate::wire::{Raw, Wire};

/// Addresses of documentation and benchmark ranges only, so that nobody real is accused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
}

/// Country, city, latitude, longitude, AS number, AS organisation, provider.
type Place = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const PLACES: &[Place] = &[
    ("United States", "Ashburn", "39.0438", "-77.4874", "16509", "AMAZON-02", "Amazon.com"),
    ("United States", "Clifton", "40.8364", "-74.1403", "14061", "DIGITALOCEAN-ASN", "DigitalOcean"),
    ("United States", "Dallas", "32.7889", "-96.8021", "36352", "AS-COLOCROSSING", "ColoCrossing"),
    ("United States", "San Jose", "37.3388", "-121.8916", "398324", "CENSYS-ARIN-01", "Censys"),
    ("Netherlands", "Amsterdam", "52.3716", "4.8883", "202425", "IP Volume inc", "IP Volume inc"),
    ("Netherlands", "Naaldwijk", "51.9942", "4.2097", "49981", "WorldStream B.V.", "WorldStream"),
    ("China", "Guangzhou", "23.1181", "113.2539", "4134", "Chinanet", "China Telecom"),
    ("China", "Shanghai", "31.2222", "121.4581", "4837", "CHINA UNICOM China169 Backbone", "China Unicom"),
    ("China", "Beijing", "39.911", "116.395", "45090", "Shenzhen Tencent Computer Systems Company Limited", "Tencent cloud computing"),
    ("Russia", "Moscow", "55.7483", "37.6171", "12389", "Rostelecom", "Rostelecom"),
    ("Russia", "Saint Petersburg", "59.8983", "30.2618", "44050", "Petersburg Internet Network ltd.", "Petersburg Internet Network"),
    ("Germany", "Falkenstein", "50.4779", "12.3713", "24940", "Hetzner Online GmbH", "Hetzner Online"),
    ("Germany", "Frankfurt am Main", "50.1188", "8.6843", "51167", "Contabo GmbH", "Contabo"),
    ("France", "Roubaix", "50.6974", "3.178", "16276", "OVH SAS", "OVH"),
    ("France", "Paris", "48.8323", "2.4075", "12876", "SCALEWAY S.A.S.", "Scaleway"),
    ("United Kingdom", "London", "51.5088", "-0.093", "20473", "AS-CHOOPA", "Vultr Holdings"),
    ("Brazil", "São Paulo", "-23.6283", "-46.6409", "28573", "Claro NXT Telecomunicacoes Ltda", "Claro"),
    ("Brazil", "Fortaleza", "-3.7227", "-38.5247", "262287", "Latitude.sh LTDA", "Latitude.sh"),
    ("India", "Mumbai", "19.0748", "72.8856", "55836", "Reliance Jio Infocomm Limited", "Jio"),
    ("India", "Bengaluru", "12.9634", "77.5855", "9829", "National Internet Backbone", "BSNL"),
    ("Vietnam", "Hanoi", "21.0292", "105.8526", "45899", "VNPT Corp", "VNPT"),
    ("South Korea", "Seoul", "37.5658", "126.978", "4766", "Korea Telecom", "KT"),
    ("Japan", "Tokyo", "35.6893", "139.6899", "2516", "KDDI CORPORATION", "KDDI"),
    ("Singapore", "Singapore", "1.2868", "103.8503", "132203", "Tencent Building, Kejizhongyi Avenue", "Tencent cloud computing"),
    ("Hong Kong", "Hong Kong", "22.2578", "114.1657", "45102", "Alibaba US Technology Co., Ltd.", "Alibaba"),
    ("Indonesia", "Jakarta", "-6.2114", "106.8446", "7713", "PT Telekomunikasi Indonesia", "Telkom Indonesia"),
    ("Ukraine", "Kyiv", "50.4522", "30.5287", "15895", "Kyivstar PJSC", "Kyivstar"),
    ("Romania", "Bucharest", "44.4176", "26.1708", "9009", "M247 Europe SRL", "M247"),
    ("Bulgaria", "Sofia", "42.6951", "23.325", "204428", "SS-Net", "SS-Net"),
    ("Turkey", "Istanbul", "41.0145", "28.9533", "9121", "Turk Telekom", "Turk Telekom"),
    ("Iran", "Tehran", "35.698", "51.4115", "58224", "Iran Telecommunication Company PJS", "TCI"),
    ("Nigeria", "Lagos", "6.4474", "3.3903", "29465", "MTN NIGERIA Communication limited", "MTN"),
    ("South Africa", "Cape Town", "-33.9165", "18.4155", "328608", "Africa on Cloud", "Africa on Cloud"),
    ("Mexico", "Mexico City", "19.4371", "-99.0662", "8151", "UNINET", "Telmex"),
    ("Canada", "Montreal", "45.4995", "-73.5848", "16276", "OVH SAS", "OVH"),
    ("Seychelles", "", "-4.5833", "55.6667", "57523", "Chang Way Technologies Co. Limited", "Chang Way"),
    ("Sweden", "Malmö", "55.6078", "13.0085", "42708", "GleSYS AB", "GleSYS"),
    ("Panama", "Panamá", "8.9936", "-79.5197", "136258", "ONEPROVIDER", "BrainStorm Network"),
];

impl Remote {
    /// The host with this IPv4 address; some also have IPv6, and a few are seen by IPv6 alone.
    pub(crate) fn from_v4(v4: Ipv4Addr) -> Self {
        let traits = mix(0x6970, u64::from(v4.to_bits()));
        let group = |at: u32| (traits >> at) as u16;
        let v6 = Ipv6Addr::new(
            0x2001,
            0xdb8,
            group(0),
            group(16),
            0,
            0,
            group(32),
            group(48),
        );
        match traits % 100 {
            0..88 => Remote {
                v4: Some(v4),
                v6: None,
            },
            88..98 => Remote {
                v4: Some(v4),
                v6: Some(v6),
            },
            _ => Remote {
                v4: None,
                v6: Some(v6),
            },
        }
    }

    pub(crate) fn from_ip(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Remote {
                v4: Some(v4),
                v6: None,
            },
            IpAddr::V6(v6) => Remote {
                v4: None,
                v6: Some(v6),
            },
        }
    }

    /// The address to name in a title.
    pub(crate) fn ip(&self) -> IpAddr {
        match (self.v4, self.v6) {
            (Some(v4), _) => IpAddr::V4(v4),
            (None, Some(v6)) => IpAddr::V6(v6),
            (None, None) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }

    pub(crate) fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.v4
            .map(IpAddr::V4)
            .into_iter()
            .chain(self.v6.map(IpAddr::V6))
    }

    fn place(&self) -> &'static Place {
        let number = match self.ip() {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let hash = mix(number as u64, (number >> 64) as u64);
        // The smaller of two draws: some networks send much more than others.
        let (a, b) = (
            hash % PLACES.len() as u64,
            (hash >> 32) % PLACES.len() as u64,
        );
        &PLACES[a.min(b) as usize]
    }

    /// AS number and organisation, as profiles of behaviour name them.
    pub(crate) fn network(&self) -> (&'static str, &'static str) {
        let (_, _, _, _, asn, organisation, _) = *self.place();
        (asn, organisation)
    }

    /// Writes `remoteIpDetails`.
    pub(crate) fn write(&self, w: &mut Wire) {
        let (country, city, lat, lon, asn, organisation, provider) = *self.place();
        w.obj("remoteIpDetails", |w| {
            if let Some(v4) = self.v4 {
                w.fmt("ipAddressV4", format_args!("{v4}"));
            }
            if let Some(v6) = self.v6 {
                w.fmt("ipAddressV6", format_args!("{v6}"));
            }
            w.obj("organization", |w| {
                w.str("asn", asn);
                w.str("asnOrg", organisation);
                w.str("isp", provider);
                w.str("org", provider);
            });
            w.obj("country", |w| w.str("countryName", country));
            w.obj("city", |w| w.str("cityName", city));
            w.obj("geoLocation", |w| {
                w.num("lat", Raw(lat));
                w.num("lon", Raw(lon));
            });
        });
    }

    /// Writes the members of an endpoint of an attack sequence that say where it is.
    pub(crate) fn write_endpoint(&self, w: &mut Wire) {
        let (country, city, lat, lon, asn, organisation, _) = *self.place();
        w.fmt("ip", format_args!("{}", self.ip()));
        w.obj("location", |w| {
            w.str("city", city);
            w.str("country", country_code(country));
            w.named("lat", "Latitude").number(lat);
            w.named("lon", "Longitude").number(lon);
        });
        w.obj("autonomousSystem", |w| {
            w.str("name", organisation);
            w.num("number", Raw(asn));
        });
    }
}

fn country_code(name: &str) -> &'static str {
    const CODES: &str = "United States US,Netherlands NL,China CN,Russia RU,Germany DE,France FR,United Kingdom GB,\
        Brazil BR,India IN,Vietnam VN,South Korea KR,Japan JP,Singapore SG,Hong Kong HK,Indonesia ID,Ukraine UA,\
        Romania RO,Bulgaria BG,Turkey TR,Iran IR,Nigeria NG,South Africa ZA,Mexico MX,Canada CA,Seychelles SC,\
        Sweden SE,Panama PA";
    let found = CODES
        .split(',')
        .find_map(|entry| entry.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or("ZZ")
}

const SCANNERS: usize = 24;
const REGULARS: usize = 300;
/// A known scanner is not drawn again sooner, so that noise alone does not look like a burst: at most four findings
/// in half an hour. Microseconds.
const SPACING: i64 = 8 * crate::time::MINUTE;

/// The remote addresses of the background: few scanners, some regulars, many that come once.
#[derive(Debug)]
pub(crate) struct Noise {
    known: Vec<(Ipv4Addr, i64)>,
}

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::of(&[seed, 4]);
        let mut known = Vec::with_capacity(SCANNERS + REGULARS);
        let mut fill = |from: u8, to: u8, until: usize| {
            let mut free: Vec<Ipv4Addr> = (from..=to)
                .flat_map(|last| {
                    [
                        Ipv4Addr::new(198, 51, 100, last),
                        Ipv4Addr::new(203, 0, 113, last),
                    ]
                })
                .collect();
            while known.len() < until && !free.is_empty() {
                known.push((free.swap_remove(rng.index(free.len())), i64::MIN / 2));
            }
        };
        // 50 to 99 of both networks stay free for planted bursts.
        fill(1, 49, SCANNERS);
        fill(100, 254, SCANNERS + REGULARS);
        Noise { known }
    }

    /// An address for a finding at this time.
    pub(crate) fn draw(&mut self, rng: &mut Rng, at: i64) -> Remote {
        let index = match rng.below(100) {
            0..45 => rng.index(SCANNERS).min(rng.index(SCANNERS)),
            45..60 => SCANNERS + rng.index(REGULARS),
            _ => return Noise::once(rng),
        };
        match self.known.get_mut(index) {
            Some((v4, last)) if (at - *last).abs() >= SPACING => {
                *last = at.max(*last);
                Remote::from_v4(*v4)
            }
            _ => Noise::once(rng),
        }
    }

    /// An address that most likely appears this once.
    pub(crate) fn once(rng: &mut Rng) -> Remote {
        let host = rng.below(2 << 16) as u32;
        Remote::from_v4(Ipv4Addr::from_bits(
            Ipv4Addr::new(198, 18, 0, 0).to_bits() | host,
        ))
    }
}
