//! `service.action` and the remote ends it names: who called, connected, probed or asked.

use std::borrow::Cow;

use super::json::{Cursor, Fault};

type Text<'a> = Option<Cow<'a, str>>;

/// What happened, from whichever action object the finding has.
#[derive(Debug, Default)]
pub(super) struct Action<'a> {
    pub(super) kind: Text<'a>,
    pub(super) remote: Remote<'a>,
    pub(super) remote_port: Option<i32>,
    pub(super) local_port: Option<i32>,
    pub(super) direction: Text<'a>,
    pub(super) protocol: Text<'a>,
    pub(super) blocked: Option<bool>,
    pub(super) domain: Text<'a>,
    pub(super) api: Text<'a>,
    pub(super) service_name: Text<'a>,
    pub(super) error_code: Text<'a>,
    pub(super) login_user: Text<'a>,
}

/// Remote addresses in document order (repeats included) and the place of the first.
#[derive(Debug, Default)]
pub(super) struct Remote<'a> {
    pub(super) ips: Vec<Cow<'a, str>>,
    /// `sourceIPs` of a Kubernetes call: proxies on the way, often private. They follow the end that has a place, so that
    /// country and ASN are those of the first address.
    pub(super) sources: Vec<Cow<'a, str>>,
    pub(super) place: Place<'a>,
    located: bool,
}

/// Where an address is said to be.
#[derive(Debug, Default)]
pub(super) struct Place<'a> {
    pub(super) country: Text<'a>,
    pub(super) city: Text<'a>,
    pub(super) asn: Option<i64>,
    pub(super) asn_org: Text<'a>,
}

impl<'a> Remote<'a> {
    /// Adds the addresses of one remote end. The place of the first end with an address stays; before that, of any end.
    pub(super) fn add(&mut self, ips: impl IntoIterator<Item = Cow<'a, str>>, place: Place<'a>) {
        let before = self.ips.len();
        self.ips.extend(ips);
        if !self.located {
            self.located = self.ips.len() > before;
            self.place = place;
        }
    }

    fn read_ip_details(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let (mut v4, mut v6, mut v6_first) = (None, None, false);
        let mut place = Place::default();
        let mut code = None;
        c.object(|c, key| {
            match key.name() {
                b"ipaddressv4" => v4 = c.scalar()?.text(),
                b"ipaddressv6" => {
                    v6 = c.scalar()?.text();
                    v6_first = v4.is_none();
                }
                b"country" => c.object(|c, key| {
                    match key.name() {
                        b"countryname" => place.country = c.scalar()?.known(),
                        b"countrycode" => code = c.scalar()?.known(),
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                b"city" => c.object(|c, key| match key.name() {
                    b"cityname" => c.scalar().map(|city| place.city = city.known()),
                    _ => c.skip(),
                })?,
                b"organization" => c.object(|c, key| {
                    match key.name() {
                        b"asn" => place.asn = c.scalar()?.int().filter(|asn| *asn != 0),
                        b"asnorg" => place.asn_org = c.scalar()?.known(),
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        place.country = place.country.or(code);
        let (first, second) = if v6_first { (v6, v4) } else { (v4, v6) };
        self.add(first.into_iter().chain(second), place);
        Ok(())
    }
}

impl<'a> Action<'a> {
    /// Reads `service.action` into this; what was here before is forgotten.
    pub(super) fn read(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        *self = Action::default();
        let action = self;
        c.object(|c, key| match key.name() {
            b"actiontype" => c.scalar().map(|kind| action.kind = kind.text()),
            b"networkconnectionaction" => action.read_network(c),
            b"awsapicallaction" => action.read_aws_api(c),
            b"portprobeaction" => action.read_port_probe(c),
            b"dnsrequestaction" => action.read_dns(c),
            b"kubernetesapicallaction" => action.read_kubernetes_api(c),
            b"rdsloginattemptaction" => action.read_rds_login(c),
            _ => c.skip(),
        })
    }

    fn read_network(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            match key.name() {
                b"remoteipdetails" => self.remote.read_ip_details(c)?,
                b"remoteportdetails" => self.remote_port = read_port(c)?,
                b"localportdetails" => self.local_port = read_port(c)?,
                b"connectiondirection" => self.direction = c.scalar()?.text(),
                b"protocol" => self.protocol = c.scalar()?.text(),
                b"blocked" => self.blocked = c.scalar()?.bool(),
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_aws_api(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            match key.name() {
                b"api" => self.api = c.scalar()?.text(),
                b"servicename" => self.service_name = c.scalar()?.text(),
                b"errorcode" => self.error_code = c.scalar()?.text(),
                b"remoteipdetails" => self.remote.read_ip_details(c)?,
                b"domaindetails" => c.object(|c, key| match key.name() {
                    b"domain" => c
                        .scalar()
                        .map(|domain| self.domain = self.domain.take().or(domain.text())),
                    _ => c.skip(),
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_port_probe(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            match key.name() {
                b"blocked" => self.blocked = self.blocked.or(c.scalar()?.bool()),
                b"portprobedetails" => c.each(|c| {
                    c.object(|c, key| {
                        match key.name() {
                            b"remoteipdetails" => self.remote.read_ip_details(c)?,
                            b"localportdetails" => {
                                self.local_port = self.local_port.or(read_port(c)?)
                            }
                            _ => c.skip()?,
                        }
                        Ok(())
                    })
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_dns(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            match key.name() {
                b"domain" => self.domain = c.scalar()?.text().or(self.domain.take()),
                b"protocol" => self.protocol = self.protocol.take().or(c.scalar()?.text()),
                b"blocked" => self.blocked = self.blocked.or(c.scalar()?.bool()),
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_kubernetes_api(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let (mut verb, mut uri) = (None, None);
        c.object(|c, key| {
            match key.name() {
                b"verb" => verb = c.scalar()?.text(),
                b"requesturi" => uri = c.scalar()?.text(),
                b"remoteipdetails" => self.remote.read_ip_details(c)?,
                b"sourceips" => c.each(|c| {
                    self.remote.sources.extend(c.scalar()?.text());
                    Ok(())
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        let call = match (verb, uri) {
            (Some(verb), Some(uri)) => Some(Cow::Owned(format!("{verb} {uri}"))),
            (verb, uri) => verb.or(uri),
        };
        self.api = self.api.take().or(call);
        Ok(())
    }

    fn read_rds_login(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| match key.name() {
            b"remoteipdetails" => self.remote.read_ip_details(c),
            b"loginattributes" => c.each(|c| {
                c.object(|c, key| match key.name() {
                    b"user" => c
                        .scalar()
                        .map(|user| self.login_user = self.login_user.take().or(user.text())),
                    _ => c.skip(),
                })
            }),
            _ => c.skip(),
        })
    }
}

fn read_port(c: &mut Cursor<'_>) -> Result<Option<i32>, Fault> {
    let mut port = None;
    c.object(|c, key| match key.name() {
        b"port" => c.scalar().map(|number| port = number.small_int()),
        _ => c.skip(),
    })?;
    Ok(port)
}
