"""The policies tried with the program itself: each role of guardlake works against ministack through a door that knows IAM as far as the
policies of checks/expected.py need it, and refuses everything else with 403. Any refusal is a permission that a role lacks."""

import fnmatch
import http.client
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from . import expected as want
from . import stack

# What is asked of the door. KMS is asked by S3 and Kinesis in the name of the role, which no stand-in does.
QUIET = {"AWS_ACCESS_KEY_ID": want.ACCOUNT, "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": want.REGION, "AWS_EC2_METADATA_DISABLED": "true"}
NOTIFY = "channels:\n  desk: {kind: file, path: %s/told.jsonl}\nroute:\n  channels: [desk]\n  group_wait: 0s\n"
RULE = """/*
title: Every finding
severity: high
group_by: [account_id]
count: findings
threshold: 1
window: 1d
*/
SELECT * FROM observations
"""


def wishes(method, target, headers, body):
    """A request as IAM sees it: pairs of action and resource."""
    if "X-Amz-Target" in headers:
        return [("kinesis:" + headers["X-Amz-Target"].split(".")[-1], want.STREAM)]
    parts = urlsplit(target)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    bucket = f"arn:aws:s3:::{bucket}"
    if not key:
        if method == "POST" and "delete" in query:
            return [("s3:DeleteObject", f"{bucket}/{name}") for name in re.findall(r"<Key>([^<]+)</Key>", body.decode())]
        return [("s3:ListBucket" if method in ("GET", "HEAD") else f"s3:{method}", bucket)]
    action = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}[method]
    action = "AbortMultipartUpload" if method == "DELETE" and "uploadId" in query else action
    return [(f"s3:{action}", f"{bucket}/{key}")]


def forward(endpoint, method, target, body, headers):
    """The stand-in's answer; on a busy machine it may be asked again."""
    for again in (True, True, True, False):
        server = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
        try:
            server.request(method, target, body, headers)
            said = server.getresponse()
            return said, said.read()
        except (OSError, http.client.HTTPException) as error:
            if not again:
                print(f"  {method} {target}: the stand-in: {error!r}")
                raise
            time.sleep(1)
        finally:
            server.close()


class Door:
    """Lets through to `endpoint` what the policies allow."""

    def __init__(self, endpoint, policies, asked=None):
        statements = [statement for name in policies for statement in want.POLICIES[name]]
        self.refused, self.asked = set(), {} if asked is None else asked
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                for action, resource in wishes(self.command, self.path, self.headers, body):
                    one = lambda actions, resources: action in actions and any(fnmatch.fnmatchcase(resource, r) for r in resources)
                    door.asked[action] = door.asked.get(action, 0) + 1
                    if not any(one(*statement) for statement in statements):
                        door.refused.add(f"{action} on {resource}")
                        return self.refuse()
                said, data = forward(endpoint, self.command, self.path, body, dict(self.headers))
                self.send_response(said.status)
                for name, value in said.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                length = said.getheader("Content-Length") if self.command == "HEAD" else len(data)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                self.wfile.write(data)

            def refuse(self):
                if "X-Amz-Target" in self.headers:
                    text = json.dumps({"__type": "AccessDeniedException", "message": "the door"})
                else:
                    text = "<Error><Code>AccessDenied</Code><Message>the door</Message></Error>"
                self.send_response(403)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode() if self.command != "HEAD" else b"")

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # whoever asked has gone
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"


def least(root):
    binary = os.environ.get("GUARDLAKE_BINARY")
    if not binary:
        print("  GUARDLAKE_BINARY names no program: the policies are not tried")
        return []
    with stack.ministack() as endpoint, tempfile.TemporaryDirectory() as folder:
        account = stack.Account(root, endpoint, want.ACCOUNT)
        if not account.make(want.HUB, "hub.yaml", {}):
            return account.found
        return Trial(binary, endpoint, Path(folder), account).found


