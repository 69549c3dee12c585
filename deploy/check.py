#!/usr/bin/env python3
"""Checks everything below deploy/ and the pages about it. Needs a Python with deploy/requirements.txt, network and AWS it does not need.

  python3 -m venv V && V/bin/pip install --no-deps -r deploy/requirements.txt
  V/bin/python deploy/check.py               every check; exit code 1 if one fails
  V/bin/python deploy/check.py lint stacks   only these
  V/bin/python deploy/check.py --mutations   breaks copies of the templates one by one, and fails if a check does not notice
  V/bin/python deploy/check.py --requests    counts what guardlake asks of S3 and Kinesis (five and a half minutes), for costs.py

GUARDLAKE_BINARY=path of guardlake has the commands of docs/deploy.md looked up, and the policies tried with the program itself."""

import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("LOG_LEVEL", "ERROR")
sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy"))

from checks import least, mutations, pages, requests, stack, templates  # noqa: E402

CHECKS = {
    "widths": templates.widths,
    "suppressions": templates.suppressions,
    "settings": templates.settings,
    "context": templates.context,
    "lint": templates.lint,
    "guard": templates.guard,
    "said": templates.said_by_the_template,
    "access": templates.access,
    "terraform": templates.terraform,
    "unit": templates.unit,
    "costs": pages.costs,
    "commands": pages.commands,
    "stacks": stack.stacks,
    "scan": templates.scan,
    "least": least.least,
}


def main(arguments):
    tools = ("cfn-lint", "cfn-guard-rs", "checkov", "ministack", "boto3", "bc-python-hcl2")
    print(f"Python {sys.version.split()[0]},", ", ".join(f"{tool} {version(tool)}" for tool in tools))
    if "--mutations" in arguments:
        return mutations.run(ROOT, CHECKS)
    if "--requests" in arguments:
        return requests.run(ROOT)
    unknown = [name for name in arguments if name not in CHECKS]
    if unknown:
        print(f"no such check: {unknown}; there are {', '.join(CHECKS)}")
        return 3
    failed = 0
    for name in arguments or CHECKS:
        began = time.monotonic()
        try:
            found = CHECKS[name](ROOT)
        except Exception as error:  # a check that breaks off has not held
            found = [f"{type(error).__name__}: {error}"]
        print(f"{'FAILED' if found else 'ok    '} {name} ({time.monotonic() - began:.1f} s)")
        print("".join(f"  {line}\n" for line in found), end="")
        failed += bool(found)
    print(f"{failed} of {len(arguments or CHECKS)} checks failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
