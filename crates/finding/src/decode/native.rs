//! A finding in GuardDuty's own schema, whatever the case of its keys: members in, [`Finding`] out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::flat;
use super::json::{Cursor, Fault, Key};
use super::resource::Resource;
use super::scalar::Scalar;
use super::service::Service;
use crate::{Finding, Label, Micros, Shape, VersionHash, WireShape, Wrapper};

type Text<'a> = Option<Cow<'a, str>>;

/// What was read of a finding so far. ASFF and OCSF documents are filled into one too.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) account: Text<'a>,
    pub(super) region: Text<'a>,
    pub(super) partition: Text<'a>,
    pub(super) id: Text<'a>,
    pub(super) arn: Text<'a>,
    pub(super) kind: Text<'a>,
    pub(super) severity: Option<f64>,
    pub(super) label: Option<Label>,
    pub(super) title: Text<'a>,
    pub(super) description: Text<'a>,
    pub(super) created_at: Option<Micros>,
    pub(super) updated_at: Option<Micros>,
    pub(super) resource: Resource<'a>,
    pub(super) service: Service<'a>,
    pub(super) has_service: bool,
    /// Members of a flattened row (`service_action_...`), applied at the end.
    flat: Vec<(Cow<'a, str>, Scalar<'a>)>,
    case: Case,
}

/// How the keys are written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    #[default]
    Camel,
    Pascal,
    Lower,
}

/// What an envelope knows of the finding inside it.
#[derive(Debug, Default)]
pub(super) struct Outside<'a> {
    pub(super) account: Text<'a>,
    pub(super) region: Text<'a>,
}

/// Which kind of document a finding was found in, before looking at the case of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// The finding is the document, or an element of a list that is.
    Bare,
    EventBridge,
    GetFindings,
    Rest,
}

impl<'a> Draft<'a> {
    /// Reads the value of a member that belongs to a finding; `false`, and nothing read, when it does not.
    pub(super) fn member(&mut self, c: &mut Cursor<'a>, key: &Key<'a>) -> Result<bool, Fault> {
        match key.name() {
            b"accountid" => self.account = c.scalar()?.account(),
            b"region" => self.region = c.scalar()?.text(),
            b"partition" => self.partition = c.scalar()?.text(),
            b"id" => self.id = c.scalar()?.text(),
            b"arn" => self.arn = c.scalar()?.text(),
            b"type" => self.kind = c.scalar()?.text(),
            b"resource" => self.resource.read(c)?,
            b"service" => {
                self.has_service = c.peek() == b'{';
                self.service.read(c)?;
            }
            b"severity" => (self.severity, self.label) = c.scalar()?.severity(),
            b"createdat" => self.created_at = c.scalar()?.time(),
            b"updatedat" => self.updated_at = c.scalar()?.time(),
            b"title" => self.title = c.scalar()?.text(),
            b"description" => self.description = c.scalar()?.text(),
            _ if is_flat(&key.text) => {
                let value = c.scalar()?;
                self.flat.push((key.text.clone(), value));
            }
            _ => return Ok(false),
        }
        if key.is_pascal() {
            self.case = Case::Pascal;
        } else if matches!(&*key.text, "accountid" | "createdat" | "updatedat") {
            self.case = Case::Lower;
        }
        Ok(true)
    }

    /// Whether this looks like a GuardDuty finding at all: it has an id or ARN, and a type.
    pub(super) fn is_finding(&self) -> bool {
        (self.id.is_some() || self.arn.is_some()) && self.kind.is_some()
    }

    /// The wire shape of a native finding in this frame.
    pub(super) fn shape(&self, frame: Frame, wrapper: Wrapper) -> WireShape {
        let shape = match (frame, self.case) {
            (Frame::Bare, Case::Camel) => Shape::Export,
            (Frame::Bare, Case::Pascal) => Shape::Console,
            (Frame::Bare, Case::Lower) => Shape::Athena,
            (Frame::EventBridge, Case::Pascal) => Shape::EventBridgePascal,
            (Frame::EventBridge, _) => Shape::EventBridge,
            (Frame::GetFindings, _) => Shape::GetFindings,
            (Frame::Rest, _) => Shape::Rest,
        };
        WireShape { wrapper, shape }
    }

