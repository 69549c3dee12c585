"""What the templates must say, written apart from them: every action of every role, and what the stand-in cannot show."""

ACCOUNT, REGION, HUB = "111122223333", "eu-central-1", "guardlake"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{HUB}"
BUCKET = f"arn:aws:s3:::{HUB}-{ACCOUNT}-{REGION}"
LAKE = f"{BUCKET}/lake"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/{HUB}:*"
REPOSITORY = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/guardlake"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:guardlake/"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
ANALYST = f"arn:aws:iam::{ACCOUNT}:role/analysts"
# Stands for the ARN of the key, which is another one each time.
KEY = "KEY"

PUT, DELETE = ("s3:PutObject", "s3:AbortMultipartUpload"), ("s3:DeleteObject",)


def tables(names, below=""):
    return tuple(f"{LAKE}/{name}/{below}*" for name in names)


# Managed policies of hub.yaml and of terraform/hub/roles.tf: statements as (actions, resources).
POLICIES = {
    "ReadStream": [
        (("kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"), (STREAM,)),
        (("kms:Decrypt",), (KEY,)),
    ],
    "ReadLake": [
        (("s3:ListBucket",), (BUCKET,)),
        (("s3:GetObject",), (f"{LAKE}/*",)),
        (("kms:Decrypt",), (KEY,)),
    ],
    "WriteLake": [
        (("s3:PutObject",), (f"{LAKE}/*/_delta_log/00000000000000000000.json", f"{LAKE}/_doctor/*")),
        (DELETE, (f"{LAKE}/_doctor/*",)),
        (("kms:Decrypt", "kms:GenerateDataKey"), (KEY,)),
    ],
    "WriteFindings": [
        (PUT, tables(["findings", "rejects", "gaps", "_leases"])),
        (DELETE, tables(["findings", "rejects", "gaps"], "_delta_log/") + (f"{LAKE}/_leases/*",)),
    ],
    "WriteAlerts": [
        (PUT, tables(["alert_log", "deliveries"])),
        (DELETE, tables(["alert_log", "deliveries"], "_delta_log/")),
    ],
    "WriteReports": [
        (PUT, tables(["report_log", "reports"])),
        (DELETE, tables(["report_log"], "_delta_log/")),
    ],
    "LookAfterLake": [(("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"), (f"{LAKE}/*",))],
    "WriteAccounts": [
        (PUT, tables(["accounts"])),
        (DELETE, tables(["accounts"], "_delta_log/")),
        (
            (
                "organizations:ListRoots",
                "organizations:ListOrganizationalUnitsForParent",
                "organizations:ListAccountsForParent",
                "organizations:ListTagsForResource",
            ),
            ("*",),
        ),
    ],
    "ReadGuardDuty": [
        (
            (
                "account:ListRegions",
                "events:ListRules",
                "events:ListTargetsByRule",
                "guardduty:DescribeOrganizationConfiguration",
                "guardduty:GetDetector",
                "guardduty:GetFindings",
                "guardduty:ListDetectors",
                "guardduty:ListFindings",
                "guardduty:ListMembers",
                "guardduty:ListPublishingDestinations",
            ),
            ("*",),
        ),
    ],
    "TellTopic": [(("sns:Publish",), (TOPIC,))],
}

# Which roles there are, by layout, and the policies of each.
ALWAYS = {
    "AccountsRole": ["ReadLake", "WriteLake", "WriteAccounts"],
    "BackfillRole": ["ReadLake", "WriteLake", "WriteFindings", "ReadGuardDuty"],
    "QueryRole": ["ReadLake"],
    "ExecutionRole": [],
}
ROLES = {
    "one": ALWAYS | {"AllRole": ["ReadStream", "ReadLake", "WriteLake", "LookAfterLake", "TellTopic"]},
    "apart": ALWAYS
    | {
        "IngestRole": ["ReadStream", "ReadLake", "WriteLake", "WriteFindings"],
        "NotifyRole": ["ReadLake", "WriteLake", "WriteAlerts", "TellTopic"],
        "ReportsRole": ["ReadLake", "WriteLake", "WriteReports"],
        "UpkeepRole": ["ReadLake", "WriteLake", "LookAfterLake"],
    },
}

