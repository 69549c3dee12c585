//! `service`: when and how often it was seen, what led to it, and the sequence of an attack.

use std::borrow::Cow;

use super::action::{Action, Place, Remote};
use super::json::{Cursor, Fault};
use crate::Micros;

type Text<'a> = Option<Cow<'a, str>>;

/// The part of a finding under `service`.
#[derive(Debug, Default)]
pub(super) struct Service<'a> {
    pub(super) archived: Option<bool>,
    pub(super) count: Option<i64>,
    pub(super) detector_id: Text<'a>,
    pub(super) first_seen: Option<Micros>,
    pub(super) last_seen: Option<Micros>,
    pub(super) action: Action<'a>,
    pub(super) info: Info<'a>,
    /// Threat lists of the evidence, in document order, repeats included.
    pub(super) evidence_lists: Vec<Cow<'a, str>>,
    pub(super) process_user: Text<'a>,
    pub(super) sequence: Sequence<'a>,
}

/// `additionalInfo`: an object in camelCase, JSON text under `Value` in the SDK's shape, both since 2022.
#[derive(Debug, Default)]
pub(super) struct Info<'a> {
    pub(super) sample: Option<bool>,
    pub(super) threat_lists: Vec<Cow<'a, str>>,
}

/// `detection.sequence` of an attack sequence: the first of each thing that has a column, and all endpoints.
#[derive(Debug, Default)]
pub(super) struct Sequence<'a> {
    pub(super) user_name: Text<'a>,
    pub(super) user_type: Text<'a>,
    pub(super) credential: Text<'a>,
    pub(super) endpoints: Remote<'a>,
    pub(super) domain: Text<'a>,
    pub(super) resource_uid: Text<'a>,
    pub(super) buckets: Vec<Cow<'a, str>>,
    pub(super) api: Text<'a>,
    pub(super) service_name: Text<'a>,
    pub(super) error_code: Text<'a>,
}

impl<'a> Service<'a> {
    /// Reads `service` into this; what was here before is forgotten.
    pub(super) fn read(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        *self = Service::default();
        let service = self;
        c.object(|c, key| {
            match key.name() {
                b"action" => service.action.read(c)?,
                b"archived" => service.archived = c.scalar()?.bool(),
                b"count" => service.count = c.scalar()?.int(),
                b"detectorid" => service.detector_id = c.scalar()?.text(),
                b"eventfirstseen" => service.first_seen = c.scalar()?.time(),
                b"eventlastseen" => service.last_seen = c.scalar()?.time(),
                b"additionalinfo" => service.info = Info::read(c)?,
                b"evidence" => service.evidence_lists = read_evidence(c)?,
                b"runtimedetails" => c.object(|c, key| match key.name() {
                    b"process" => c.object(|c, key| match key.name() {
                        b"user" => c.scalar().map(|user| service.process_user = user.text()),
                        _ => c.skip(),
                    }),
                    _ => c.skip(),
                })?,
                b"detection" => c.object(|c, key| match key.name() {
                    b"sequence" => Sequence::read(c).map(|sequence| service.sequence = sequence),
                    _ => c.skip(),
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })
    }
}

impl<'a> Info<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<Info<'a>, Fault> {
        if c.peek() == b'"' {
            return Ok(Info::of_text(&c.string()?));
        }
        let mut info = Info::default();
        let mut value = None;
        c.object(|c, key| {
            match key.name() {
                b"sample" => info.sample = c.scalar()?.bool(),
                b"threatlistname" => c.each(|c| {
                    info.threat_lists.extend(c.scalar()?.text());
                    Ok(())
                })?,
                b"value" if c.peek() == b'"' => value = Some(c.string()?),
                _ => c.skip()?,
            }
            Ok(())
        })?;
        if let Some(value) = value {
            let inner = Info::of_text(&value);
            info.sample = info.sample.or(inner.sample);
            info.threat_lists.extend(inner.threat_lists);
        }
        Ok(info)
    }

    /// From the JSON text in `additionalInfo.value`; what is no JSON says nothing.
    pub(super) fn of_text(text: &str) -> Info<'static> {
        let mut c = Cursor::new(text, 0);
        if c.peek() != b'{' {
            return Info::default();
        }
        let info = Info::read(&mut c).unwrap_or_default();
        let owned = |name: Cow<'_, str>| Cow::Owned(name.into_owned());
        Info {
            sample: info.sample,
            threat_lists: info.threat_lists.into_iter().map(owned).collect(),
        }
    }
}

fn read_evidence<'a>(c: &mut Cursor<'a>) -> Result<Vec<Cow<'a, str>>, Fault> {
    let mut lists = Vec::new();
    c.object(|c, key| match key.name() {
        b"threatintelligencedetails" => c.each(|c| {
            c.object(|c, key| match key.name() {
                b"threatlistname" => c.scalar().map(|name| lists.extend(name.text())),
                _ => c.skip(),
            })
        }),
        _ => c.skip(),
    })?;
    Ok(lists)
}

