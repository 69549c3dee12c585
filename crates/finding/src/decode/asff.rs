//! AWS Security Finding Format: what Security Hub makes of a finding. Other products come down the same pipe and are skipped.
//!
//! `ProductFields` carries GuardDuty's own members as flat text, since 2020 under `aws/guardduty/service/`, before that bare.

use std::borrow::Cow;

use super::flat;
use super::framing::Walk;
use super::json::{Cursor, Fault};
use super::native::{Draft, Outside, borrow};
use crate::{Decoded, Shape, WireShape};

type Text<'a> = Option<Cow<'a, str>>;

/// Hands out the ASFF finding in `raw`.
pub(super) fn hand_out(walk: &mut Walk<'_>, raw: &str) {
    let asff = match Asff::read(&mut Cursor::new(raw, 0)) {
        Ok(asff) => asff,
        Err(fault) => return walk.reject(raw.as_bytes(), fault.why),
    };
    if !asff.is_guardduty {
        return walk.hand_out(Decoded::Skipped);
    }
    let shape = WireShape {
        wrapper: walk.wrapper(),
        shape: Shape::Asff,
    };
    match asff.draft.finish(
        Outside {
            account: None,
            region: asff.resource_region,
        },
        raw,
        shape,
    ) {
        Ok(finding) => walk.hand_out(Decoded::Finding(finding)),
        Err(why) => walk.reject(raw.as_bytes(), why),
    }
}

#[derive(Default)]
struct Asff<'a> {
    draft: Draft<'a>,
    is_guardduty: bool,
    resource_region: Text<'a>,
}

