//! OCSF Detection Finding (class 2004, Security Lake; older 2001): Security Hub's finding in the schema of ocsf.io 1.1.
//!
//! GuardDuty's severity number and often its count do not survive the way; times are Security Hub's.

use std::borrow::Cow;

use super::action::Place;
use super::asff::{names_guardduty, native_type};
use super::framing::Walk;
use super::json::{Cursor, Fault};
use super::native::{Draft, Outside, borrow};
use super::scalar::Scalar;
use crate::{Decoded, Label, Shape, WireShape};

/// Hands out the OCSF finding in `raw`.
pub(super) fn hand_out(walk: &mut Walk<'_>, raw: &str) {
    let ocsf = match Ocsf::read(&mut Cursor::new(raw, 0)) {
        Ok(ocsf) => ocsf,
        Err(fault) => return walk.reject(raw.as_bytes(), fault.why),
    };
    if !ocsf.is_guardduty {
        return walk.hand_out(Decoded::Skipped);
    }
    let shape = WireShape {
        wrapper: walk.wrapper(),
        shape: Shape::Ocsf,
    };
    match ocsf.draft.finish(Outside::default(), raw, shape) {
        Ok(finding) => walk.hand_out(Decoded::Finding(finding)),
        Err(why) => walk.reject(raw.as_bytes(), why),
    }
}

#[derive(Default)]
struct Ocsf<'a> {
    draft: Draft<'a>,
    is_guardduty: bool,
}

