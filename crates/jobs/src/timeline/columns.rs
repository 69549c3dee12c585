//! Columns of `findings` by name: where a timeline's value goes in the document, and what the decoder made of it.

use finding::Finding;
use serde_json::{Value, json};

use super::document::Action;

/// Columns that an event can set.
pub(super) const COLUMNS: [&str; 36] = [
    "account_id",
    "region",
    "partition",
    "severity",
    "title",
    "description",
    "resource_type",
    "remote_ip",
    "remote_ips",
    "remote_port",
    "local_port",
    "direction",
    "protocol",
    "blocked",
    "remote_country",
    "remote_city",
    "remote_asn",
    "remote_asn_org",
    "dns_domain",
    "api",
    "service_name",
    "error_code",
    "user_name",
    "user_type",
    "principal_id",
    "access_key_id",
    "instance_id",
    "bucket_names",
    "cluster_name",
    "container_image",
    "db_instance",
    "lambda_function",
    "threat_lists",
    "detector_id",
    "archived",
    "sample",
];

/// Shorter names.
pub(super) fn full_name(name: &str) -> &str {
    match name {
        "country" => "remote_country",
        "city" => "remote_city",
        "asn" => "remote_asn",
        "asn_org" => "remote_asn_org",
        other => other,
    }
}

/// Writes a column into a finding. False where findings of this shape do not carry it.
pub(super) fn set(finding: &mut Value, action: Action, column: &str, value: &Value) -> bool {
    let listed = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        single => vec![single.clone()],
    };
    let resource = finding["resource"]["resourceType"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    match column {
        "remote_ip" | "remote_ips" => return set_remote(finding, action, &listed(value)),
        "threat_lists" => {
            let lists = listed(value);
            let details = lists
                .iter()
                .map(|name| json!({"threatListName": name, "threatNames": []}));
            finding["service"]["evidence"] =
                json!({"threatIntelligenceDetails": details.collect::<Vec<_>>()});
            return true;
        }
        "bucket_names" => {
            let buckets = listed(value);
            let details = buckets.iter().map(|name| {
                json!({"name": name, "arn": format!("arn:aws:s3:::{}", name.as_str().unwrap_or_default()), "type": "Destination"})
            });
            finding["resource"]["s3BucketDetails"] = details.collect();
            return true;
        }
        _ => {}
    }
    let Some(path) = path(column, action, &resource) else {
        return false;
    };
    let value = match column {
        "remote_asn" if action != Action::Sequence => json!(value.to_string().trim_matches('"')),
        _ => value.clone(),
    };
    put(finding, &path, value)
}

fn path(column: &str, action: Action, resource: &str) -> Option<String> {
    let sequence = action == Action::Sequence;
    let in_action = |rest: &str| {
        action
            .member()
            .map(|member| format!("service.action.{member}.{rest}"))
    };
    let place = |in_document: &str, in_sequence: &str| match action {
        Action::Sequence => Some(format!(
            "service.detection.sequence.endpoints.0.{in_sequence}"
        )),
        Action::PortProbe => {
            in_action(&format!("portProbeDetails.0.remoteIpDetails.{in_document}"))
        }
        Action::Dns => None,
        _ => in_action(&format!("remoteIpDetails.{in_document}")),
    };
    let actor = |rest: &str| Some(format!("service.detection.sequence.actors.0.user.{rest}"));
    let of = |path: &str| Some(path.to_owned());
    match column {
        "account_id" => of("accountId"),
        "region" | "partition" | "severity" | "title" | "description" => of(column),
        "resource_type" => of("resource.resourceType"),
        "detector_id" => of("service.detectorId"),
        "archived" => of("service.archived"),
        "sample" => of("service.additionalInfo.sample"),
        "remote_country" => place("country.countryName", "location.country"),
        "remote_city" => place("city.cityName", "location.city"),
        "remote_asn" => place("organization.asn", "autonomousSystem.number"),
        "remote_asn_org" => place("organization.asnOrg", "autonomousSystem.name"),
        "remote_port" if action == Action::Network => in_action("remotePortDetails.port"),
        "local_port" if action == Action::Network => in_action("localPortDetails.port"),
        "local_port" if action == Action::PortProbe => {
            in_action("portProbeDetails.0.localPortDetails.port")
        }
        "direction" if action == Action::Network => in_action("connectionDirection"),
        "protocol" if matches!(action, Action::Network | Action::Dns) => in_action("protocol"),
        "blocked" if matches!(action, Action::Network | Action::Dns | Action::PortProbe) => {
            in_action("blocked")
        }
        "dns_domain" if action == Action::Dns => in_action("domain"),
        "dns_domain" if action == Action::Api => in_action("domainDetails.domain"),
        "api" if action == Action::Api => in_action("api"),
        "service_name" if action == Action::Api => in_action("serviceName"),
        "error_code" if action == Action::Api => in_action("errorCode"),
        "user_name" if sequence => actor("name"),
        "user_type" if sequence => actor("type"),
        "access_key_id" if sequence => actor("credentialUid"),
        "user_name" => of(match resource {
            "EKSCluster" => "resource.kubernetesDetails.kubernetesUserDetails.username",
            "RDSDBInstance" => "resource.rdsDbUserDetails.user",
            _ => "resource.accessKeyDetails.userName",
        }),
        "user_type" => of("resource.accessKeyDetails.userType"),
        "principal_id" => of("resource.accessKeyDetails.principalId"),
        "access_key_id" => of("resource.accessKeyDetails.accessKeyId"),
        "instance_id" => of("resource.instanceDetails.instanceId"),
        "cluster_name" => of(match resource {
            "ECSCluster" => "resource.ecsClusterDetails.name",
            _ => "resource.eksClusterDetails.name",
        }),
        "container_image" => of("resource.containerDetails.image"),
        "db_instance" => of("resource.rdsDbInstanceDetails.dbInstanceIdentifier"),
        "lambda_function" => of("resource.lambdaDetails.functionName"),
        _ => None,
    }
}

