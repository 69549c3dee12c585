//! The finding as the lake stores it: one published version, in GuardDuty's own names.

use std::borrow::Cow;
use std::fmt;

use crate::Label;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// One published version of a finding. Text borrows from the record unless it had escapes or was built from parts.
///
/// Empty text, `"UNKNOWN"` places with ASN 0 and JSON nulls are all `None`: the column means "known to be this".
/// Field by field sources: `facts/guardduty/model.md` section 4 (botocore GuardDuty model 2017-11-28 and collected samples).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding<'a> {
    /// Member account of the finding (never the envelope's when the detail has one). Digits as text: zeros lead.
    pub account_id: Cow<'a, str>,
    /// AWS Region of the finding, e.g. `eu-central-1`.
    pub region: Cow<'a, str>,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: Option<Cow<'a, str>>,
    /// GuardDuty's finding id, 32 hex digits in every real one.
    pub finding_id: Cow<'a, str>,
    /// ARN of the finding.
    pub arn: Option<Cow<'a, str>>,
    /// `ThreatPurpose:ResourceType/ThreatFamily[.Mechanism][!Artifact]`, any text accepted.
    pub finding_type: Option<Cow<'a, str>>,
    /// 1.0 to 10.0; `None` when the document gives a word or nothing.
    pub severity: Option<f64>,
    /// From `severity`, or from the word the document gave.
    pub severity_label: Option<Label>,
    /// Title as GuardDuty words it. Hostile text.
    pub title: Option<Cow<'a, str>>,
    /// Description as GuardDuty words it. Hostile text, may hold newlines.
    pub description: Option<Cow<'a, str>>,
    /// `resource.resourceType`, e.g. `Instance`, `AccessKey`, `S3Bucket`.
    pub resource_type: Option<Cow<'a, str>>,
    /// Id or ARN of the resource that `resource_type` names as the main one.
    pub resource_id: Option<Cow<'a, str>>,
    /// `service.action.actionType`, e.g. `NETWORK_CONNECTION`.
    pub action_type: Option<Cow<'a, str>>,
    /// All remote addresses, each once: v4 and v6 of every remote end and port probe in document order, or sequence endpoints;
    /// then `sourceIPs`, which are proxies on the way.
    /// `remote_ip` in the lake is the first.
    pub remote_ips: Vec<Cow<'a, str>>,
    /// Remote port of a network connection.
    pub remote_port: Option<i32>,
    /// Local port of a network connection, or of the first port probe.
    pub local_port: Option<i32>,
    /// `INBOUND`, `OUTBOUND`, `UNKNOWN`.
    pub direction: Option<Cow<'a, str>>,
    /// `TCP`, `UDP`, ...
    pub protocol: Option<Cow<'a, str>>,
    /// Whether the connection or probe was blocked.
    pub blocked: Option<bool>,
    /// Country name of the first remote address (a code where the source gives only a code).
    pub remote_country: Option<Cow<'a, str>>,
    /// City name of the first remote address.
    pub remote_city: Option<Cow<'a, str>>,
    /// Autonomous system number of the first remote address.
    pub remote_asn: Option<i64>,
    /// Organisation behind that number. Hostile text.
    pub remote_asn_org: Option<Cow<'a, str>>,
    /// Domain of a DNS request or API caller.
    pub dns_domain: Option<Cow<'a, str>>,
    /// API called (AWS), or `verb requestUri` of a Kubernetes call.
    pub api: Option<Cow<'a, str>>,
    /// Service whose API was called, e.g. `iam.amazonaws.com`.
    pub service_name: Option<Cow<'a, str>>,
    /// Error code of the API call.
    pub error_code: Option<Cow<'a, str>>,
    /// IAM, Kubernetes, database or operating system user. Hostile text.
    pub user_name: Option<Cow<'a, str>>,
    /// `IAMUser`, `AssumedRole`, `Root`, ...
    pub user_type: Option<Cow<'a, str>>,
    /// `accessKeyDetails.principalId`.
    pub principal_id: Option<Cow<'a, str>>,
    /// `accessKeyDetails.accessKeyId`, or the credential of the first sequence actor.
    pub access_key_id: Option<Cow<'a, str>>,
    /// EC2 instance id.
    pub instance_id: Option<Cow<'a, str>>,
    /// Names of all S3 buckets named by the resource.
    pub bucket_names: Vec<Cow<'a, str>>,
    /// EKS or ECS cluster name.
    pub cluster_name: Option<Cow<'a, str>>,
    /// Image of the container, as written.
    pub container_image: Option<Cow<'a, str>>,
    /// RDS database instance identifier.
    pub db_instance: Option<Cow<'a, str>>,
    /// Lambda function name.
    pub lambda_function: Option<Cow<'a, str>>,
    /// All threat list names, each once.
    pub threat_lists: Vec<Cow<'a, str>>,
    /// GuardDuty detector id.
    pub detector_id: Option<Cow<'a, str>>,
    /// `service.count`: occurrences so far. Numbers past `i64` are `None`.
    pub count: Option<i64>,
    /// `service.eventFirstSeen`.
    pub event_first_seen: Option<Micros>,
    /// `service.eventLastSeen`.
    pub event_last_seen: Option<Micros>,
    /// `createdAt`.
    pub created_at: Option<Micros>,
    /// `updatedAt`.
    pub updated_at: Option<Micros>,
    /// `service.archived`.
    pub archived: Option<bool>,
    /// Made by CreateSampleFindings. Absent means false.
    pub sample: bool,
    /// The finding's own JSON, exactly as it came (without its envelope).
    pub raw: Cow<'a, str>,
    /// Which wire shape it came in.
    pub wire_shape: WireShape,
}

