"""The stacks made on ministack, an AWS of its own on this machine, and looked at through the API."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import expected as want

# A second account has everything that can be chosen otherwise.
OTHER = "444455556666"
FULL = {
    "Image": "guardlake:1",
    "SubnetIds": "subnet-1,subnet-2",
    "SecurityGroupIds": "sg-1",
    "RepositoryArn": want.REPOSITORY,
    "NotifyFile": "/etc/guardlake/notify.yaml",
    "SlackTokenArn": want.SECRET + "slack-AbCdEf",
    "PagerDutyKeyArn": want.SECRET + "pagerduty-AbCdEf",
    "WebhookSecretArn": want.SECRET + "webhook-AbCdEf",
    "AlertTopicArn": want.TOPIC,
    "AnalystArn": want.ANALYST,
}

OTHERWISE = {
    "StreamShards": "2",
    "NoncurrentDays": "0",
    "BucketEncryption": "s3",
    "AlarmEmail": "soc@corp.example",
    "DirectFromMembers": "yes",
    "OrganizationId": "o-abcdefghij",
}


@contextlib.contextmanager
def ministack():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    program = Path(sys.executable).parent / "ministack"
    log = tempfile.TemporaryFile("w+")
    process = subprocess.Popen([program], env=environment, stdout=log, stderr=log)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is not None:
            log.seek(0)
            print(f"  ministack ended by itself ({process.returncode}): {log.read()[-1500:]}")
        process.terminate()
        process.wait(20)


class Account:
    """One account of the stand-in, its templates below `root`."""

    def __init__(self, root, endpoint, account):
        self.root, self.endpoint, self.account = root, endpoint, account
        self.found = []

    def client(self, service):
        import boto3

        keys = {"aws_access_key_id": self.account, "aws_secret_access_key": "none", "region_name": want.REGION}
        return boto3.client(service, endpoint_url=self.endpoint, **keys)

    def make(self, stack, template, parameters):
        """Makes a stack; gives its resources (logical to physical), or says why not."""
        text = (self.root / "deploy/cloudformation" / template).read_text()
        text = text.replace("DesiredCount: !Ref DesiredCount", f"DesiredCount: {parameters.get('DesiredCount', 1)}")
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        cloud = self.client("cloudformation")
        try:
            cloud.create_stack(StackName=stack, TemplateBody=text, Parameters=given, Capabilities=["CAPABILITY_IAM"])
        except Exception as error:
            self.found.append(f"{template}: {error}")
            return {}
        status = "?"
        for _ in range(200):
            (said,) = cloud.describe_stacks(StackName=stack)["Stacks"]
            status = said["StackStatus"]
            if not status.endswith("IN_PROGRESS"):
                break
            time.sleep(0.1)
        if status != "CREATE_COMPLETE":
            events = cloud.describe_stack_events(StackName=stack)["StackEvents"]
            reasons = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in events if "FAILED" in e["ResourceStatus"]]
            self.found.append(f"{template}: {status}: {'; '.join(reasons)}")
        resources = cloud.describe_stack_resources(StackName=stack)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}

    def same(self, what, said, expected):
        if said != expected:
            self.found.append(f"{what}: {said!r}, not {expected!r}")

    def here(self, value):
        """What is expected, in the names of this account."""
        if isinstance(value, (tuple, list)):
            return type(value)(self.here(one) for one in value)
        return value.replace(want.ACCOUNT, self.account)

    def statements(self, document, key):
        """A policy as (actions, resources), all of them allowing."""
        document = json.loads(document) if isinstance(document, str) else document
        listed = lambda value: tuple(value) if isinstance(value, list) else (value,)
        found = []
        for statement in document["Statement"]:
            if statement["Effect"] != "Allow" or set(statement) - {"Effect", "Action", "Resource", "Sid"}:
                self.found.append(f"a statement of a role is {statement}")
            resources = tuple(want.KEY if one == key else one for one in listed(statement["Resource"]))
            found.append((listed(statement["Action"]), resources))
        return found


def hub(account, made, shards, noncurrent):
    key = f"arn:aws:kms:{want.REGION}:{account.account}:key/{made.get('Key')}"
    stream = account.client("kinesis").describe_stream_summary(StreamName=want.HUB)["StreamDescriptionSummary"]
    mode = "ON_DEMAND" if shards == 0 else "PROVISIONED"
    account.same("stream: mode", stream["StreamModeDetails"]["StreamMode"], mode)
    account.same("stream: retention", stream["RetentionPeriodHours"], 168)
    if shards:
        account.same("stream: shards", stream["OpenShardCount"], shards)

    s3, bucket = account.client("s3"), made["Bucket"]
    account.same("bucket: name", bucket, account.here(want.BUCKET).removeprefix("arn:aws:s3:::"))
    status = "Enabled" if noncurrent else None
    account.same("bucket: versioning", s3.get_bucket_versioning(Bucket=bucket).get("Status"), status)
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    account.same("bucket: public access", sorted(block.items()), sorted((name, True) for name in block))
    account.same("bucket: public access", len(block), 4)
    owner = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    account.same("bucket: owner", owner, [{"ObjectOwnership": "BucketOwnerEnforced"}])
    (tls,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    arn = account.here(want.BUCKET)
    account.same("bucket: TLS", (tls["Effect"], tls["Principal"], tls["Action"]), ("Deny", "*", "s3:*"))
    account.same("bucket: TLS", tls["Resource"], [arn, f"{arn}/*"])
    account.same("bucket: TLS", tls["Condition"], {"Bool": {"aws:SecureTransport": "false"}})

    events, rules = account.client("events"), {}
    queue = account.client("sqs").get_queue_attributes(QueueUrl=made["Undelivered"], AttributeNames=["All"])["Attributes"]
    for name, bus in (("DefaultBusRule", "default"), ("BusRule", want.HUB)):
        rule = made[name].split("/")[-1].split("|")[-1]
        said = events.describe_rule(Name=rule, EventBusName=bus)
        rules[name] = said["Arn"]
        pattern = {"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"]}
        account.same(f"{name}: pattern", json.loads(said["EventPattern"]), pattern)
        account.same(f"{name}: state", said["State"], "ENABLED")
        (target,) = events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
        account.same(f"{name}: target", target["Arn"], account.here(want.STREAM))
        account.same(f"{name}: key", target.get("KinesisParameters"), {"PartitionKeyPath": "$.detail.id"})
        account.same(f"{name}: role", target.get("RoleArn"), f"arn:aws:iam::{account.account}:role/{made['PutRole']}")
        account.same(f"{name}: queue", target.get("DeadLetterConfig"), {"Arn": queue["QueueArn"]})
        retry = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
        account.same(f"{name}: retries", target.get("RetryPolicy"), retry)
    account.same("queue: kept", queue["MessageRetentionPeriod"], "1209600")
    (send,) = json.loads(queue["Policy"])["Statement"]
    account.same("queue: action", (send["Principal"], send["Action"]), ({"Service": "events.amazonaws.com"}, "sqs:SendMessage"))
    sources = send["Condition"]["ArnEquals"]["aws:SourceArn"]
    account.same("queue: condition", sorted(sources), sorted(rules.values()))
    logs = account.client("logs").describe_log_groups()["logGroups"]
    account.same("logs", [(one["logGroupName"], one.get("retentionInDays")) for one in logs], [(f"/{want.HUB}", 90)])
    account.same("key: turns", account.client("kms").get_key_rotation_status(KeyId=made["Key"])["KeyRotationEnabled"], True)
    return key


def roles(account, made, names, key):
    """Every role: who may take it, its policies, and every action of them."""
    iam, policies = account.client("iam"), {}
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        policies[policy["Arn"]] = account.statements(version["PolicyVersion"]["Document"], key)
    for name, attached in names.items():
        if name not in made:
            account.found.append(f"there is no {name}")
            continue
        role = iam.get_role(RoleName=made[name])["Role"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        service = "events.amazonaws.com" if name in ("PutRole", "SendRole") else "ecs-tasks.amazonaws.com"
        who = {"AWS": want.ANALYST} if name == "QueryRole" else {"Service": service}
        account.same(f"{name}: trust", (trust["Effect"], trust["Principal"], trust["Action"]), ("Allow", who, "sts:AssumeRole"))
        if name != "QueryRole":
            account.same(f"{name}: condition", trust.get("Condition"), {"StringEquals": {"aws:SourceAccount": account.account}})
        arns = [one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=made[name])["AttachedPolicies"]]
        has = sorted((policies.get(arn) or [((arn,), ())]) for arn in arns)
        expected = [want.POLICIES[one] if one == "TellTopic" else account.here(want.POLICIES[one]) for one in attached]
        account.same(f"{name}: policies", has, sorted(expected))
        inline = iam.list_role_policies(RoleName=made[name])["PolicyNames"]
        account.same(f"{name}: policies in it", len(inline), 1 if name in want.INLINE else 0)
        for policy in inline:
            said = account.statements(iam.get_role_policy(RoleName=made[name], PolicyName=policy)["PolicyDocument"], key)
            expected = [
                (actions, resources if REFERRED & set(resources) else account.here(resources)) for actions, resources in want.INLINE[name]
            ]
            account.same(f"{name}: {policy}", said, expected)
    others = {name for name in made if name.endswith("Role")} - set(names)
    account.found += [f"there is a role {name} that nobody expects" for name in sorted(others)]


# Given as parameters, so in the first account wherever the stack is.
REFERRED = {want.REPOSITORY, *want.INLINE["ExecutionRole"][3][1]}


def service(account, made, layout):
    ecs = account.client("ecs")
    tasks, services = want.TASKS[layout], set()
    for arn in ecs.list_task_definitions()["taskDefinitionArns"]:
        task = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        name = task["family"].removeprefix(f"{want.HUB}-")
        services.add(name)
        if name not in tasks:
            continue
        (container,), (runs, role, _) = task["containerDefinitions"], tasks[name]
        account.same(f"{name}: role", task["taskRoleArn"], f"arn:aws:iam::{account.account}:role/{made.get(role)}")
        account.same(f"{name}: command", container["command"], ["run", "--roles", runs])
        account.same(f"{name}: user", container.get("user"), "65532:65532")
        account.same(f"{name}: root", container.get("readonlyRootFilesystem"), True)
        mounts = [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}]
        account.same(f"{name}: mounts", container.get("mountPoints"), mounts)
        account.same(f"{name}: time to end", container.get("stopTimeout"), 120)
        account.same(f"{name}: size", (task["cpu"], task["memory"]), ("1024", "2048"))
        said = {one["name"]: one["value"] for one in container["environment"]}
        environment = {
            "AWS_REGION": want.REGION,
            "GUARDLAKE__LAKE__URI": account.here(want.LAKE).replace("arn:aws:s3:::", "s3://"),
            "GUARDLAKE__LAKE__RETENTION": "400d",
            "GUARDLAKE__STREAM__NAME": account.here(want.STREAM),
            "GUARDLAKE__LOG__LEVEL": "warn,ingest=info",
            "GUARDLAKE__LOG__FORMAT": "json",
        }
        if name != "upkeep":
            environment["GUARDLAKE__NOTIFY__FILE"] = FULL["NotifyFile"]
        account.same(f"{name}: environment", said, environment)
        log = {"awslogs-group": f"/{want.HUB}", "awslogs-region": want.REGION, "awslogs-stream-prefix": name}
        account.same(f"{name}: log", container["logConfiguration"], {"logDriver": "awslogs", "options": log})
    account.same("tasks", services, set(tasks))
    running = {arn.split("/")[-1] for arn in ecs.list_services(cluster=want.HUB)["serviceArns"]}
    account.same("services", running, {f"{want.HUB}-{name}" for name in tasks})
    for one in ecs.describe_services(cluster=want.HUB, services=sorted(running))["services"]:
        network = one["networkConfiguration"]["awsvpcConfiguration"]
        said = (network["subnets"], network["securityGroups"], network["assignPublicIp"])
        account.same(f"{one['serviceName']}: network", said, (["subnet-1", "subnet-2"], ["sg-1"], "DISABLED"))
        deployment = one["deploymentConfiguration"]
        said = (deployment["minimumHealthyPercent"], deployment["maximumPercent"])
        account.same(f"{one['serviceName']}: deployment", said, (0, 100))


def alarms(account, made, layout):
    expected = want.ALARMS | (want.ALARMS_APART if layout == "apart" else {})
    said = {}
    for one in account.client("cloudwatch").describe_alarms()["MetricAlarms"]:
        name = one["AlarmName"].removeprefix(f"{want.HUB}-")
        parts = ("Namespace", "MetricName", "TreatMissingData", "Threshold", "ComparisonOperator", "Statistic")
        said[name] = tuple(one[part] for part in parts)
        account.same(f"{name}: tells", one["AlarmActions"], [made["Alarms"]])
    account.same("alarms", said, expected)
    filters = {}
    for one in account.client("logs").describe_metric_filters()["metricFilters"]:
        (metric,) = one["metricTransformations"]
        account.same("filter: namespace", metric["metricNamespace"], want.HUB)
        filters[metric["metricName"]] = (one["filterPattern"], metric["metricValue"])
    account.same("filters", filters, want.FILTERS)


def direct(member, bus):
    """A member whose rule puts into the stream itself."""
    key = f"arn:aws:kms:{want.REGION}:{want.ACCOUNT}:key/1234"
    made = member.make("guardlake-member", "member.yaml", {"HubBusArn": bus, "HubStreamArn": want.STREAM, "HubKeyArn": key})
    if made:
        document = member.client("iam").get_role_policy(RoleName=made["SendRole"], PolicyName="send")["PolicyDocument"]
        member.same("SendRole", member.statements(document, key), want.INLINE["PutRole"])
        rule = made["Rule"].split("/")[-1].split("|")[-1]
        (target,) = member.client("events").list_targets_by_rule(Rule=rule)["Targets"]
        said = (target["Arn"], target.get("KinesisParameters"))
        member.same("target", said, (want.STREAM, {"PartitionKeyPath": "$.detail.id"}))
    return member.found


def stacks(root):
    """Both layouts, each in an account of its own; then a member; then what the stand-in refuses."""
    found = []
    with ministack() as endpoint:
        for number, layout, more in (
            (want.ACCOUNT, "one", {}),
            (OTHER, "apart", OTHERWISE),
        ):
            account = Account(root, endpoint, number)
            made = account.make(want.HUB, "hub.yaml", more)
            serving = account.make(f"{want.HUB}-service", "service.yaml", FULL | {"Layout": layout}) if made else {}
            if serving and not account.found:
                key = hub(account, made, int(more.get("StreamShards", 0)), more.get("NoncurrentDays") != "0")
                roles(account, made | serving, {"PutRole": []} | want.ROLES[layout], key)
                service(account, serving, layout)
                alarms(account, made, layout)
            found += [f"layout {layout}: {one}" for one in account.found]
        member = Account(root, endpoint, "777788889999")
        bus = f"arn:aws:events:{want.REGION}:{want.ACCOUNT}:event-bus/{want.HUB}"
        made = member.make("guardlake-member", "member.yaml", {"HubBusArn": bus})
        if made and not member.found:
            member.here = lambda value: value
            roles(member, made, {"SendRole": []}, "none")
            events, rule = member.client("events"), made["Rule"].split("/")[-1].split("|")[-1]
            (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
            member.same("target", (target["Arn"], target.get("KinesisParameters")), (bus, None))
            pattern = {"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"]}
            member.same("pattern", json.loads(events.describe_rule(Name=rule)["EventPattern"]), pattern)
        found += [f"member: {one}" for one in member.found]
        found += [f"member, into the stream: {one}" for one in direct(Account(root, endpoint, "888899990000"), bus)]
        access = Account(root, endpoint, want.ACCOUNT)
        access.make(f"{want.HUB}-access", "hub-access.yaml", {"OrganizationId": "o-abcdefghij"})
        if not any("Unrecognized resource types" in one for one in access.found):
            found.append(f"ministack takes hub-access.yaml now: {access.found}; test it here and empty REFUSED in checks/expected.py")
    return found