    /// The finding, or why it cannot be told from others.
    pub(super) fn finish(
        mut self,
        outside: Outside<'a>,
        raw: &'a str,
        wire_shape: WireShape,
    ) -> Result<Box<Finding<'a>>, &'static str> {
        for (path, value) in std::mem::take(&mut self.flat) {
            flat::put(&mut self, &path.replace('_', "/"), value);
        }
        let whole = self.account.is_some()
            && self.region.is_some()
            && self.partition.is_some()
            && self.id.is_some()
            && self.service.detector_id.is_some();
        let arn = self
            .arn
            .as_ref()
            .filter(|_| !whole)
            .map(Arn::of)
            .unwrap_or_default();
        let (account, region) = (
            self.account.or(arn.account).or(outside.account),
            self.region.or(arn.region).or(outside.region),
        );
        let detector_id = self.service.detector_id.or(arn.detector);
        let id = self.id.or(arn.finding);
        let (account_id, region, finding_id) = match (account, region, id) {
            (Some(account), Some(region), Some(id)) => (account, region, id),
            // Published fixtures and hand-trimmed events lack one or more. Where the document is plainly a finding of
            // GuardDuty and still cannot be confused with another, it is a row with what it knows.
            (account, region, Some(id)) if self.kind.is_some() && self.has_service => {
                (account.unwrap_or_default(), region.unwrap_or_default(), id)
            }
            (account, region, None) if self.kind.is_some() && detector_id.is_some() => (
                account.unwrap_or_default(),
                region.unwrap_or_default(),
                Cow::Owned(digest_id(raw)),
            ),
            (_, _, None) => return Err("a finding without identity: neither `id` nor `arn`"),
            (None, _, _) => {
                return Err(
                    "a finding without identity: no account in `accountId`, `arn` or envelope",
                );
            }
            (_, None, _) => {
                return Err("a finding without identity: no Region in `region`, `arn` or envelope");
            }
        };
        let Service {
            info,
            action,
            sequence,
            evidence_lists,
            process_user,
            ..
        } = self.service;
        let resource_id = self.resource.id().or(sequence.resource_uid);
        let user_name = self
            .resource
            .user()
            .or(action.login_user)
            .or(process_user)
            .or(sequence.user_name);
        let resource = self.resource;
        let mut remote = action.remote;
        let endpoints = sequence.endpoints;
        let sources = std::mem::take(&mut remote.sources);
        remote.ips.extend(sources);
        if remote.ips.is_empty() && !endpoints.ips.is_empty() {
            remote = endpoints;
        } else {
            remote.ips.extend(endpoints.ips);
        }
        let (api, service_name, error_code) =
            if action.api.is_some() || action.service_name.is_some() {
                (action.api, action.service_name, action.error_code)
            } else {
                (
                    sequence.api,
                    sequence.service_name,
                    action.error_code.or(sequence.error_code),
                )
            };
        let mut threat_lists = info.threat_lists;
        threat_lists.extend(evidence_lists);
        let mut bucket_names = resource.bucket_names;
        bucket_names.extend(sequence.buckets);
        Ok(Box::new(Finding {
            account_id,
            region,
            partition: self.partition.or(arn.partition),
            finding_id,
            arn: self.arn,
            finding_type: self.kind,
            severity: self.severity,
            severity_label: self.label,
            title: self.title,
            description: self.description,
            resource_type: resource.kind,
            resource_id,
            action_type: action.kind,
            remote_ips: unique(remote.ips),
            remote_port: action.remote_port,
            local_port: action.local_port,
            direction: action.direction,
            protocol: action.protocol,
            blocked: action.blocked,
            remote_country: remote.place.country,
            remote_city: remote.place.city,
            remote_asn: remote.place.asn,
            remote_asn_org: remote.place.asn_org,
            dns_domain: action.domain.or(sequence.domain),
            api,
            service_name,
            error_code,
            user_name,
            user_type: resource.access_key.user_type.or(sequence.user_type),
            principal_id: resource.access_key.principal_id,
            access_key_id: resource.access_key.id.or(sequence.credential),
            instance_id: resource.instance_id,
            bucket_names: unique(bucket_names),
            cluster_name: resource.eks.name.or(resource.ecs.name),
            container_image: resource
                .container_image
                .or(resource.task_image)
                .or(resource.workload_image),
            db_instance: resource.database.name,
            lambda_function: resource.lambda.name,
            threat_lists: unique(threat_lists),
            detector_id,
            count: self.service.count,
            event_first_seen: self.service.first_seen,
            event_last_seen: self.service.last_seen,
            created_at: self.created_at,
            updated_at: self.updated_at,
            archived: self.service.archived,
            sample: info.sample.unwrap_or(false),
            raw: Cow::Borrowed(raw),
            wire_shape,
        }))
    }
}

