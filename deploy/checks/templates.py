"""Templates as they stand: lint, our rules, scanners, suppressions, names of settings, Terraform beside CloudFormation."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import expected as want

BIN = Path(sys.executable).parent
TEMPLATES = ("hub.yaml", "service.yaml", "hub-access.yaml", "member.yaml")


def plain(value):
    """A template as ordinary dictionaries, short tags written out."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


def load(root, name):
    from cfnlint.decode import cfn_yaml

    return plain(cfn_yaml.load(str(root / "deploy/cloudformation" / name)))


def lint(root):
    paths = [str(root / "deploy/cloudformation" / name) for name in TEMPLATES]
    done = subprocess.run([BIN / "cfn-lint", *paths], capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines()


def guard(root):
    from cfn_guard_rs import run_checks

    found, asked = [], set()
    for path in sorted((root / "deploy/rules").glob("*.guard")):
        rules = path.read_text()
        names = set(re.findall(r"^rule (\w+)", rules, re.M))
        for name in TEMPLATES:
            report = run_checks(load(root, name), rules)
            asked |= set(report.compliant)
            for broken in report.not_compliant:
                text = str(broken)
                said = re.findall(r"custom_message='([^']+)'", text)
                rule = re.search(r"name='(\w+)'", text)
                found.append(f"{name}: rule {rule.group(1) if rule else '?'}: {'; '.join(said) or text[:300]}")
        if not found:
            found += [f"{path.name}: rule {rule} applies to no template" for rule in sorted(names - asked)]
    return found


def said_by_the_template(root):
    """What the stand-in does not keep."""
    hub, found = load(root, "hub.yaml")["Resources"], []
    for (name, key), value in want.SAID_BY_THE_TEMPLATE.items():
        said = hub[name]["Properties"].get(key)
        if said != value:
            found.append(f"hub.yaml: {name}.{key} is {json.dumps(said)}")
    policy = {}
    for statement in hub["Key"]["Properties"]["KeyPolicy"]["Statement"]:
        statement = statement.get("Fn::If", [0, statement])[1]
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        conditions = sorted(key for test in statement.get("Condition", {}).values() for key in test)
        policy[statement["Sid"]] = (*statement["Principal"], actions, conditions)
    if policy != {sid: (who, actions, sorted(keys)) for sid, (who, actions, keys) in want.KEY_POLICY.items()}:
        found.append(f"hub.yaml: the key policy is {policy}")
    service = load(root, "service.yaml")["Resources"]
    for name, resource in service.items():
        if resource["Type"] != "AWS::ECS::TaskDefinition":
            continue
        (container,) = resource["Properties"]["ContainerDefinitions"]
        secrets = [one["Fn::If"][1]["Name"] for one in container.get("Secrets", [])]
        conditions = {one["Fn::If"][0] for one in container.get("Secrets", [])}
        names = ["SLACK_TOKEN", "PAGERDUTY_KEY", "WEBHOOK_SECRET"] if name in ("MainTask", "NotifyTask") else []
        if secrets != names or (name == "MainTask" and conditions != {"OneSlack", "OnePagerDuty", "OneWebhook"}):
            found.append(f"service.yaml: {name} gets the secrets {secrets} if {sorted(conditions)}")
        if resource["Properties"]["Volumes"] != [{"Name": "tmp"}]:
            found.append(f"service.yaml: {name} has the volumes {resource['Properties']['Volumes']}")
    return found


def access(root):
    """hub-access.yaml, which the stand-in refuses, statement by statement."""
    resources, found = load(root, "hub-access.yaml")["Resources"], []
    types = sorted(one["Type"] for one in resources.values())
    if types != sorted(want.REFUSED):
        found.append(f"hub-access.yaml holds {types}; checks/expected.py lists {sorted(want.REFUSED)} as refused")
    bus = resources["BusPolicy"]["Properties"]["Statement"]
    (stream,) = resources["StreamPolicy"]["Properties"]["ResourcePolicy"]["Statement"]
    organization = {"StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}}}
    actions = {"BusPolicy": (bus, "events:PutEvents"), "StreamPolicy": (stream, ["kinesis:PutRecord", "kinesis:PutRecords"])}
    for name, (statement, action) in actions.items():
        if (statement["Effect"], statement["Action"], statement.get("Condition")) != ("Allow", action, organization):
            found.append(f"hub-access.yaml: {name} says {json.dumps(statement)}")
    if resources["StreamPolicy"].get("Condition") != "Direct":
        found.append("hub-access.yaml: StreamPolicy is there without DirectFromMembers")
    return found


def scan(root):
    """checkov on templates, Terraform and images; every suppression with its reason, and none that suppresses nothing."""
    found, used, counted = [], set(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("Containerfile", "settings.Containerfile"):
            target = Path(folder) / name.replace("Containerfile", "Dockerfile")
            text = (root / "deploy/container" / name).read_text()
            # checkov knows the name of the other tool only.
            target = target if target.name == "Dockerfile" else Path(folder) / "settings.Dockerfile"
            target.write_text(text)
        runs = {"cloudformation": root / "deploy/cloudformation", "terraform": root / "deploy/terraform", "dockerfile": Path(folder)}
        started = {
            framework: subprocess.Popen(
                [BIN / "checkov", "-d", path, "--framework", framework, "--skip-download", "-o", "json"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for framework, path in runs.items()
        }
        for framework, process in started.items():
            said, error = process.communicate(timeout=300)
            if not said.strip():
                return [f"checkov on {framework} says nothing: {error[-500:]}"]
            said = json.loads(said)
            results, counted[framework] = said["results"], said["summary"]["passed"]
            for one in results["failed_checks"]:
                found.append(f"{one['file_path']}: {one['resource']}: {one['check_id']}: {one['check_name']}")
            for one in results["skipped_checks"]:
                used.add(one["check_id"])
                if len(one["check_result"].get("suppress_comment", "")) < 20:
                    found.append(f"{one['file_path']}: {one['check_id']} is suppressed without a reason")
    found += [f"checkov looked at next to nothing of {framework}" for framework, count in counted.items() if count < 30]
    declared = set()
    for path, line in lines(root):
        declared |= set(re.findall(r"checkov:skip=(\w+):\S", line))
        declared |= set(re.findall(r"\bid: (CKV\w+)", line))
    found += [f"the suppression of {one} suppresses nothing: take it out" for one in sorted(declared - used)]
    return found


def lines(root):
    for path in sorted((root / "deploy").rglob("*")):
        if path.is_file() and path.suffix in (".yaml", ".tf", ".Containerfile") or path.name == "Containerfile":
            for line in path.read_text().splitlines():
                yield path, line


def suppressions(root):
    """Each suppression has its reason beside it, whoever it is meant for."""
    found, before = [], ""
    for path, line in lines(root):
        where = f"{path.relative_to(root)}: {line.strip()[:80]}"
        if re.search(r"checkov:skip=\w+(?!\w*:.{20})", line):
            found.append(f"{where}: no reason")
        if re.search(r"\bid: CKV\w+", line) and "comment:" not in line:
            following = path.read_text().split(line, 1)[1].splitlines()[1:2]
            if not any("comment:" in one for one in following):
                found.append(f"{where}: no comment")
        if ignored := re.search(r"ignore_checks: \[(\w+)\]", line):
            if not re.search(rf"# {ignored.group(1)}: .{{20}}", before):
                found.append(f"{where}: no reason in the line before")
        before = line
    return found


def settings(root):
    """Variables of guardlake in templates, units and pages are settings that there are."""
    known = set(re.findall(r"`(GUARDLAKE__\w+)`", (root / "docs/settings.md").read_text()))
    if not known:
        return ["docs/settings.md names no variables"]
    found = []
    paths = [path for path in (root / "deploy").rglob("*") if path.suffix in (".yaml", ".tf", ".service") or "Container" in path.name]
    for path in [*paths, root / "docs/deploy.md"]:
        for name in sorted(set(re.findall(r"GUARDLAKE__\w+", path.read_text())) - known):
            found.append(f"{path.relative_to(root)}: there is no setting {name}")
    return found


def terraform(root):
    """The module gives the same policies to the same roles, and rings the same alarms."""
    import hcl2

    folder, found = root / "deploy/terraform/hub", []
    with open(folder / "roles.tf") as file:
        local = hcl2.load(file)["locals"][0]
    one = lambda value: value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) else value
    written = {
        "${local.lake}": want.LAKE,
        "${aws_s3_bucket.lake.arn}": want.BUCKET,
        "${aws_kinesis_stream.stream.arn}": want.STREAM,
        "${aws_kms_key.key.arn}": want.KEY,
    }

    def resolved(text):
        for name, value in written.items():
            text = text.replace(name, value)
        return text

    policies = {
        name: [(tuple(s["Action"]), tuple(resolved(r) for r in s["Resource"])) for s in statements]
        for name, statements in one(one(local["policies"])).items()
    }
    for name, statements in want.POLICIES.items():
        if name != "TellTopic" and policies.get(name) != statements:
            found.append(f"roles.tf: {name} is {policies.get(name)}")
    for layout, roles in one(one(local["role_policies"])).items():
        for role, names in one(roles).items():
            title = {"main": "AllRole" if layout == "one" else "IngestRole"}.get(role, role.capitalize() + "Role")
            if names != [name for name in want.ROLES[layout][title] if name != "TellTopic"]:
                found.append(f"roles.tf: {layout}, {role} has {names}")
    for layout, services in one(one(local["layouts"])).items():
        tasks = {name: (one(said)["roles"], one(said)["tells"]) for name, said in one(services).items()}
        if tasks != {name: (roles, tells) for name, (roles, _, tells) in want.TASKS[layout].items()}:
            found.append(f"roles.tf: {layout} runs {tasks}")
    text = (folder / "alarms.tf").read_text()
    for name, (namespace, metric, missing, threshold, comparison, statistic) in want.ALARMS.items():
        title = re.escape(name.replace("no-main", "no-${name}"))
        block = re.search(title + r'"? =>? {\n(.*?)\n    }', text, re.S)
        block = re.sub(r"\s+", " ", block.group(1)) if block else ""
        needed = [f'metric = "{metric}"', f'missing = "{missing}"', f"threshold = {threshold}", f'"{comparison}"', f'"{statistic}"']
        found += [f"alarms.tf: {name} lacks {part}" for part in needed if not re.search(re.escape(part) + r"(?!\d)", block)]
    for name, (pattern, value) in want.FILTERS.items():
        if f"pattern = {json.dumps(pattern)}, value = {json.dumps(value)}" not in text:
            found.append(f"alarms.tf: the filter {name} is another")
    return found


def unit(root):
    """The systemd unit, where systemd-analyze is there to judge it."""
    if not shutil.which("systemd-analyze"):
        print("  systemd-analyze is not here: the unit is not looked at")
        return []
    text = (root / "deploy/systemd/guardlake.service").read_text()
    lines = "TimeoutStopSec=120 DynamicUser=yes NoNewPrivileges=yes ProtectSystem=strict Restart=on-failure KillSignal=SIGTERM"
    found = [f"guardlake.service lacks {line}" for line in lines.split() if line not in text]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "guardlake.service"
        path.write_text(text.replace("/usr/local/bin/guardlake", shutil.which("true")))
        done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
        found += [f"systemd-analyze verify: {line}" for line in done.stderr.splitlines() if "guardlake.service" in line]
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", path], capture_output=True, text=True)
        level = re.search(r"exposure level for guardlake.service: ([\d.]+)", done.stdout)
        if not level or float(level.group(1)) > 1.5:
            found.append(f"systemd-analyze security: {level.group(0) if level else done.stderr}")
    return found


def context(root):
    """What the sources include lies in the context of the image's build."""
    kept = [line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    found = []
    if (root / ".dockerignore").read_text() != (root / ".containerignore").read_text():
        found.append(".dockerignore and .containerignore differ")
    wanted = {"Cargo.toml", "Cargo.lock", "crates", "sql", "tests/Cargo.toml", "tests/it"}
    found += [f".dockerignore leaves {name} out" for name in sorted(wanted - set(kept))]
    for path in (root / "crates").rglob("*.rs"):
        if {"tests", "examples", "tests.rs"} & set(path.parts):
            continue
        code = path.read_text().split("#[cfg(test)]")[0]
        for name in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', code):
            target = (path.parent / name).resolve()
            inside = target.relative_to(root.resolve()).as_posix()
            if not any(inside == one or inside.startswith(one + "/") for one in kept):
                found.append(f"{path.relative_to(root)} includes {inside}, which .dockerignore leaves out")
    return found


def wide(line):
    return len(line) > 140 and not line.startswith("| ")


def widths(root):
    found = []
    paths = [path for path in (root / "deploy").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in [*paths, root / "docs/deploy.md", root / "docs/costs.md"]:
        if path.name == "requirements.txt":
            continue
        text = path.read_text().splitlines()
        # A row of a table is as wide as it must be.
        found += [f"{path.relative_to(root)}:{number} is {len(line)} wide" for number, line in enumerate(text, 1) if wide(line)]
        found += [f"{path.relative_to(root)} has {len(text)} lines"] if len(text) > 600 else []
    return found
