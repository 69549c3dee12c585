#!/usr/bin/env python3
"""Writes what the RustSec database says of the crates in Cargo.lock, so that tests can read it without a download.

Usage: deny/advisories.py DATABASE [--lock Cargo.lock] [--out deny/advisories.json]

DATABASE is a clone of the RustSec advisory-db: a work tree or a bare git directory. Its newest commit is read, not the
files that lie around it, so that the commit in the output says all. The output has the names that were asked about
(crates that come from a registry), and every advisory of these names, also those that hit no locked version: whether
one does is for tests/it/house/advisories.rs to say. Sorted, an advisory a line, the same bytes for the same input.
"""

import argparse
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent


def names_asked(lock):
    """Names of packages that come from a registry: ours come from this repository and have no source."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", [])
    names = sorted({p["name"] for p in packages if p.get("source", "").startswith("registry+")})
    if not names:
        sys.exit(f"{lock}: no package comes from a registry")
    return names


def git(database, *words):
    asked = subprocess.run(["git", "-C", str(database), *words], capture_output=True)
    if asked.returncode != 0:
        sys.exit(f"{database}: git {words[0]}: {asked.stderr.decode(errors='replace').strip()}")
    return asked.stdout


def documents(database):
    """Path and text of every advisory in the newest commit."""
    archive = git(database, "archive", "--format=tar", "HEAD", "crates")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            if member.isfile() and member.name.endswith(".md"):
                yield member.name, files.extractfile(member).read().decode("utf-8")


def advisory(path, text):
    """An advisory is Markdown that opens with a fenced block of TOML; its title is the first heading after that."""
    opened, fence, rest = text.partition("```toml\n")
    front, closed, body = rest.partition("\n```")
    if opened.strip() or not fence or not closed:
        sys.exit(f"{path}: does not open with a block of TOML")
    try:
        told = tomllib.loads(front)
        about, versions = told["advisory"], told.get("versions", {})
        found = {"id": about["id"], "package": about["package"]}
    except (tomllib.TOMLDecodeError, KeyError) as error:
        sys.exit(f"{path}: {error}")
    title = next((line[2:].strip() for line in body.splitlines() if line.startswith("# ")), "")
    found |= {
        "title": title,
        "informational": about.get("informational"),
        "withdrawn": str(about["withdrawn"]) if "withdrawn" in about else None,
        "patched": versions.get("patched", []),
        "unaffected": versions.get("unaffected", []),
        "url": about.get("url") or f"https://rustsec.org/advisories/{about['id']}.html",
    }
    return found


def written(snapshot):
    """JSON with a line for each name and each advisory."""
    def lines(values):
        return ",\n".join("  " + json.dumps(value, ensure_ascii=False) for value in values)

    return (
        "{\n"
        f' "database": {json.dumps(snapshot["database"])},\n'
        f' "asked": [\n{lines(snapshot["asked"])}\n ],\n'
        f' "advisories": [\n{lines(snapshot["advisories"])}\n ]\n'
        "}\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=pathlib.Path)
    parser.add_argument("--lock", type=pathlib.Path, default=HERE.parent / "Cargo.lock")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "advisories.json")
    given = parser.parse_args()

    asked = names_asked(given.lock)
    commit, date = git(given.database, "log", "-1", "--format=%H %cI").decode().split()
    read = [advisory(path, text) for path, text in documents(given.database)]
    if not read:
        sys.exit(f"{given.database}: no advisory below crates/")
    wanted = set(asked)
    ours = sorted((a for a in read if a["package"] in wanted), key=lambda a: (a["package"], a["id"]))
    snapshot = {"database": {"commit": commit, "date": date}, "asked": asked, "advisories": ours}
    given.out.write_text(written(snapshot), encoding="utf-8")
    print(f"{given.out}: {len(ours)} of {len(read)} advisories are of our {len(asked)} crates; database of {date}")


if __name__ == "__main__":
    main()
