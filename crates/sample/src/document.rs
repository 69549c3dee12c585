//! What the generator hands out: documents in one of three shapes, each with the truth about its findings.

use crate::finding::Finding;
use crate::rng::Rng;
use crate::scene::{Scene, World};
use crate::time;
use crate::wire::Wire;
use crate::{catalogue::Action, detail};

/// The outer form of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// An EventBridge event with one finding as its detail, camelCase.
    #[default]
    EventBridge,
    /// A line of GuardDuty's export to S3: the finding alone, camelCase.
    Export,
    /// The output of `aws guardduty get-findings`: up to 50 findings, PascalCase.
    GetFindings,
}

/// One JSON document, compact and without a newline.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The JSON text.
    pub bytes: Vec<u8>,
    /// The id of the (first) finding, as a rule with `PartitionKeyPath: $.detail.id` would have it.
    pub partition_key: String,
    /// What the document says, in its order: one for the first two shapes, up to 50 for the third.
    pub truths: Vec<Truth>,
}

/// What one published version of a finding says. Times are UTC microseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// 12 digits.
    pub account_id: String,
    /// Region of the detector.
    pub region: String,
    /// 32 hexadecimal digits.
    pub finding_id: String,
    /// Type of the finding.
    pub finding_type: String,
    /// Severity as written.
    pub severity: f64,
    /// `service.eventLastSeen`.
    pub event_time: i64,
    /// `updatedAt`.
    pub updated_at: i64,
    /// `createdAt`.
    pub created_at: i64,
    /// `service.count`.
    pub count: u64,
    /// Every remote address that the document names, each once, in order of appearance.
    pub remote_ips: Vec<String>,
    /// Whether it is marked as a sample finding.
    pub sample: bool,
    /// Whether exactly this version was handed out before.
    pub duplicate: bool,
}

/// A version written once and ready to be handed out, if need be twice.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    detail: String,
    pub(crate) truth: Truth,
    /// When GuardDuty sent it.
    pub(crate) sent_at: i64,
}

/// Writes versions and envelopes.
#[derive(Debug)]
pub(crate) struct Press {
    detail: Wire,
    scratch: Wire,
    envelope_ids: Rng,
    shape: Shape,
}

impl Press {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let pascal = shape == Shape::GetFindings;
        let mut rng = Rng::of(&[seed, 5]);
        let offset = rng.pick(&[0, 0, -5, 2]);
        let scratch = Wire::new(false, offset);
        Press {
            detail: Wire::new(pascal, offset),
            scratch,
            envelope_ids: rng,
            shape,
        }
    }

    pub(crate) fn write(&mut self, world: &World, finding: &Finding, sent_at: i64) -> Version {
        let scene = Scene::new(world, finding);
        self.detail.out.clear();
        detail::write(&mut self.detail, &scene, &mut self.scratch);
        let mut remote_ips: Vec<String> = Vec::new();
        let mut add = |ip: String| {
            if !remote_ips.contains(&ip) {
                remote_ips.push(ip);
            }
        };
        match scene.kind.hint {
            // An endpoint of a sequence has one address.
            "sequence" => finding
                .remotes()
                .iter()
                .for_each(|remote| add(remote.ip().to_string())),
            _ => finding
                .remotes()
                .iter()
                .flat_map(|remote| remote.ips())
                .for_each(|ip| add(ip.to_string())),
        }
        if let (Action::Kubernetes, Some(proxy)) = (scene.kind.action, finding.proxy()) {
            add(proxy.to_string());
        }
        let truth = Truth {
            account_id: scene.account.id.clone(),
            region: scene.region.name.to_owned(),
            finding_id: finding.id(),
            finding_type: scene.kind.name.to_owned(),
            severity: f64::from(finding.severity) / 10.0,
            event_time: finding.last_seen,
            updated_at: finding.updated_at,
            created_at: finding.created_at,
            count: finding.count,
            remote_ips,
            sample: finding.sample,
            duplicate: false,
        };
        Version {
            detail: self.detail.out.clone(),
            truth,
            sent_at,
        }
    }

    /// Puts versions into a document: one for the shapes that hold one, any number for `GetFindings`.
    pub(crate) fn bind(&mut self, versions: Vec<Version>) -> Document {
        let length: usize = versions
            .iter()
            .map(|version| version.detail.len() + 320)
            .sum();
        let mut out = String::with_capacity(length);
        match self.shape {
            Shape::EventBridge => versions
                .iter()
                .for_each(|version| self.envelope(&mut out, version)),
            Shape::Export => versions
                .iter()
                .for_each(|version| out.push_str(&version.detail)),
            Shape::GetFindings => {
                out.push_str("{\"Findings\":[");
                for (index, version) in versions.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(&version.detail);
                }
                out.push_str("]}");
            }
        }
        let truths: Vec<Truth> = versions.into_iter().map(|version| version.truth).collect();
        let partition_key = truths
            .first()
            .map(|truth| truth.finding_id.clone())
            .unwrap_or_default();
        Document {
            bytes: out.into_bytes(),
            partition_key,
            truths,
        }
    }

    fn envelope(&mut self, out: &mut String, version: &Version) {
        let Truth {
            account_id, region, ..
        } = &version.truth;
        out.push_str("{\"version\":\"0\",\"id\":\"");
        out.push_str(&self.envelope_ids.uuid());
        out.push_str(
            "\",\"detail-type\":\"GuardDuty Finding\",\"source\":\"aws.guardduty\",\"account\":\"",
        );
        out.push_str(account_id);
        out.push_str("\",\"time\":\"");
        time::iso_seconds(out, version.sent_at);
        out.push_str("\",\"region\":\"");
        out.push_str(region);
        out.push_str("\",\"resources\":[],\"detail\":");
        out.push_str(&version.detail);
        out.push('}');
    }
}
