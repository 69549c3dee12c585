"""Figures and commands of the pages are those of the programs."""

import os
import re
import shlex
import subprocess
import sys


def costs(root):
    """docs/costs.md holds what deploy/costs.py prints."""
    done = subprocess.run([sys.executable, root / "deploy/costs.py"], capture_output=True, text=True)
    if done.returncode != 0:
        return [f"costs.py: {done.stderr[-500:]}"]
    page = (root / "docs/costs.md").read_text()
    held = re.search(r"<!-- costs -->\n(.*?)<!-- end -->", page, re.S)
    if not held:
        return ["docs/costs.md has no <!-- costs --> ... <!-- end -->"]
    said, held = done.stdout.strip().splitlines(), held.group(1).strip().splitlines()
    if said == held:
        return []
    lines = [f"- {line}" for line in held if line not in said] + [f"+ {line}" for line in said if line not in held]
    return ["docs/costs.md is not what deploy/costs.py prints:", *lines[:10]]


def commands(root):
    """Each `guardlake ...` of docs/deploy.md is a command with flags that there are, where GUARDLAKE_BINARY names the program to ask."""
    binary = os.environ.get("GUARDLAKE_BINARY")
    if not binary:
        print("  GUARDLAKE_BINARY names no program: commands of the page are not asked for")
        return []
    settings = {"GUARDLAKE__LAKE__URI": "./lake", "GUARDLAKE__NOTIFY__FILE": "./notify.yaml", "PATH": os.environ["PATH"]}
    for words in (["config", "validate"], ["rule", "check"]):
        done = subprocess.run([binary, *words], cwd=root / "deploy/settings", env=settings, capture_output=True, text=True)
        if done.returncode != 0:
            return [f"deploy/settings: {' '.join(words)}: {(done.stdout + done.stderr)[-500:]}"]
    page, found, known = (root / "docs/deploy.md").read_text(), [], {}

    def helped(words):
        if words not in known:
            done = subprocess.run([binary, *words, "--help"], capture_output=True, text=True)
            known[words] = done.stdout if done.returncode == 0 else None
        return known[words]

    blocks = re.findall(r"```sh\n(.*?)```", page, re.S)
    lines = re.sub(r"\\\n\s*", " ", "\n".join(blocks)).splitlines()
    asked = 0
    for line in lines:
        words = shlex.split(line, comments=True)
        words = [word for word in words if not re.match(r"^[A-Z_]+=", word)]
        words = words[1:] if words[:1] == ["sudo"] else words
        if words[:1] != ["guardlake"]:
            continue
        asked, rest, below = asked + 1, words[1:], ()
        flags = [word.split("=")[0] for word in rest if word.startswith("-")]
        for word in rest:
            if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-") and helped((*below, word)):
                below = (*below, word)
        text = (helped(below) or "") + (helped(()) or "")
        if not below:
            found.append(f"docs/deploy.md: no such command: {line}")
        wrong = [flag for flag in flags if not re.search(rf"{re.escape(flag)}[\s,]", text)]
        found += [f"docs/deploy.md: {flag} is no flag of {' '.join(below)}" for flag in wrong]
    return found if asked else ["docs/deploy.md: no command of guardlake is found"]
