"""Counts what `guardlake run` asks of S3 and Kinesis, at rest and with a finding every two seconds: the figures at the top of costs.py."""

import collections
import os
import subprocess
import tempfile
import time
from pathlib import Path

from . import expected as want
from . import least, stack

WARM, REST, BUSY = 60, 120, 150


class Count(least.Trial):
    """A trial that only counts, with the settings that guardlake has by itself."""

    def __init__(self, binary, endpoint, folder, account):
        self.binary, self.endpoint, self.folder, self.account = binary, endpoint, folder, account
        (folder / "notify.yaml").write_text(least.NOTIFY % folder)
        door = least.Door(endpoint, want.ROLES["one"]["AllRole"], asked=collections.Counter())
        own = ("RULES__DIR", "INGEST__SHARE", "INGEST__MAX_AGE", "UPKEEP__EVERY")
        environment = {name: value for name, value in self.environment(door).items() if not name.endswith(own)}
        kinesis, records = account.client("kinesis"), self.fresh(3)
        kinesis.put_records(StreamName=want.HUB, Records=records[:20])
        with open(folder / "log", "w") as log:
            process = subprocess.Popen([binary, "run"], env=environment, cwd=folder, stdout=log, stderr=log)
            try:
                time.sleep(WARM)
                door.asked.clear()
                time.sleep(REST)
                print(f"at rest, a minute: { {name: count * 60 / REST for name, count in sorted(door.asked.items())} }", flush=True)
                door.asked.clear()
                began, sent = time.monotonic(), 20
                while time.monotonic() - began < BUSY and sent < len(records):
                    kinesis.put_records(StreamName=want.HUB, Records=[records[sent]])
                    sent += 1
                    time.sleep(2)
                took = time.monotonic() - began
                print(f"with {sent - 20} findings in {took:.0f} s: {dict(sorted(door.asked.items()))}")
            finally:
                process.terminate()
                process.wait(60)


def run(root):
    binary = os.environ.get("GUARDLAKE_BINARY")
    if not binary:
        print("GUARDLAKE_BINARY names no program")
        return 3
    with stack.ministack() as endpoint, tempfile.TemporaryDirectory() as folder:
        account = stack.Account(root, endpoint, want.ACCOUNT)
        account.make(want.HUB, "hub.yaml", {})
        Count(binary, endpoint, Path(folder), account)
    return 0