class Trial:
    def __init__(self, binary, endpoint, folder, account):
        self.binary, self.endpoint, self.folder, self.account, self.found = binary, endpoint, folder, account, []
        (folder / "rules").mkdir()
        (folder / "rules/every.sql").write_text(RULE)
        (folder / "notify.yaml").write_text(NOTIFY % folder)
        (folder / "accounts.csv").write_text("account_id,name\n111122223333,security\n")
        for seed, (layout, roles) in enumerate(want.ROLES.items()):
            # A lake of its own: ministack numbers records with leading zeros, and does not find the place after one without them.
            s3 = account.client("s3")
            for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
                s3.delete_object(Bucket=BUCKET, Key=one["Key"])
            account.client("kinesis").put_records(StreamName=want.HUB, Records=self.fresh(seed))
            (folder / "told.jsonl").unlink(missing_ok=True)
            for task, (runs, role, _) in want.TASKS[layout].items():
                # The line on lag comes once a minute. Reports are due by the clock, so one is made by hand.
                until = {"one main": "told", "apart main": "following", "apart notify": "told"}.get(f"{layout} {task}", "")
                self.run(f"{layout}, {task}", roles[role], runs, until)
                self.ask(f"{layout}, {task}: doctor", roles[role], "doctor", "--role", DOCTOR[task])
                if task == "reports" or layout == "one":
                    self.ask(f"{layout}, {task}: report", roles[role], "report", "run", "daily_digest", "--for", "2026-11-01")
        roles = want.ROLES["apart"]
        self.ask("accounts", roles["AccountsRole"], "accounts", "import", str(folder / "accounts.csv"))
        self.ask("query", roles["QueryRole"], "trend", "totals")
        rows = self.ask("query", roles["QueryRole"], "--format", "csv", "sql", "SELECT count(*) AS n FROM findings")
        if not re.search(r"\n[1-9]", rows):
            self.found.append(f"there are no findings in the lake: {rows}")
        for words in ("lake verify", "alert list", "accounts list", "notify owed", "report list", "doctor --role query"):
            self.ask(words, roles["QueryRole"], *words.split())
        # The door is one.
        for role in ("QueryRole", "NotifyRole"):
            self.ask(f"{role} on findings", roles[role], "ingest", str(folder / "more.jsonl"), good=(4,), refused=True)
        (folder / "accounts.csv").write_text("account_id,name\n111122223333,another\n")
        self.ask("IngestRole on accounts", roles["IngestRole"], "accounts", "import", str(folder / "accounts.csv"), good=(4,), refused=True)

    def fresh(self, seed):
        """Findings of this minute: older ones are history and ring nowhere."""
        command = [self.binary, "sample", "--findings", "100", "--seed", str(seed)]
        events = [json.loads(line) for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines()]
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        for event in events:
            event["detail"] |= {"createdAt": now, "updatedAt": now}
            event["detail"]["service"] |= {"eventFirstSeen": now, "eventLastSeen": now}
        lines = [json.dumps(event) for event in events]
        (self.folder / "more.jsonl").write_text(lines[0].replace('"id": "', '"id": "f'))
        return [{"Data": line.encode(), "PartitionKey": str(number)} for number, line in enumerate(lines)]

    def environment(self, door):
        more = {
            "AWS_ENDPOINT_URL": door.address,
            "GUARDLAKE__LAKE__URI": want.LAKE.replace("arn:aws:s3:::", "s3://"),
            "GUARDLAKE__STREAM__NAME": want.STREAM,
            "GUARDLAKE__LOG__FORMAT": "json",
            "GUARDLAKE__LOG__LEVEL": "warn,ingest=info",
            "GUARDLAKE__NOTIFY__FILE": str(self.folder / "notify.yaml"),
            "GUARDLAKE__RULES__DIR": str(self.folder / "rules"),
            "GUARDLAKE__INGEST__SHARE": "true",
            "GUARDLAKE__INGEST__MAX_AGE": "1s",
            "GUARDLAKE__UPKEEP__EVERY": "2s",
        }
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)} | QUIET | more

    def done(self, what, door, refused):
        if door.refused and not refused:
            self.found.append(f"{what}: refused {', '.join(sorted(door.refused)[:5])}")
        if refused and not door.refused:
            self.found.append(f"{what}: nothing was refused")

    def ask(self, what, policies, *words, good=(0,), refused=False):
        door = Door(self.endpoint, policies)
        command = [self.binary, *words]
        done = subprocess.run(command, env=self.environment(door), cwd=self.folder, capture_output=True, text=True, timeout=300)
        if done.returncode not in good:
            self.found.append(f"{what}: exit code {done.returncode}: {(done.stdout + done.stderr)[-800:]}")
        self.done(what, door, refused)
        return done.stdout

    def run(self, what, policies, roles, until):
        """`guardlake run` until it has done its work, and its end in order."""
        door = Door(self.endpoint, policies)
        log = self.folder / "log"
        with open(log, "w") as said:
            command = [self.binary, "run", "--roles", roles]
            process = subprocess.Popen(command, env=self.environment(door), cwd=self.folder, stdout=said, stderr=said)
            deadline = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.5)
                if time.monotonic() > deadline - 112 and self.has(until, log):
                    break
            process.terminate()
            code = process.wait(60)
        text = log.read_text()
        if code != 0 or not self.has(until, log):
            self.found.append(f"{what}: exit code {code}, {until or 'work'} is not there: {text[-800:]}")
        if until == "following":
            (line, *_) = [json.loads(line) for line in text.splitlines() if '"message":"following"' in line] or [{}]
            if line.get("message") != "following" or not isinstance(line.get("millis_behind"), int):
                self.found.append(f"{what}: the alarm on lag cannot read {line}")
        self.done(what, door, False)

    def has(self, until, log):
        if until == "told":
            return (self.folder / "told.jsonl").exists()
        # Not "following the stream", which comes at once.
        return not until or f'"message":"{until}"' in log.read_text()


BUCKET = want.BUCKET.removeprefix("arn:aws:s3:::")
DOCTOR = {"main": "ingest", "notify": "alerts,notify", "reports": "query", "upkeep": "upkeep"}