fn set_remote(finding: &mut Value, action: Action, ips: &[Value]) -> bool {
    let member = |ip: &Value| match ip.as_str().is_some_and(|ip| ip.contains(':')) {
        true => "ipAddressV6",
        false => "ipAddressV4",
    };
    let list = match action {
        Action::PortProbe => "service.action.portProbeAction.portProbeDetails".to_owned(),
        Action::Sequence => "service.detection.sequence.endpoints".to_owned(),
        _ => {
            let (Some(action), [ip]) = (action.member().filter(|_| action != Action::Dns), ips)
            else {
                return false;
            };
            let details = &mut finding["service"]["action"][action]["remoteIpDetails"];
            if let Some(details) = details.as_object_mut() {
                details.remove("ipAddressV4");
            }
            details[member(ip)] = ip.clone();
            return true;
        }
    };
    let pointer = format!("/{}", list.replace('.', "/"));
    let Some(Value::Array(ends)) = finding.pointer_mut(&pointer) else {
        return false;
    };
    let Some(first) = ends.first().cloned() else {
        return false;
    };
    let end = |ip: &Value| {
        let mut end = first.clone();
        if action == Action::Sequence {
            end["ip"] = ip.clone();
        } else {
            end["remoteIpDetails"]["ipAddressV4"] = Value::Null;
            end["remoteIpDetails"][member(ip)] = ip.clone();
        }
        end
    };
    *ends = ips.iter().map(end).collect();
    true
}

/// Writes a value at a path of members and list places, making what is not there. False where the path leads through a value
/// that has no members.
pub(super) fn put(root: &mut Value, path: &str, value: Value) -> bool {
    let mut here = root;
    for part in path.split('.') {
        if here.is_null() {
            *here = match part.parse::<usize>() {
                Ok(_) => json!([]),
                Err(_) => json!({}),
            };
        }
        here = match here {
            Value::Object(members) => members.entry(part).or_insert(Value::Null),
            Value::Array(items) => {
                let Ok(place) = part.parse::<usize>() else {
                    return false;
                };
                if place > items.len() {
                    return false;
                }
                if place == items.len() {
                    items.push(Value::Null);
                }
                &mut items[place]
            }
            _ => return false,
        };
    }
    *here = value;
    true
}

/// What the decoder read for a column, as text; lists with `, ` between.
pub(super) fn decoded(finding: &Finding<'_>, column: &str) -> Option<String> {
    let text = |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().map(str::to_owned);
    let list =
        |values: &[std::borrow::Cow<'_, str>]| (!values.is_empty()).then(|| values.join(", "));
    match column {
        "account_id" => Some(finding.account_id.to_string()),
        "region" => Some(finding.region.to_string()),
        "partition" => text(&finding.partition),
        "severity" => finding.severity.map(|severity| severity.to_string()),
        "title" => text(&finding.title),
        "description" => text(&finding.description),
        "resource_type" => text(&finding.resource_type),
        "remote_ip" => finding.remote_ip().map(str::to_owned),
        "remote_ips" => list(&finding.remote_ips),
        "remote_port" => finding.remote_port.map(|port| port.to_string()),
        "local_port" => finding.local_port.map(|port| port.to_string()),
        "direction" => text(&finding.direction),
        "protocol" => text(&finding.protocol),
        "blocked" => finding.blocked.map(|blocked| blocked.to_string()),
        "remote_country" => text(&finding.remote_country),
        "remote_city" => text(&finding.remote_city),
        "remote_asn" => finding.remote_asn.map(|asn| asn.to_string()),
        "remote_asn_org" => text(&finding.remote_asn_org),
        "dns_domain" => text(&finding.dns_domain),
        "api" => text(&finding.api),
        "service_name" => text(&finding.service_name),
        "error_code" => text(&finding.error_code),
        "user_name" => text(&finding.user_name),
        "user_type" => text(&finding.user_type),
        "principal_id" => text(&finding.principal_id),
        "access_key_id" => text(&finding.access_key_id),
        "instance_id" => text(&finding.instance_id),
        "bucket_names" => list(&finding.bucket_names),
        "cluster_name" => text(&finding.cluster_name),
        "container_image" => text(&finding.container_image),
        "db_instance" => text(&finding.db_instance),
        "lambda_function" => text(&finding.lambda_function),
        "threat_lists" => list(&finding.threat_lists),
        "detector_id" => text(&finding.detector_id),
        "archived" => finding.archived.map(|archived| archived.to_string()),
        "sample" => Some(finding.sample.to_string()),
        _ => None,
    }
}