impl<'a> Sequence<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<Sequence<'a>, Fault> {
        let mut sequence = Sequence::default();
        c.object(|c, key| match key.name() {
            b"actors" => c.each(|c| sequence.read_actor(c)),
            b"endpoints" => c.each(|c| sequence.read_endpoint(c)),
            b"resources" => c.each(|c| sequence.read_resource(c)),
            b"signals" => c.each(|c| sequence.read_signal(c)),
            _ => c.skip(),
        })?;
        Ok(sequence)
    }

    fn read_actor(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| match key.name() {
            b"user" => c.object(|c, key| {
                match key.name() {
                    b"name" => first(&mut self.user_name, c.scalar()?.text()),
                    b"type" => first(&mut self.user_type, c.scalar()?.text()),
                    b"credentialuid" => first(&mut self.credential, c.scalar()?.text()),
                    _ => c.skip()?,
                }
                Ok(())
            }),
            _ => c.skip(),
        })
    }

    fn read_endpoint(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let mut ip = None;
        let mut place = Place::default();
        c.object(|c, key| {
            match key.name() {
                b"ip" => ip = c.scalar()?.text(),
                b"domain" => first(&mut self.domain, c.scalar()?.text()),
                b"location" => c.object(|c, key| {
                    match key.name() {
                        b"country" => place.country = c.scalar()?.known(),
                        b"city" => place.city = c.scalar()?.known(),
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                b"autonomoussystem" => c.object(|c, key| {
                    match key.name() {
                        b"number" => place.asn = c.scalar()?.int().filter(|asn| *asn != 0),
                        b"name" => place.asn_org = c.scalar()?.known(),
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        self.endpoints.add(ip, place);
        Ok(())
    }

    fn read_resource(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let (mut name, mut kind) = (None, None);
        c.object(|c, key| {
            match key.name() {
                b"uid" => first(&mut self.resource_uid, c.scalar()?.text()),
                b"name" => name = c.scalar()?.text(),
                b"resourcetype" => kind = c.scalar()?.text(),
                _ => c.skip()?,
            }
            Ok(())
        })?;
        if kind.as_deref() == Some("S3_BUCKET") {
            self.buckets.extend(name);
        }
        Ok(())
    }

    fn read_signal(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| match key.name() {
            b"activities" => c.each(|c| {
                c.object(|c, key| match key.name() {
                    b"api" => self.read_api(c),
                    _ => c.skip(),
                })
            }),
            _ => c.skip(),
        })
    }

    /// The first call alone: its operation, service and error belong together.
    fn read_api(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        if self.api.is_some() {
            return c.skip();
        }
        c.object(|c, key| {
            match key.name() {
                b"operation" => self.api = c.scalar()?.text(),
                b"service" => self.service_name = c.scalar()?.text(),
                b"error" => self.error_code = c.scalar()?.text(),
                _ => c.skip()?,
            }
            Ok(())
        })
    }
}

fn first<'a>(slot: &mut Text<'a>, value: Text<'a>) {
    if slot.is_none() {
        *slot = value;
    }
}
