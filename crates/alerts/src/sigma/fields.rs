//! Which part of a finding a field's name means: our columns, and GuardDuty's own paths as users of AWS write them.
//!
//! A path that feeds a column is that column, so that a rule sees what every wire shape brings; a path that has none is
//! read from the finding's JSON. Paths are those of AWS's model of a finding; what lies below a list has no single value
//! and is named only where a column gathers it.

use crate::clean;
use crate::rule::yaml::did_you_mean;

/// What can be asked of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Time,
    /// A list of texts.
    List,
    /// A value in the finding's JSON, as text; a number where it is compared with one.
    Json,
}

/// A field of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// What yields it in SQL, from a row of `observations`.
    pub(super) sql: String,
    pub(super) kind: Kind,
    /// The column that it is, or the name that it goes by where it must be a column.
    pub(super) name: String,
}

use Kind::{Flag, List, Number, Text, Time};

/// The columns of `observations`, but for account names, which change with a sync.
#[rustfmt::skip]
const COLUMNS: [(&str, Kind); 64] = [
    ("account_id", Text), ("region", Text), ("partition", Text), ("finding_id", Text), ("arn", Text), ("type", Text),
    ("threat_purpose", Text), ("threat_family", Text), ("severity", Number), ("severity_label", Text), ("title", Text),
    ("description", Text), ("resource_type", Text), ("resource_id", Text), ("action_type", Text), ("remote_ip", Text),
    ("remote_ips", List), ("remote_port", Number), ("local_port", Number), ("direction", Text), ("protocol", Text),
    ("blocked", Flag), ("remote_country", Text), ("remote_city", Text), ("remote_asn", Number), ("remote_asn_org", Text),
    ("dns_domain", Text), ("api", Text), ("service_name", Text), ("error_code", Text), ("user_name", Text),
    ("user_type", Text), ("principal_id", Text), ("access_key_id", Text), ("instance_id", Text), ("bucket_names", List),
    ("cluster_name", Text), ("container_image", Text), ("db_instance", Text), ("lambda_function", Text),
    ("threat_lists", List), ("detector_id", Text), ("count", Number), ("event_first_seen", Time), ("event_last_seen", Time),
    ("created_at", Time), ("updated_at", Time), ("event_time", Time), ("archived", Flag), ("sample", Flag), ("raw", Text),
    ("wire_shape", Text), ("backfilled", Flag), ("source", Text), ("shard_id", Text), ("sequence_number", Text),
    ("sub_sequence", Number), ("item", Number), ("arrived_at", Time), ("ingested_at", Time), ("event_date", Time),
    ("native", Flag), ("version_id", Text), ("increase", Number),
];