impl<'a> Ocsf<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<Ocsf<'a>, Fault> {
        let mut ocsf = Ocsf::default();
        let mut label = None;
        c.object(|c, key| {
            let draft = &mut ocsf.draft;
            match key.name() {
                b"finding_info" | b"finding" => ocsf.read_info(c)?,
                b"metadata" => ocsf.read_metadata(c)?,
                b"cloud" => ocsf.read_cloud(c)?,
                b"severity" => draft.label = c.scalar()?.severity().1,
                b"severity_id" => label = c.scalar()?.int().and_then(label_of_id),
                b"count" => draft.service.count = c.scalar()?.int(),
                b"resources" => c.each(|c| ocsf.read_resource(c))?,
                b"evidences" => c.each(|c| ocsf.read_evidence(c))?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        let draft = &mut ocsf.draft;
        draft.label = draft.label.or(label);
        if let Some(uid) = draft.arn.take_if(|uid| !uid.starts_with("arn:")) {
            draft.id = borrow(&uid, uid.rsplit('/').next().unwrap_or(""));
        }
        Ok(ocsf)
    }

    fn read_info(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let draft = &mut self.draft;
        c.object(|c, key| {
            match key.name() {
                b"uid" => draft.arn = c.scalar()?.text(),
                b"title" => draft.title = c.scalar()?.text(),
                b"desc" => draft.description = c.scalar()?.text(),
                b"types" => c.each(|c| {
                    if let Some(kind) = c.scalar()?.text().filter(|_| draft.kind.is_none()) {
                        draft.kind = native_type(&kind).map(Cow::Owned);
                    }
                    Ok(())
                })?,
                // The `_dt` text keeps microseconds where the number is milliseconds, so it wins.
                b"first_seen_time_dt" => keep(&mut draft.service.first_seen, c.scalar()?, true),
                b"first_seen_time" => keep(&mut draft.service.first_seen, c.scalar()?, false),
                b"last_seen_time_dt" => keep(&mut draft.service.last_seen, c.scalar()?, true),
                b"last_seen_time" => keep(&mut draft.service.last_seen, c.scalar()?, false),
                b"created_time_dt" => keep(&mut draft.created_at, c.scalar()?, true),
                b"created_time" => keep(&mut draft.created_at, c.scalar()?, false),
                b"modified_time_dt" => keep(&mut draft.updated_at, c.scalar()?, true),
                b"modified_time" => keep(&mut draft.updated_at, c.scalar()?, false),
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_metadata(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| match key.name() {
            b"product" => c.object(|c, key| {
                match key.name() {
                    b"name" | b"uid" => {
                        let product = c.scalar()?.text();
                        self.is_guardduty |= product.is_some_and(|text| names_guardduty(&text));
                    }
                    b"feature" => c.object(|c, key| match key.name() {
                        b"uid" => c.scalar().map(|uid| {
                            let generator = uid.text();
                            self.is_guardduty |= generator.as_deref().is_some_and(names_guardduty);
                            let tail = |uid: &Cow<'a, str>| {
                                borrow(uid, uid.rsplit('/').next().unwrap_or(""))
                            };
                            self.draft.service.detector_id = generator.as_ref().and_then(tail);
                        }),
                        _ => c.skip(),
                    })?,
                    _ => c.skip()?,
                }
                Ok(())
            }),
            _ => c.skip(),
        })
    }

    fn read_cloud(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let draft = &mut self.draft;
        c.object(|c, key| {
            match key.name() {
                b"account" => c.object(|c, key| match key.name() {
                    b"uid" => c.scalar().map(|uid| draft.account = uid.account()),
                    _ => c.skip(),
                })?,
                b"account_uid" => draft.account = c.scalar()?.account(),
                b"region" => draft.region = c.scalar()?.text(),
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_resource(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let (mut kind, mut id, mut partition) = (None, None, None);
        c.object(|c, key| {
            match key.name() {
                b"type" => kind = c.scalar()?.text(),
                b"uid" => id = c.scalar()?.text(),
                b"cloud_partition" => partition = c.scalar()?.text(),
                _ => c.skip()?,
            }
            Ok(())
        })?;
        let draft = &mut self.draft;
        let resource = &mut draft.resource;
        let last_of_id = |sign| {
            id.as_ref()
                .and_then(|id| borrow(id, id.rsplit(sign).next().unwrap_or("")))
        };
        match kind.as_deref() {
            Some("AwsEc2Instance") => resource.instance_id = last_of_id('/'),
            Some("AwsIamAccessKey") => {
                resource.access_key.id = last_of_id(':').filter(|id| id != "null")
            }
            Some("AwsS3Bucket") => resource.bucket_names.extend(last_of_id(':')),
            _ => {}
        }
        if resource.kind.is_none() {
            resource.main_id = id;
            resource.kind = kind;
            draft.partition = partition;
        }
        Ok(())
    }

    fn read_evidence(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            let draft = &mut self.draft;
            let action = &mut draft.service.action;
            match key.name() {
                b"src_endpoint" => self.read_source(c)?,
                b"dst_endpoint" => c.object(|c, key| match key.name() {
                    b"port" => c.scalar().map(|port| action.local_port = port.small_int()),
                    _ => c.skip(),
                })?,
                b"api" => c.object(|c, key| {
                    match key.name() {
                        b"operation" => action.api = c.scalar()?.text(),
                        b"service" => c.object(|c, key| match key.name() {
                            b"name" => c.scalar().map(|name| action.service_name = name.text()),
                            _ => c.skip(),
                        })?,
                        b"response" => c.object(|c, key| match key.name() {
                            b"error" => c.scalar().map(|error| action.error_code = error.text()),
                            _ => c.skip(),
                        })?,
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                b"query" => c.object(|c, key| match key.name() {
                    b"hostname" => c.scalar().map(|name| action.domain = name.text()),
                    _ => c.skip(),
                })?,
                b"connection_info" => c.object(|c, key| {
                    match key.name() {
                        b"direction" => {
                            let upper = |word: Cow<'a, str>| Cow::Owned(word.to_ascii_uppercase());
                            action.direction = c.scalar()?.text().map(upper);
                        }
                        b"protocol_name" => action.protocol = c.scalar()?.text(),
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                b"actor" => c.object(|c, key| match key.name() {
                    b"user" => c.object(|c, key| {
                        let access_key = &mut draft.resource.access_key;
                        match key.name() {
                            b"name" => access_key.user_name = c.scalar()?.text(),
                            b"type" => access_key.user_type = c.scalar()?.text(),
                            b"uid" => access_key.principal_id = c.scalar()?.text(),
                            b"credential_uid" => access_key.id = c.scalar()?.text(),
                            _ => c.skip()?,
                        }
                        Ok(())
                    }),
                    _ => c.skip(),
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_source(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let mut ip = None;
        let mut place = Place::default();
        let action = &mut self.draft.service.action;
        c.object(|c, key| {
            match key.name() {
                b"ip" => ip = c.scalar()?.text(),
                b"port" => action.remote_port = c.scalar()?.small_int(),
                b"location" => c.object(|c, key| {
                    match key.name() {
                        b"country" => place.country = c.scalar()?.known(),
                        b"city" => place.city = c.scalar()?.known(),
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                b"autonomous_system" => c.object(|c, key| {
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
        action.remote.add(ip, place);
        Ok(())
    }
}

/// Puts an instant into `slot`; one that does not win only where there is none.
fn keep(slot: &mut Option<i64>, value: Scalar<'_>, wins: bool) {
    let time = value.time();
    *slot = if wins { time.or(*slot) } else { slot.or(time) };
}

fn label_of_id(id: i64) -> Option<Label> {
    match id {
        1 => Some(Label::Informational),
        2 => Some(Label::Low),
        3 => Some(Label::Medium),
        4 => Some(Label::High),
        5 | 6 => Some(Label::Critical),
        _ => None,
    }
}