/// The parts of `arn:partition:guardduty:region:account:detector/<detector>/finding/<finding>` that stand in for members.
#[derive(Debug, Default)]
pub(super) struct Arn<'a> {
    pub(super) partition: Text<'a>,
    pub(super) region: Text<'a>,
    pub(super) account: Text<'a>,
    pub(super) detector: Text<'a>,
    pub(super) finding: Text<'a>,
}

impl<'a> Arn<'a> {
    pub(super) fn of(arn: &Cow<'a, str>) -> Arn<'a> {
        let mut parts = arn.splitn(6, ':');
        if parts.next() != Some("arn") {
            return Arn::default();
        }
        let mut part = || parts.next().unwrap_or("");
        let (partition, _, region, account, resource) = (part(), part(), part(), part(), part());
        let detector = resource
            .strip_prefix("detector/")
            .and_then(|rest| rest.split('/').next())
            .unwrap_or("");
        let finding = resource.rsplit_once('/').map_or("", |(_, last)| last);
        Arn {
            partition: borrow(arn, partition),
            region: borrow(arn, region),
            account: borrow(arn, account),
            detector: borrow(arn, detector),
            finding: borrow(arn, finding),
        }
    }
}

/// `part` of `whole` with the lifetime of the record when `whole` has it; `None` when empty.
pub(super) fn borrow<'a>(whole: &Cow<'a, str>, part: &str) -> Text<'a> {
    if part.is_empty() {
        return None;
    }
    match whole {
        Cow::Borrowed(whole) => {
            let start = part.as_ptr() as usize - whole.as_ptr() as usize;
            whole.get(start..start + part.len()).map(Cow::Borrowed)
        }
        Cow::Owned(_) => Some(Cow::Owned(part.to_owned())),
    }
}

/// Each once, in the order of first appearance.
fn unique<'a>(mut list: Vec<Cow<'a, str>>) -> Vec<Cow<'a, str>> {
    if list.len() > 32 {
        let mut seen = BTreeSet::new();
        list.retain(|item| seen.insert(item.clone()));
        return list;
    }
    let mut kept = 0;
    for i in 0..list.len() {
        if !list[..kept].contains(&list[i]) {
            list.swap(kept, i);
            kept += 1;
        }
    }
    list.truncate(kept);
    list
}

fn is_flat(key: &str) -> bool {
    let has = |prefix: &str| {
        key.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    has("service_") || has("resource_")
}

fn digest_id(raw: &str) -> String {
    let digest = VersionHash::raw_digest(raw);
    digest[..16]
        .iter()
        .fold(String::from("sha256-"), |mut id, byte| {
            id.push_str(&format!("{byte:02x}"));
            id
        })
}