/// Paths that feed a column. A star stands for any one member: the details of the remote end are in each action.
#[rustfmt::skip]
const PATHS: [(&str, &str); 72] = [
    ("accountId", "account_id"), ("id", "finding_id"), ("createdAt", "created_at"), ("updatedAt", "updated_at"),
    ("resource.resourceType", "resource_type"), ("resourceType", "resource_type"),
    ("resource.instanceDetails.instanceId", "instance_id"),
    ("resource.accessKeyDetails.accessKeyId", "access_key_id"), ("accessKeyDetails.accessKeyId", "access_key_id"),
    ("resource.accessKeyDetails.principalId", "principal_id"), ("accessKeyDetails.principalId", "principal_id"),
    ("resource.accessKeyDetails.userName", "user_name"), ("accessKeyDetails.userName", "user_name"),
    ("resource.accessKeyDetails.userType", "user_type"), ("accessKeyDetails.userType", "user_type"),
    ("resource.kubernetesDetails.kubernetesUserDetails.username", "user_name"),
    ("resource.rdsDbUserDetails.user", "user_name"), ("instanceDetails.instanceId", "instance_id"),
    ("resource.s3BucketDetails.name", "bucket_names"), ("s3BucketDetails.name", "bucket_names"),
    ("resource.eksClusterDetails.name", "cluster_name"), ("resource.ecsClusterDetails.name", "cluster_name"),
    ("resource.containerDetails.image", "container_image"), ("resource.lambdaDetails.functionName", "lambda_function"),
    ("resource.rdsDbInstanceDetails.dbInstanceIdentifier", "db_instance"),
    ("service.detectorId", "detector_id"), ("service.count", "count"), ("service.archived", "archived"),
    ("service.eventFirstSeen", "event_first_seen"), ("service.eventLastSeen", "event_last_seen"),
    ("service.additionalInfo.sample", "sample"), ("service.additionalInfo.threatListName", "threat_lists"),
    ("service.evidence.threatIntelligenceDetails.threatListName", "threat_lists"),
    ("service.action.actionType", "action_type"), ("actionType", "action_type"),
    ("service.action.awsApiCallAction.api", "api"), ("awsApiCallAction.api", "api"),
    ("service.action.awsApiCallAction.serviceName", "service_name"), ("awsApiCallAction.serviceName", "service_name"),
    ("service.action.awsApiCallAction.errorCode", "error_code"), ("awsApiCallAction.errorCode", "error_code"),
    ("service.action.awsApiCallAction.domainDetails.domain", "dns_domain"),
    ("service.action.dnsRequestAction.domain", "dns_domain"), ("dnsRequestAction.domain", "dns_domain"),
    ("service.action.dnsRequestAction.protocol", "protocol"), ("service.action.dnsRequestAction.blocked", "blocked"),
    ("service.action.portProbeAction.blocked", "blocked"),
    ("service.action.networkConnectionAction.connectionDirection", "direction"),
    ("networkConnectionAction.connectionDirection", "direction"),
    ("service.action.networkConnectionAction.protocol", "protocol"), ("networkConnectionAction.protocol", "protocol"),
    ("service.action.networkConnectionAction.blocked", "blocked"), ("networkConnectionAction.blocked", "blocked"),
    ("service.action.networkConnectionAction.remotePortDetails.port", "remote_port"),
    ("service.action.networkConnectionAction.localPortDetails.port", "local_port"),
    ("service.action.portProbeAction.portProbeDetails.localPortDetails.port", "local_port"),
    ("remotePortDetails.port", "remote_port"), ("localPortDetails.port", "local_port"),
    ("service.action.kubernetesApiCallAction.sourceIPs", "remote_ip"),
    ("service.action.portProbeAction.portProbeDetails.remoteIpDetails.ipAddressV4", "remote_ip"),
    ("service.action.*.remoteIpDetails.ipAddressV4", "remote_ip"), ("remoteIpDetails.ipAddressV4", "remote_ip"),
    ("service.action.*.remoteIpDetails.ipAddressV6", "remote_ip"), ("remoteIpDetails.ipAddressV6", "remote_ip"),
    ("service.action.*.remoteIpDetails.country.countryName", "remote_country"),
    ("remoteIpDetails.country.countryName", "remote_country"),
    ("service.action.*.remoteIpDetails.city.cityName", "remote_city"), ("remoteIpDetails.city.cityName", "remote_city"),
    ("service.action.*.remoteIpDetails.organization.asn", "remote_asn"),
    ("remoteIpDetails.organization.asn", "remote_asn"),
    ("service.action.*.remoteIpDetails.organization.asnOrg", "remote_asn_org"),
    ("remoteIpDetails.organization.asnOrg", "remote_asn_org"),
];

/// Paths without a column. None passes a list.
const JSON: [&str; 56] = [
    "schemaVersion",
    "confidence",
    "associatedAttackSequenceArn",
    "resource.instanceDetails.availabilityZone",
    "resource.instanceDetails.iamInstanceProfile.arn",
    "resource.instanceDetails.imageDescription",
    "resource.instanceDetails.imageId",
    "resource.instanceDetails.instanceState",
    "resource.instanceDetails.instanceType",
    "resource.instanceDetails.outpostArn",
    "resource.instanceDetails.platform",
    "resource.eksClusterDetails.arn",
    "resource.eksClusterDetails.status",
    "resource.eksClusterDetails.vpcId",
    "resource.ecsClusterDetails.arn",
    "resource.ecsClusterDetails.status",
    "resource.ecsClusterDetails.taskDetails.arn",
    "resource.ecsClusterDetails.taskDetails.definitionArn",
    "resource.containerDetails.containerRuntime",
    "resource.containerDetails.id",
    "resource.containerDetails.name",
    "resource.kubernetesDetails.kubernetesUserDetails.uid",
    "resource.kubernetesDetails.kubernetesWorkloadDetails.name",
    "resource.kubernetesDetails.kubernetesWorkloadDetails.namespace",
    "resource.kubernetesDetails.kubernetesWorkloadDetails.type",
    "resource.kubernetesDetails.kubernetesWorkloadDetails.hostNetwork",
    "resource.kubernetesDetails.kubernetesWorkloadDetails.serviceAccountName",
    "resource.lambdaDetails.functionArn",
    "resource.lambdaDetails.functionVersion",
    "resource.lambdaDetails.role",
    "resource.rdsDbInstanceDetails.dbClusterIdentifier",
    "resource.rdsDbInstanceDetails.dbInstanceArn",
    "resource.rdsDbInstanceDetails.engine",
    "resource.rdsDbInstanceDetails.engineVersion",
    "resource.rdsDbUserDetails.application",
    "resource.rdsDbUserDetails.authMethod",
    "resource.rdsDbUserDetails.database",
    "resource.rdsDbUserDetails.ssl",
    "service.featureName",
    "service.resourceRole",
    "service.serviceName",
    "service.userFeedback",
    "service.action.awsApiCallAction.callerType",
    "service.action.awsApiCallAction.userAgent",
    "service.action.awsApiCallAction.remoteAccountDetails.accountId",
    "service.action.awsApiCallAction.remoteAccountDetails.affiliated",
    "service.action.dnsRequestAction.domainWithSuffix",
    "service.action.kubernetesApiCallAction.namespace",
    "service.action.kubernetesApiCallAction.requestUri",
    "service.action.kubernetesApiCallAction.resource",
    "service.action.kubernetesApiCallAction.statusCode",
    "service.action.kubernetesApiCallAction.userAgent",
    "service.action.kubernetesApiCallAction.verb",
    "service.runtimeDetails.process.executablePath",
    "service.runtimeDetails.process.executableSha256",
    "service.runtimeDetails.process.name",
];