impl<'a> Asff<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<Asff<'a>, Fault> {
        let mut asff = Asff::default();
        let (mut first_observed, mut last_observed, mut archived, mut sample) =
            (None, None, None, None);
        c.object(|c, key| {
            let draft = &mut asff.draft;
            match key.name() {
                b"id" => draft.arn = c.scalar()?.text(),
                b"awsaccountid" => draft.account = c.scalar()?.account(),
                b"region" => draft.region = c.scalar()?.text(),
                b"productarn" | b"productname" | b"generatorid" => {
                    let product = c.scalar()?.text();
                    asff.is_guardduty |= product.is_some_and(|text| names_guardduty(&text));
                }
                b"types" => c.each(|c| {
                    if let Some(kind) = c.scalar()?.text().filter(|_| draft.kind.is_none()) {
                        draft.kind = native_type(&kind).map(Cow::Owned);
                    }
                    Ok(())
                })?,
                b"severity" => read_severity(draft, c)?,
                b"title" => draft.title = c.scalar()?.text(),
                b"description" => draft.description = c.scalar()?.text(),
                b"createdat" => draft.created_at = c.scalar()?.time(),
                // Only the spelling of the format: recorded events carry an `updatedAt` of another system beside it.
                b"updatedat" if key.is_pascal() => draft.updated_at = c.scalar()?.time(),
                b"firstobservedat" => first_observed = c.scalar()?.time(),
                b"lastobservedat" => last_observed = c.scalar()?.time(),
                b"recordstate" => archived = c.scalar()?.text().map(|state| state == "ARCHIVED"),
                b"sample" => sample = c.scalar()?.bool(),
                b"productfields" => c.object(|c, key| {
                    let value = c.scalar()?;
                    flat::put(draft, &key.text, value);
                    Ok(())
                })?,
                b"resources" => c.each(|c| asff.read_resource(c))?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        let draft = &mut asff.draft;
        if let Some(id) = draft.arn.take_if(|id| !id.starts_with("arn:")) {
            draft.id = borrow(&id, id.rsplit('/').next().unwrap_or(""));
        }
        let service = &mut draft.service;
        service.first_seen = service.first_seen.or(first_observed);
        service.last_seen = service.last_seen.or(last_observed);
        service.archived = if archived == Some(true) {
            archived
        } else {
            service.archived.or(archived)
        };
        service.info.sample = service.info.sample.or(sample);
        Ok(asff)
    }

    fn read_resource(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let (mut kind, mut id, mut region) = (None, None, None);
        let (mut name, mut arn) = (None, None);
        let resource = &mut self.draft.resource;
        c.object(|c, key| {
            match key.name() {
                b"type" => kind = c.scalar()?.text(),
                b"id" => id = c.scalar()?.text().filter(|id| !id.ends_with(":null")),
                b"region" => region = c.scalar()?.text(),
                b"details" => c.object(|c, _| {
                    c.object(|c, key| {
                        match key.name() {
                            b"username" | b"principalname" => {
                                let user = c.scalar()?.text();
                                resource.access_key.user_name =
                                    resource.access_key.user_name.take().or(user);
                            }
                            b"principalid" => resource.access_key.principal_id = c.scalar()?.text(),
                            b"principaltype" => resource.access_key.user_type = c.scalar()?.text(),
                            b"name"
                            | b"clustername"
                            | b"functionname"
                            | b"dbinstanceidentifier" => {
                                name = c.scalar()?.text();
                            }
                            b"arn" | b"clusterarn" => arn = c.scalar()?.text(),
                            b"imagename" => resource.container_image = c.scalar()?.text(),
                            _ => c.skip()?,
                        }
                        Ok(())
                    })
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        let last_of_id = |sign| {
            id.as_ref()
                .and_then(|id| borrow(id, id.rsplit(sign).next().unwrap_or("")))
        };
        match kind.as_deref() {
            Some("AwsEc2Instance") => resource.instance_id = last_of_id('/'),
            Some("AwsIamAccessKey") => resource.access_key.id = last_of_id(':'),
            Some("AwsS3Bucket") => resource.bucket_names.extend(last_of_id(':')),
            Some("AwsEksCluster") => resource.eks.name = name.or_else(|| last_of_id('/')),
            Some("AwsEcsCluster") => resource.ecs.name = name.or_else(|| last_of_id('/')),
            Some("AwsLambdaFunction") => resource.lambda.name = name.or_else(|| last_of_id(':')),
            Some("AwsRdsDbInstance") => resource.database.name = name.or_else(|| last_of_id(':')),
            _ => {}
        }
        if resource.kind.is_none() {
            resource.main_id = id.or(arn);
            resource.kind = kind;
            self.resource_region = region;
        }
        Ok(())
    }
}

pub(super) fn names_guardduty(product: &str) -> bool {
    product.to_ascii_lowercase().contains("guardduty")
}

/// `Product` is GuardDuty's number; `Normalized` is not used: it is 20 or 40 for the same 2.
fn read_severity<'a>(draft: &mut Draft<'a>, c: &mut Cursor<'a>) -> Result<(), Fault> {
    if c.peek() != b'{' {
        (draft.severity, draft.label) = c.scalar()?.severity();
        return Ok(());
    }
    let mut word = None;
    c.object(|c, key| {
        match key.name() {
            b"product" => (draft.severity, draft.label) = c.scalar()?.severity(),
            b"label" => word = c.scalar()?.severity().1,
            _ => c.skip()?,
        }
        Ok(())
    })?;
    draft.label = draft.label.or(word);
    Ok(())
}

/// GuardDuty's type from `TTPs/<tactic>/<Purpose>:<Resource>-<Family>`, where the `/` after the resource became `-`.
///
/// The table of the AWS Security Hub user guide (`asff_types.csv`) inverts in full; of newer types that dropped the purpose
/// the tactic stands in for it.
pub(super) fn native_type(asff: &str) -> Option<String> {
    let last = |text: &str| text.rsplit('/').next().unwrap_or("").to_owned();
    let (purpose, rest) = match asff.split_once(':') {
        Some((path, rest)) => (last(path), rest.to_owned()),
        None => {
            let (path, rest) = asff.rsplit_once('/')?;
            (last(path).replace(' ', ""), rest.to_owned())
        }
    };
    let rest = if rest.contains('/') {
        rest
    } else if rest.contains('-') {
        rest.replacen('-', "/", 1)
    } else {
        rest.replacen('.', "/", 1)
    };
    // The one type that gained an artifact on the way.
    let rest = if rest == "EC2/DNSDataExfiltration!DNS" {
        "EC2/DNSDataExfiltration".to_owned()
    } else {
        rest
    };
    Some(format!("{purpose}:{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(asff: &str, native: &str) {
        assert_eq!(native_type(asff).as_deref(), Some(native), "{asff}");
    }

    #[test]
    fn every_type_of_the_published_table_comes_back() {
        let table = include_str!("../../../../tests/fixtures/samples/asff_types.csv");
        let rows: Vec<Vec<&str>> = table
            .lines()
            .skip(1)
            .map(|row| row.split(',').collect())
            .collect();
        assert!(rows.len() > 70);
        for row in rows {
            check(row[1], row[0]);
        }
    }

    #[test]
    fn newer_and_older_forms() {
        check(
            "TTPs/Discovery/IAMUser-AnomalousBehavior",
            "Discovery:IAMUser/AnomalousBehavior",
        );
        check(
            "TTPs/Defense Evasion/EC2-UnusualDNSResolver",
            "DefenseEvasion:EC2/UnusualDNSResolver",
        );
        check(
            "Software and Configuration Checks/Exfiltration:S3.ObjectRead.Unusual",
            "Exfiltration:S3/ObjectRead.Unusual",
        );
        assert_eq!(native_type("nothing"), None);
    }
}
