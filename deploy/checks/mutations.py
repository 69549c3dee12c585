"""Ways to break the templates. Each must be noticed by the check named with it: a check that cannot fail checks nothing."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CFN, TF = "deploy/cloudformation/", "deploy/terraform/hub/"
HUB, SERVICE, ACCESS, MEMBER = (f"{CFN}{name}.yaml" for name in ("hub", "service", "hub-access", "member"))
SPAN = "KinesisParameters: {PartitionKeyPath: $.detail.id}"

# (check that must fail, file, text that is there, text instead)
MUTATIONS = [
    # The stream.
    ("said", HUB, "EncryptionType: KMS, KeyId", "EncryptionType: NONE, KeyId"),
    ("guard", HUB, "      StreamEncryption: {EncryptionType: KMS, KeyId: !GetAtt Key.Arn}\n", ""),
    ("lint", HUB, "ShardCount:", "ShardCuont:"),
    ("stacks", HUB, "RetentionPeriodHours: !Ref StreamRetentionHours", "RetentionPeriodHours: 24"),
    ("stacks", HUB, "!If [OnDemand, ON_DEMAND, PROVISIONED]", "!If [OnDemand, PROVISIONED, ON_DEMAND]"),
    # Rules.
    ("stacks", HUB, SPAN, "KinesisParameters: {PartitionKeyPath: $.detail.accountId}"),
    ("guard", HUB, SPAN, "KinesisParameters: {PartitionKeyPath: $.account}"),
    ("stacks", HUB, "          RoleArn: !GetAtt PutRole.Arn\n", ""),
    ("guard", HUB, "          RoleArn: !GetAtt PutRole.Arn\n", ""),
    ("guard", HUB, "          DeadLetterConfig: {Arn: !GetAtt Undelivered.Arn}\n", ""),
    ("stacks", HUB, "source: [aws.guardduty]", "source: [aws.securityhub]"),
    ("stacks", HUB, "      EventBusName: !Ref Bus\n", ""),
    ("stacks", HUB, "Action: sqs:SendMessage", "Action: sqs:ReceiveMessage"),
    ("stacks", HUB, "[!GetAtt DefaultBusRule.Arn, !GetAtt BusRule.Arn]", "[!GetAtt DefaultBusRule.Arn]"),
    # The bucket.
    ("guard", HUB, "BlockPublicPolicy: true", "BlockPublicPolicy: false"),
    ("stacks", HUB, "BlockPublicPolicy: true", "BlockPublicPolicy: false"),
    ("stacks", HUB, 'aws:SecureTransport: "false"', 'aws:SecureTransport: "true"'),
    ("said", HUB, "!If [BucketHasKey, \"aws:kms\", AES256]", "AES256"),
    ("said", HUB, "            AbortIncompleteMultipartUpload: {DaysAfterInitiation: 1}", "            ExpirationInDays: 30"),
    ("guard", HUB, "            AbortIncompleteMultipartUpload: {DaysAfterInitiation: 1}", "            ExpirationInDays: 30"),
    ("stacks", HUB, "!If [Versioned, Enabled, Suspended]", "Suspended"),
    ("guard", HUB, "AWS::S3::Bucket\n    DeletionPolicy: Retain", "AWS::S3::Bucket\n    DeletionPolicy: Delete"),
    # The key.
    ("stacks", HUB, "EnableKeyRotation: true", "EnableKeyRotation: false"),
    ("scan", HUB, "EnableKeyRotation: true", "EnableKeyRotation: false"),
    ("said", HUB, "                  aws:PrincipalOrgID: !Ref OrganizationId\n", ""),
    ("said", HUB, "            Action: [kms:Decrypt, kms:GenerateDataKey]\n", "            Action: kms:*\n"),
    # What roles may do, action by action and resource by resource.
    ("stacks", HUB, "kinesis:GetRecords]", "kinesis:GetRecords, kinesis:PutRecord]"),
    ("stacks", HUB, "s3:GetObject, Resource: !Sub \"${Bucket.Arn}/lake/*", "s3:GetObject, Resource: !Sub \"${Bucket.Arn}/*"),
    ("guard", HUB, "Action: s3:GetObject,", "Action: s3:Get*,"),
    ("lint", HUB, "Action: s3:GetObject,", "Action: s3:GetObjekt,"),
    ("stacks", HUB, "/lake/findings/_delta_log/*", "/lake/findings/*"),
    ("stacks", HUB, "      - !Sub \"${Bucket.Arn}/lake/gaps/*\"\n", ""),
    ("stacks", HUB, "Action: kms:GenerateDataKey, Resource: !GetAtt Key.Arn", "Action: kms:Decrypt, Resource: !GetAtt Key.Arn"),
    ("stacks", SERVICE, 'Ref AnalystArn}, Action: sts:AssumeRole}', 'Sub "${AWS::AccountId}"}, Action: sts:AssumeRole}'),
    ("stacks", SERVICE, '"${Hub}-WriteAlerts"', '"${Hub}-LookAfterLake"'),
    ("stacks", SERVICE, "Action: ecr:GetAuthorizationToken", "Action: ecr:DescribeRegistry"),
    ("guard", SERVICE, "            Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}\n", ""),
    ("stacks", SERVICE, "            Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}\n", ""),
    # The task.
    ("guard", SERVICE, "ReadonlyRootFilesystem: true", "ReadonlyRootFilesystem: false"),
    ("stacks", SERVICE, "ReadonlyRootFilesystem: true", "ReadonlyRootFilesystem: false"),
    ("guard", SERVICE, 'User: "65532:65532"', 'User: "0"'),
    ("guard", SERVICE, "Drop: [ALL]", "Add: [SYS_PTRACE]"),
    ("stacks", SERVICE, "StopTimeout: 120", "StopTimeout: 10"),
    ("said", SERVICE, "!If [OneSlack,", "!If [HasSlack,"),
    ("said", SERVICE, "Volumes: [{Name: tmp}]", "Volumes: [{Name: tmp}, {Name: data}]"),
    ("stacks", SERVICE, "TaskRoleArn: !GetAtt UpkeepRole.Arn", "TaskRoleArn: !GetAtt NotifyRole.Arn"),
    ("stacks", SERVICE, 'Command: [run, --roles, "alerts,notify"]', 'Command: [run, --roles, "alerts"]'),
    ("settings", SERVICE, "GUARDLAKE__LOG__LEVEL", "GUARDLAKE__LOGGING__LEVEL"),
    ("stacks", SERVICE, "GUARDLAKE__STREAM__NAME", "GUARDLAKE__STREAM__START"),
    ("guard", SERVICE, "Enable: true, Rollback: true", "Enable: true, Rollback: false"),
    # Alarms.
    ("stacks", HUB, "      TreatMissingData: breaching\n", "      TreatMissingData: missing\n"),
    ("guard", HUB, "      TreatMissingData: breaching\n", "      TreatMissingData: missing\n"),
    ("guard", HUB, "      AlarmActions: [!Ref Alarms]\n", ""),
    ("stacks", SERVICE, "MetricValue: $.millis_behind", "MetricValue: $.records"),
    ("guard", SERVICE, "MetricName: Restarts\n", "MetricName: Starts\n"),
    ("stacks", SERVICE, "FilterPattern: '{ $.level = \"ERROR\" }'", "FilterPattern: '{ $.level = \"FATAL\" }'"),
    ("said", HUB, ", KmsMasterKeyId: !Ref Key}", "}"),
    # Strangers.
    ("guard", ACCESS, "        Condition: {StringEquals: {aws:PrincipalOrgID: !Ref OrganizationId}}\n", ""),
    ("access", ACCESS, "        Condition: {StringEquals: {aws:PrincipalOrgID: !Ref OrganizationId}}\n", ""),
    ("access", ACCESS, "Action: events:PutEvents", "Action: [events:PutEvents, events:PutRule]"),
    ("access", ACCESS, "    Condition: Direct\n", ""),
    ("stacks", MEMBER, "Action: events:PutEvents", "Action: events:PutRule"),
    ("stacks", MEMBER, "detail-type: [GuardDuty Finding]", "detail-type: [GuardDuty Findings]"),
    ("guard", MEMBER, "          DeadLetterConfig: {Arn: !GetAtt Undelivered.Arn}\n", ""),
    ("stacks", MEMBER, "{PartitionKeyPath: $.detail.id}", "{PartitionKeyPath: $.id}"),
    ("stacks", MEMBER, "Action: kms:GenerateDataKey", "Action: kms:Decrypt"),
    # Terraform says the same.
    ("terraform", TF + "roles.tf", '"kinesis:ListShards", ', ""),
    ("terraform", TF + "roles.tf", '"${local.lake}/deliveries/*"', '"${local.lake}/*"'),
    ("terraform", TF + "roles.tf", 'upkeep   = ["ReadLake", "WriteLake", "LookAfterLake"]', 'upkeep   = ["ReadLake", "WriteLake"]'),
    ("terraform", TF + "roles.tf", 'roles = "alerts,notify", tells = true', 'roles = "alerts,notify", tells = false'),
    ("terraform", TF + "alarms.tf", 'missing = "breaching"', 'missing = "ignore"'),
    ("terraform", TF + "alarms.tf", "$.millis_behind", "$.bytes"),
    ("scan", TF + "main.tf", "enable_key_rotation = true", "enable_key_rotation = false"),
    ("scan", TF + "main.tf", 'encryption_type  = "KMS"', 'encryption_type  = "NONE"'),
    # Suppressions, image, unit, pages.
    ("suppressions", TF + "main.tf", "skip=CKV_AWS_18:Server", "skip=CKV_AWS_18 Server"),
    ("suppressions", HUB, "            comment: Server access logs", "            remark: Server access logs"),
    ("suppressions", MEMBER, "    # W1031: cfn-lint tries", "    # It tries"),
    ("scan", HUB, "- id: CKV_AWS_18\n", "- id: CKV_AWS_52\n"),
    ("scan", "deploy/container/Containerfile", "USER 65532:65532\n", ""),
    ("context", ".dockerignore", "!sql\n", ""),
    ("unit", "deploy/systemd/guardlake.service", "ProtectSystem=strict", "ProtectSystem=no"),
    ("unit", "deploy/systemd/guardlake.service", "Restart=on-failure", "Restart=whenever"),
    ("unit", "deploy/systemd/guardlake.service", "TimeoutStopSec=120", "TimeoutStopSec=5"),
    ("costs", "deploy/costs.py", "EVENTS_PER_ACCOUNT_DAY = ", "EVENTS_PER_ACCOUNT_DAY = 1 + "),
    ("settings", "docs/deploy.md", "GUARDLAKE__", "GUARDLAKE__X"),
    ("widths", "docs/deploy.md", "\n", " " * 141 + "x\n"),
]


def broken(root, mutation):
    """A complaint if the check does not notice."""
    check, file, there, instead, function = mutation
    name = f"{check}: {file}: {there.strip()[:60]!r} -> {instead.strip()[:40]!r}"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for part in ("deploy", "docs", "crates", ".dockerignore", ".containerignore"):
            source, target = root / part, copy / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.csv", "tests"))
            else:
                shutil.copy(source, target)
        text = (copy / file).read_text()
        if there not in text:
            return f"{name}: there is no such text"
        (copy / file).write_text(text.replace(there, instead))
        try:
            found = function(copy)
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
    return None if found else f"{name}: nobody noticed"


def run(root, checks):
    """Breaks copies of the repository, two at a time; 1 if anything goes unnoticed."""
    # What fails already would notice anything.
    failing = [name for name in sorted({mutation[0] for mutation in MUTATIONS}) if checks[name](root)]
    if failing:
        print(f"these checks fail before anything is broken: {', '.join(failing)}")
        return 1
    jobs = [(*mutation, checks[mutation[0]]) for mutation in MUTATIONS]
    with ThreadPoolExecutor(2) as pool:
        unnoticed = [one for one in pool.map(lambda job: broken(root, job), jobs) if one]
    print("".join(f"  {one}\n" for one in unnoticed), end="")
    print(f"{len(jobs)} ways to break it, {len(unnoticed)} unnoticed")
    return 1 if unnoticed else 0