/// The field of a name; the error is a clause that can follow the field's name and a colon.
pub(super) fn field(name: &str) -> Result<Field, String> {
    let path = name.strip_prefix("detail.").unwrap_or(name);
    let same = |known: &str| known.eq_ignore_ascii_case(path);
    if ["account_name", "ou"].into_iter().any(same) {
        return Err("changes with the next sync of accounts; use account_id".to_owned());
    }
    if let Some((column, kind)) = COLUMNS.iter().find(|(column, _)| same(column)) {
        return Ok(of_column(column, *kind));
    }
    if let Some((_, column)) = PATHS.iter().find(|(known, _)| path_is(path, known)) {
        let kind = COLUMNS.iter().find(|(known, _)| known == column);
        let kind = kind.map_or(Text, |(_, kind)| *kind);
        return Ok(of_column(column, kind));
    }
    if let Some(known) = JSON.into_iter().find(|known| same(known)) {
        return Ok(of_json(known));
    }
    let known: Vec<&str> = (COLUMNS.iter().map(|(column, _)| *column))
        .chain(PATHS.iter().map(|(known, _)| *known))
        .chain(JSON)
        .collect();
    let hint = did_you_mean(path, &known);
    Err(format!("there is no such field of a finding{hint}"))
}

/// Whether `observations` has a column of this name, so that another cannot stand beside it.
pub(super) fn is_column(name: &str) -> bool {
    let mut known = COLUMNS.iter().map(|(column, _)| *column);
    known.any(|column| column == name) || ["account_name", "ou"].contains(&name)
}

fn of_column(column: &str, kind: Kind) -> Field {
    Field {
        sql: column.to_owned(),
        kind,
        name: column.to_owned(),
    }
}

/// Most shapes write members in camelCase, the AWS CLI and the console in PascalCase.
fn of_json(path: &str) -> Field {
    let members = |pascal: bool| {
        let members = path.split('.').map(|member| {
            let (first, rest) = member.split_at(1);
            match pascal {
                true => format!("'{}{rest}'", first.to_ascii_uppercase()),
                false => format!("'{member}'"),
            }
        });
        members.collect::<Vec<_>>().join(", ")
    };
    let (camel, pascal) = (members(false), members(true));
    Field {
        sql: format!("coalesce(json_as_text(raw, {camel}), json_as_text(raw, {pascal}))"),
        kind: Kind::Json,
        name: snake(path),
    }
}

fn path_is(path: &str, known: &str) -> bool {
    let (mut path, mut known) = (path.split('.'), known.split('.'));
    loop {
        match (path.next(), known.next()) {
            (None, None) => return true,
            (Some(part), Some(known)) if known == "*" || known.eq_ignore_ascii_case(part) => {}
            _ => return false,
        }
    }
}

/// A name that SQL takes without quotes: letters and digits in lower case, `_` for all else.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut last = '_';
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '_' };
        if c.is_ascii_uppercase() && (last.is_ascii_lowercase() || last.is_ascii_digit()) {
            out.push('_');
        }
        if c != '_' || !out.ends_with('_') {
            out.push(c.to_ascii_lowercase());
        }
        last = c;
    }
    let out = out.trim_matches('_');
    match out.chars().next() {
        None => "value".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("n{}", clean(out, 60)),
        Some(_) => out.chars().take(60).collect(),
    }
}

#[cfg(test)]
pub(super) fn all() -> Vec<Field> {
    let names = (COLUMNS.iter().map(|(column, _)| *column))
        .chain(PATHS.iter().map(|(path, _)| *path))
        .chain(JSON);
    names
        .map(|name| field(&name.replace('*', "awsApiCallAction")).expect("it is known"))
        .collect()
}
