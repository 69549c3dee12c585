//! Findings whose members were flattened to paths: `ProductFields` of ASFF, and rows of Athena queries.

use super::action::Place;
use super::native::Draft;
use super::scalar::Scalar;
use super::service::Info;

/// Puts the value of one path (`service/action/networkConnectionAction/remoteIpDetails/ipAddressV4`, any case, with or
/// without `aws/guardduty/` and `service/`; list members as `.0_` or `/0/`) where the nested member would go.
pub(super) fn put<'a>(draft: &mut Draft<'a>, path: &str, value: Scalar<'a>) {
    let path = path.to_ascii_lowercase().replace('.', "/");
    let path = path.strip_prefix("aws/guardduty/").unwrap_or(&path);
    let is_name = |part: &&str| {
        !part
            .trim_end_matches('_')
            .bytes()
            .all(|b| b.is_ascii_digit())
    };
    let parts: Vec<&str> = path
        .strip_prefix("service/")
        .unwrap_or(path)
        .split('/')
        .filter(is_name)
        .collect();
    let service = &mut draft.service;
    match parts.as_slice() {
        ["count"] => service.count = value.int(),
        ["archived"] => service.archived = value.bool(),
        ["detectorid"] => service.detector_id = value.text(),
        ["eventfirstseen"] => service.first_seen = value.time(),
        ["eventlastseen"] => service.last_seen = value.time(),
        ["additionalinfo"] | ["additionalinfo", "value"] => {
            if let Scalar::Text(text) = value {
                let info = Info::of_text(&text);
                service.info.sample = service.info.sample.or(info.sample);
                service.info.threat_lists.extend(info.threat_lists);
            }
        }
        ["additionalinfo", "sample"] => service.info.sample = value.bool().or(service.info.sample),
        ["additionalinfo", "threatlistname"] => service.info.threat_lists.extend(value.text()),
        ["evidence", "threatintelligencedetails", "threatlistname"] => {
            service.evidence_lists.extend(value.text())
        }
        ["runtimedetails", "process", "user"] => service.process_user = value.text(),
        ["action", "actiontype"] => service.action.kind = value.text(),
        ["action", _, rest @ ..] => put_action(draft, rest, value),
        ["resource", rest @ ..] => put_resource(draft, rest, value),
        _ => {}
    }
}

fn put_action<'a>(draft: &mut Draft<'a>, path: &[&str], value: Scalar<'a>) {
    let action = &mut draft.service.action;
    // Every probe of a list comes by here: the addresses add up, the place of the first stays.
    let path = path.strip_prefix(&["portprobedetails"]).unwrap_or(path);
    let place: &mut Place<'a> = &mut action.remote.place;
    match path {
        ["sourceips"] => action.remote.sources.extend(value.text()),
        ["remoteipdetails", "ipaddressv4" | "ipaddressv6"] => {
            action.remote.ips.extend(value.text())
        }
        ["remoteipdetails", "country", "countryname"] => {
            keep_first(&mut place.country, value.known())
        }
        ["remoteipdetails", "city", "cityname"] => keep_first(&mut place.city, value.known()),
        ["remoteipdetails", "organization", "asn"] => {
            keep_first(&mut place.asn, value.int().filter(|asn| *asn != 0))
        }
        ["remoteipdetails", "organization", "asnorg"] => {
            keep_first(&mut place.asn_org, value.known())
        }
        ["remoteportdetails", "port"] => action.remote_port = value.small_int(),
        ["localportdetails", "port"] => keep_first(&mut action.local_port, value.small_int()),
        ["connectiondirection"] => action.direction = value.text(),
        ["protocol"] => action.protocol = value.text(),
        ["blocked"] => action.blocked = value.bool(),
        ["domain"] | ["domaindetails", "domain"] => action.domain = value.text(),
        ["api"] => action.api = value.text(),
        ["servicename"] => action.service_name = value.text(),
        ["errorcode"] => action.error_code = value.text(),
        ["loginattributes", "user"] => keep_first(&mut action.login_user, value.text()),
        _ => {}
    }
}

fn put_resource<'a>(draft: &mut Draft<'a>, path: &[&str], value: Scalar<'a>) {
    let resource = &mut draft.resource;
    match path {
        ["resourcetype"] => resource.kind = value.text(),
        ["instancedetails", "instanceid"] => resource.instance_id = value.text(),
        ["accesskeydetails", "accesskeyid"] => resource.access_key.id = value.text(),
        ["accesskeydetails", "principalid"] => resource.access_key.principal_id = value.text(),
        ["accesskeydetails", "username"] => resource.access_key.user_name = value.text(),
        ["accesskeydetails", "usertype"] => resource.access_key.user_type = value.text(),
        ["s3bucketdetails", "name"] => resource.bucket_names.extend(value.text()),
        ["s3bucketdetails", "arn"] => keep_first(&mut resource.bucket_arn, value.text()),
        _ => {}
    }
}

fn keep_first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}