# Policies that are written into a role.
INLINE = {
    "PutRole": [(("kinesis:PutRecord", "kinesis:PutRecords"), (STREAM,)), (("kms:GenerateDataKey",), (KEY,))],
    "ExecutionRole": [
        (("logs:CreateLogStream", "logs:PutLogEvents"), (LOGS,)),
        (("ecr:GetAuthorizationToken",), ("*",)),
        (("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"), (REPOSITORY,)),
        (("secretsmanager:GetSecretValue",), (SECRET + "slack-AbCdEf", SECRET + "pagerduty-AbCdEf", SECRET + "webhook-AbCdEf")),
    ],
    "SendRole": [(("events:PutEvents",), (f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{HUB}",))],
}

# What each task of a layout runs, as which role, and whether it gets the secrets of channels.
TASKS = {
    "one": {"main": ("ingest,alerts,notify,reports,upkeep", "AllRole", True)},
    "apart": {
        "main": ("ingest", "IngestRole", False),
        "notify": ("alerts,notify", "NotifyRole", True),
        "reports": ("reports", "ReportsRole", False),
        "upkeep": ("upkeep", "UpkeepRole", False),
    },
}

# Metric, what missing data means, threshold, comparison, statistic.
HIGH, LOW = "GreaterThanThreshold", "LessThanThreshold"
ALARMS = {
    "stream-is-read-late": ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "breaching", 300000, HIGH, "Maximum"),
    "findings-undelivered": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "notBreaching", 0, HIGH, "Maximum"),
    "is-behind": (HUB, "MillisBehind", "breaching", 300000, HIGH, "Maximum"),
    "says-errors": (HUB, "Errors", "notBreaching", 0, HIGH, "Sum"),
    "roles-restart": (HUB, "Restarts", "notBreaching", 3, HIGH, "Sum"),
    "no-main-task": ("AWS/ECS", "CPUUtilization", "breaching", 1, LOW, "SampleCount"),
}
ALARMS_APART = {f"no-{name}-task": ALARMS["no-main-task"] for name in ("notify", "reports", "upkeep")}

FILTERS = {
    "MillisBehind": ('{ $.message = "following" }', "$.millis_behind"),
    "Errors": ('{ $.level = "ERROR" }', "1"),
    "Restarts": ('"it begins again in"', "1"),
}

# Types that ministack refuses, and why it does not matter: they are in hub-access.yaml alone, which is read as it stands.
REFUSED = {
    "AWS::Events::EventBusPolicy": "ministack 1.5.33 does not know it; PutPermission is its own call there",
    "AWS::Kinesis::ResourcePolicy": "ministack 1.5.33 does not know it",
}

# What ministack takes and does not keep, so that it is looked for in the template itself (`said_by_the_template`).
NOT_KEPT = {
    "Stream.StreamEncryption": "DescribeStreamSummary always says NONE",
    "Bucket.BucketEncryption": "GetBucketEncryption always says AES256",
    "Bucket.LifecycleConfiguration": "GetBucketLifecycleConfiguration finds none",
    "Bucket.VersioningConfiguration": "Suspended is answered as nothing",
    "Key.KeyPolicy": "GetKeyPolicy gives the default",
    "Alarms.KmsMasterKeyId": "GetTopicAttributes does not tell it",
    "*Task.LinuxParameters, Secrets, Volumes": "their insides are lost",
    "*Service.DesiredCount": "a number from a parameter arrives as text and breaks it: the test writes the number into the template",
}
SAID_BY_THE_TEMPLATE = {
    ("Alarms", "KmsMasterKeyId"): {"Ref": "Key"},
    ("Bucket", "VersioningConfiguration"): {"Status": {"Fn::If": ["Versioned", "Enabled", "Suspended"]}},
    ("Stream", "StreamEncryption"): {"EncryptionType": "KMS", "KeyId": {"Fn::GetAtt": ["Key", "Arn"]}},
    ("Bucket", "BucketEncryption"): {
        "ServerSideEncryptionConfiguration": [
            {
                "BucketKeyEnabled": {"Fn::If": ["BucketHasKey", True, {"Ref": "AWS::NoValue"}]},
                "ServerSideEncryptionByDefault": {
                    "SSEAlgorithm": {"Fn::If": ["BucketHasKey", "aws:kms", "AES256"]},
                    "KMSMasterKeyID": {"Fn::If": ["BucketHasKey", {"Fn::GetAtt": ["Key", "Arn"]}, {"Ref": "AWS::NoValue"}]},
                },
            }
        ]
    },
    ("Bucket", "LifecycleConfiguration"): {
        "Rules": [
            {
                "Id": "uploads-that-never-ended",
                "Status": "Enabled",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            {
                "Fn::If": [
                    "Versioned",
                    {
                        "Id": "what-was-deleted",
                        "Status": "Enabled",
                        "NoncurrentVersionExpiration": {"NoncurrentDays": {"Ref": "NoncurrentDays"}},
                        "ExpiredObjectDeleteMarker": True,
                    },
                    {"Ref": "AWS::NoValue"},
                ]
            },
        ]
    },
}

# The key policy by Sid: principal, actions, keys of its conditions.
KEY_POLICY = {
    "AccountDecidesByItsPolicies": ("AWS", ["kms:*"], []),
    "LogGroup": (
        "Service",
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"],
        ["kms:EncryptionContext:aws:logs:arn"],
    ),
    "AlarmsIntoTheTopic": ("Service", ["kms:Decrypt", "kms:GenerateDataKey"], ["aws:SourceAccount"]),
    "MembersPutIntoTheStream": ("AWS", ["kms:GenerateDataKey"], ["aws:PrincipalOrgID", "kms:ViaService"]),
}
