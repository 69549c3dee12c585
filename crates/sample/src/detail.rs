//! One version of a finding as JSON, with members in the order in which GuardDuty sends them.

use crate::catalogue::Action;
use crate::rng::{Rng, mix};
use crate::scene::{Scene, label};
use crate::wire::{Raw, Wire};
use crate::wording::Piece;
use crate::{actions, extra, malware, resources, runtime, sequence};

/// Writes the finding as an object; `scratch` is cleared and used for text within text.
pub(crate) fn write(w: &mut Wire, s: &Scene<'_>, scratch: &mut Wire) {
    let f = s.finding;
    let (id, detector) = (f.id(), detector(s));
    let (partition, region, account) = (s.region.partition, s.region.name, &s.account.id);
    w.ascii = f.hostile && f.seed.is_multiple_of(2);
    scratch.ascii = w.ascii;
    w.object(|w| {
        w.str("schemaVersion", "2.0");
        w.str("accountId", account);
        w.str("region", region);
        w.str("partition", partition);
        w.str("id", &id);
        w.fmt(
            "arn",
            format_args!(
                "arn:{partition}:guardduty:{region}:{account}:detector/{detector}/finding/{id}"
            ),
        );
        w.str("type", s.kind.name);
        resources::write(w, s);
        service(w, s, &detector, scratch);
        severity(w, f.severity, f.seed);
        w.iso("createdAt", f.created_at);
        w.iso("updatedAt", f.updated_at);
        if f.sample {
            wording(w, s, "title", "[SAMPLE] ", &s.kind.wording.title);
        } else {
            wording(w, s, "title", "", &s.kind.wording.title);
        }
        wording(w, s, "description", "", &s.kind.wording.description);
    });
    w.ascii = false;
}

/// One detector for an account and Region.
fn detector(s: &Scene<'_>) -> String {
    let mut rng = s.of(s.region.name);
    format!("{:016x}{:016x}", rng.next(), rng.next())
}

fn service(w: &mut Wire, s: &Scene<'_>, detector: &str, scratch: &mut Wire) {
    let f = s.finding;
    w.obj("service", |w| {
        w.str("serviceName", "guardduty");
        w.str("detectorId", detector);
        if let Some(feature) = feature(s) {
            w.str("featureName", feature);
        }
        actions::write(w, s);
        runtime::write(w, s);
        malware::write(w, s);
        sequence::write(w, s);
        extra::anomaly(w, s);
        if !s.kind.runtime && s.resource != "S3Object" {
            let outbound = s.kind.action == Action::Dns || s.kind.hint.starts_with("out ");
            w.str("resourceRole", if outbound { "ACTOR" } else { "TARGET" });
        }
        extra::additional_info(w, s, scratch);
        extra::evidence(w, s);
        w.iso("eventFirstSeen", f.first_seen);
        w.iso("eventLastSeen", f.last_seen);
        w.bool("archived", Rng::new(mix(f.seed, label::FRAME)).chance(0.02));
        w.num("count", f.count);
    });
}

fn feature(s: &Scene<'_>) -> Option<&'static str> {
    match s.kind.hint {
        "sequence" => Some("Correlation"),
        "scan-volume" => Some("EbsVolumeScan"),
        _ if s.kind.runtime => Some("RuntimeMonitoring"),
        _ => None,
    }
}

/// GuardDuty writes whole severities without a fraction, and now and then with one.
fn severity(w: &mut Wire, tenths: u8, seed: u64) {
    let text = match (tenths / 10, tenths % 10) {
        (whole, 0) if seed % 16 == 3 => format!("{whole}.0"),
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    };
    w.num("severity", Raw(&text));
}

fn wording(w: &mut Wire, s: &Scene<'_>, member: &str, before: &str, pieces: &[Piece]) {
    w.str(member, before);
    // The string is opened again to take the pieces.
    w.out.pop();
    for piece in pieces {
        match piece {
            Piece::Text(text) => w.piece(text),
            Piece::Name(name) => s.say(w, name),
        }
    }
    w.out.push('"');
}