impl Finding<'_> {
    /// When it happened, from the finding alone: `event_last_seen`, else `updated_at`, else `created_at`.
    pub fn event_time(&self) -> Option<Micros> {
        self.event_last_seen.or(self.updated_at).or(self.created_at)
    }

    /// The same finding with text of its own, to outlive the record.
    pub fn into_owned(self) -> Finding<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let some = |text: Option<Cow<'_, str>>| text.map(own);
        let all = |list: Vec<Cow<'_, str>>| list.into_iter().map(own).collect();
        Finding {
            account_id: own(self.account_id),
            region: own(self.region),
            partition: some(self.partition),
            finding_id: own(self.finding_id),
            arn: some(self.arn),
            finding_type: some(self.finding_type),
            severity: self.severity,
            severity_label: self.severity_label,
            title: some(self.title),
            description: some(self.description),
            resource_type: some(self.resource_type),
            resource_id: some(self.resource_id),
            action_type: some(self.action_type),
            remote_ips: all(self.remote_ips),
            remote_port: self.remote_port,
            local_port: self.local_port,
            direction: some(self.direction),
            protocol: some(self.protocol),
            blocked: self.blocked,
            remote_country: some(self.remote_country),
            remote_city: some(self.remote_city),
            remote_asn: self.remote_asn,
            remote_asn_org: some(self.remote_asn_org),
            dns_domain: some(self.dns_domain),
            api: some(self.api),
            service_name: some(self.service_name),
            error_code: some(self.error_code),
            user_name: some(self.user_name),
            user_type: some(self.user_type),
            principal_id: some(self.principal_id),
            access_key_id: some(self.access_key_id),
            instance_id: some(self.instance_id),
            bucket_names: all(self.bucket_names),
            cluster_name: some(self.cluster_name),
            container_image: some(self.container_image),
            db_instance: some(self.db_instance),
            lambda_function: some(self.lambda_function),
            threat_lists: all(self.threat_lists),
            detector_id: some(self.detector_id),
            count: self.count,
            event_first_seen: self.event_first_seen,
            event_last_seen: self.event_last_seen,
            created_at: self.created_at,
            updated_at: self.updated_at,
            archived: self.archived,
            sample: self.sample,
            raw: own(self.raw),
            wire_shape: self.wire_shape,
        }
    }

    /// The first of [`Finding::remote_ips`].
    pub fn remote_ip(&self) -> Option<&str> {
        self.remote_ips.first().map(|ip| ip.as_ref())
    }
}

