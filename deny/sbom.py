#!/usr/bin/env python3
"""Prints what the command `guardlake` is made of: a CycloneDX 1.5 document, or with --licences a list of licences.

Usage: deny/sbom.py [--target x86_64-unknown-linux-gnu] [--licences] [--out FILE]

What is in the build and what needs what is said by `cargo tree`, which resolves features for the package and the target
alone (`cargo metadata` would add what only tests of the workspace switch on); licences by `cargo metadata`; checksums by
Cargo.lock. What only builds, and is not linked into the command, has the scope `excluded`: build scripts, procedural
macros and what they need. No clock and no chance: the serial number follows from Cargo.lock, version and target, so the
same commit gives the same bytes.
"""

import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import urllib.parse
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = "guardlake"
LINE = re.compile(r"^(?P<depth>\d+)(?P<name>[A-Za-z0-9_-]+) v(?P<version>[^ ]+)")


def cargo(*words):
    asked = subprocess.run(["cargo", *words], cwd=ROOT, capture_output=True, text=True)
    if asked.returncode != 0:
        sys.exit(f"cargo {words[0]}: {asked.stderr.strip()}")
    return asked.stdout


def tree(edges, target):
    """Packages as (name, version), each with the set of those it needs."""
    told = cargo("tree", "--locked", "--package", PACKAGE, "--edges", edges, "--target", target, "--prefix", "depth",
                 "--charset", "ascii", "--format", "{p}")
    needs, path = {}, []
    for line in told.splitlines():
        if not line.strip():
            continue
        found = LINE.match(line) or sys.exit(f"cargo tree: not understood: {line}")
        package = (found["name"], found["version"])
        del path[int(found["depth"]):]
        needs.setdefault(package, set())
        if path:
            needs[path[-1]].add(package)
        path.append(package)
    return needs


def described():
    """What cargo knows of each (name, version)."""
    packages = json.loads(cargo("metadata", "--locked", "--format-version", "1"))["packages"]
    return {(package["name"], package["version"]): package for package in packages}


def locked():
    """Checksums by (name, version); packages of this repository have none."""
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    return {(package["name"], package["version"]): package.get("checksum") for package in packages}


def licence(package):
    """The licence expression; a slash is the old way to write OR."""
    return re.sub(r"\s*/\s*", " OR ", package["license"] or "")


def purl(package):
    """Where a package can be had: ours is the repository at the tag of its version."""
    name, version = package["name"], urllib.parse.quote(package["version"], safe="")
    if package["source"]:
        return f"pkg:cargo/{name}@{version}"
    ours = urllib.parse.urlsplit(package["repository"] or f"https://github.com/{PACKAGE}/{PACKAGE}").path.strip("/")
    folder = pathlib.Path(package["manifest_path"]).parent.relative_to(ROOT).as_posix()
    return f"pkg:github/{ours}@v{version}" + ("" if name == PACKAGE else f"#{folder}")


def component(package, checksum, linked):
    found = {
        "type": "application" if package["name"] == PACKAGE else "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if linked else "excluded",
        "licenses": [{"expression": licence(package)}],
        "purl": purl(package),
    }
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def document(target):
    needs, linked = tree("normal,build", target), tree("normal,no-proc-macro", target)
    known, checksums = described(), locked()
    unsaid = sorted(f"{name} {version}" for name, version in needs if not known[name, version]["license"])
    if unsaid:
        sys.exit(f"no licence expression: {', '.join(unsaid)}")
    components = {key: component(known[key], checksums[key], key in linked) for key in needs}
    (root,) = (key for key in needs if key[0] == PACKAGE)
    del components[root]["scope"]
    references = {key: found["bom-ref"] for key, found in components.items()}
    lock = hashlib.sha256((ROOT / "Cargo.lock").read_bytes()).hexdigest()
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"{references[root]}?target={target}&lock={lock}")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": components[root],
            "properties": [
                {"name": "guardlake:target", "value": target},
                {"name": "guardlake:cargo-lock-sha256", "value": lock},
            ],
        },
        "components": [components[key] for key in sorted(components) if key != root],
        "dependencies": [
            {"ref": references[key], "dependsOn": sorted(references[need] for need in needs[key])}
            for key in sorted(needs)
        ],
    }


def licences(bom):
    """Markdown: each licence expression with those who wrote under it, most used first."""
    by = {}
    for found in bom["components"]:
        by.setdefault(found["licenses"][0]["expression"], []).append(f"{found['name']} {found['version']}")
    target = bom["metadata"]["properties"][0]["value"]
    ours = bom["metadata"]["component"]
    lines = [
        f"# Licences of what {ours['name']} {ours['version']} is made of",
        "",
        f"Target {target}, {len(bom['components'])} packages, with those that only build. "
        "Expressions are SPDX, as the authors wrote them.",
    ]
    for expression, crates in sorted(by.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        lines += ["", f"## {expression} ({len(crates)})", "", *(f"- {crate}" for crate in crates)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="x86_64-unknown-linux-gnu")
    parser.add_argument("--licences", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    given = parser.parse_args()

    bom = document(given.target)
    text = licences(bom) if given.licences else json.dumps(bom, indent=1, ensure_ascii=False) + "\n"
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