/// What a document was wrapped in before it was a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrapper {
    /// Nothing.
    #[default]
    None,
    /// `Records[].Sns.Message`, or an SNS notification with `Message`.
    Sns,
    /// A CloudWatch Logs subscription record (`logEvents[].message`).
    CloudWatchLogs,
}

/// The shape of the document itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// EventBridge envelope, camelCase detail.
    EventBridge,
    /// EventBridge envelope around a PascalCase detail (hand-made, but common).
    EventBridgePascal,
    /// A bare camelCase finding: S3 export line, or `InputPath: $.detail`.
    #[default]
    Export,
    /// A bare PascalCase finding, or an element of a console export array.
    Console,
    /// `{"Findings":[..]}` of the CLI and SDKs, PascalCase.
    GetFindings,
    /// `{"findings":[..]}` of the REST wire, camelCase.
    Rest,
    /// Lower-cased keys of an Athena or Glue row.
    Athena,
    /// AWS Security Finding Format of Security Hub.
    Asff,
    /// OCSF class 2004 (or 2001) of Security Lake.
    Ocsf,
}

/// Wrapper and shape, shown as `sns/eventbridge` or `export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WireShape {
    /// What it was wrapped in.
    pub wrapper: Wrapper,
    /// What it was.
    pub shape: Shape,
}

impl WireShape {
    /// The text stored in the lake's `wire_shape` column.
    pub fn as_str(self) -> &'static str {
        use Shape::*;
        match (self.wrapper, self.shape) {
            (Wrapper::None, EventBridge) => "eventbridge",
            (Wrapper::None, EventBridgePascal) => "eventbridge-pascal",
            (Wrapper::None, Export) => "export",
            (Wrapper::None, Console) => "console",
            (Wrapper::None, GetFindings) => "get-findings",
            (Wrapper::None, Rest) => "rest",
            (Wrapper::None, Athena) => "athena",
            (Wrapper::None, Asff) => "asff",
            (Wrapper::None, Ocsf) => "ocsf",
            (Wrapper::Sns, EventBridge) => "sns/eventbridge",
            (Wrapper::Sns, EventBridgePascal) => "sns/eventbridge-pascal",
            (Wrapper::Sns, Export) => "sns/export",
            (Wrapper::Sns, Console) => "sns/console",
            (Wrapper::Sns, GetFindings) => "sns/get-findings",
            (Wrapper::Sns, Rest) => "sns/rest",
            (Wrapper::Sns, Athena) => "sns/athena",
            (Wrapper::Sns, Asff) => "sns/asff",
            (Wrapper::Sns, Ocsf) => "sns/ocsf",
            (Wrapper::CloudWatchLogs, EventBridge) => "cloudwatch/eventbridge",
            (Wrapper::CloudWatchLogs, EventBridgePascal) => "cloudwatch/eventbridge-pascal",
            (Wrapper::CloudWatchLogs, Export) => "cloudwatch/export",
            (Wrapper::CloudWatchLogs, Console) => "cloudwatch/console",
            (Wrapper::CloudWatchLogs, GetFindings) => "cloudwatch/get-findings",
            (Wrapper::CloudWatchLogs, Rest) => "cloudwatch/rest",
            (Wrapper::CloudWatchLogs, Athena) => "cloudwatch/athena",
            (Wrapper::CloudWatchLogs, Asff) => "cloudwatch/asff",
            (Wrapper::CloudWatchLogs, Ocsf) => "cloudwatch/ocsf",
        }
    }

    /// Whether `count` and `updated_at` are GuardDuty's own (false for ASFF and OCSF: Security Hub's).
    pub fn is_native(self) -> bool {
        !matches!(self.shape, Shape::Asff | Shape::Ocsf)
    }
}

impl fmt::Display for WireShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
