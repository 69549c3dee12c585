#!/usr/bin/env python3
"""How time, memory and bytes grow with the findings of 5,000 accounts: the slopes that docs/scale.md reckons with.

    cargo build --release
    python3 bench/scale.py [--binary target/release/guardlake] [--sizes 100000,300000,1000000] [--accounts 5000] [--days 30]

For each size a lake of made findings in a folder: loaded from JSON lines, compacted, all rules evaluated by a new process that has seen nothing, then
2,000 findings of the last hour loaded and evaluated by another, and four questions. Whole processes, one after the other, each once. Every number of
rows is checked. The slope is that of the straight line with the least squares through the sizes: so much for each further million, and so much
where there is none.
"""
import argparse, datetime, json, pathlib, shutil, statistics, subprocess, tempfile

from bytes import data_bytes
from peers import timed

QUESTIONS = {
    "trend findings_per_account_day": ["trend", "findings_per_account_day"],
    "trend findings_per_type_day": ["trend", "findings_per_type_day"],
    "current_findings by severity": ["sql", "SELECT severity_label, count(*) AS n FROM current_findings GROUP BY 1 ORDER BY 1"],
    "one address": ["sql", "SELECT count(*) AS n FROM observations WHERE remote_ip = '198.51.100.7'"],
}
NEW = 2_000


def line(points):
    """Slope and base of the line with the least squares."""
    if len(points) < 2:
        return points[0][1] / points[0][0], 0.0
    slope, base = statistics.linear_regression([x for x, _ in points], [y for _, y in points])
    return slope, base


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/guardlake")
    arguments.add_argument("--sizes", default="100000,300000,1000000")
    arguments.add_argument("--accounts", type=int, default=5_000)
    arguments.add_argument("--days", type=int, default=30)
    chosen = arguments.parse_args()
    binary = str(pathlib.Path(chosen.binary).resolve())
    sizes = [int(size) for size in chosen.sizes.split(",")]
    end = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    measured = {}
    for size in sizes:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-scale-"))
        try:
            measured[size] = one(binary, folder, size, chosen, end)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    rows = [(size, found["rows"] / 1e6) for size, found in measured.items()]
    print(f"{chosen.accounts} accounts, {chosen.days} days; slopes by the million rows")
    for what in measured[sizes[0]]:
        if what == "rows":
            continue
        slope, base = line([(million, measured[size][what]) for size, million in rows])
        figures = "  ".join(f"{measured[size][what]:10.2f}" for size in sizes)
        print(f"{what:45} {figures}   {slope:10.2f} a million, {base:8.2f} without any")


def one(binary, folder, size, chosen, end):
    lake, found = folder / "lake", {}
    guardlake = [binary, "--lake", lake, "--format", "ndjson"]

    def sample(findings, seed, days, until):
        path = folder / f"{seed}.jsonl"
        with open(path, "w") as out:
            command = [binary, "sample", "--findings", str(findings), "--accounts", str(chosen.accounts), "--days", str(days), "--seed", str(seed)]
            subprocess.run([*command, "--end", until.strftime("%Y-%m-%dT%H:%M:%SZ")], stdout=out, check=True)
        return path

    def ran(what, command):
        result = timed([*guardlake, *command])
        if result is None:
            raise SystemExit(f"{what} failed")
        wall, cpu, rss, output = result
        found.update({f"{what}: s": wall, f"{what}: CPU s": cpu, f"{what}: MB": rss})
        return output

    count = lambda table: json.loads(timed([*guardlake, "sql", f"SELECT count(*) AS n FROM {table}"])[3])["n"]
    lines = sample(size, 1, chosen.days, end)
    found["JSON MB"] = lines.stat().st_size / 1e6
    ran("loading", ["ingest", lines])
    rows = found["rows"] = count("findings")
    assert 0.9 * size < rows <= size, rows
    ran("compacting", ["lake", "compact"])
    assert count("findings") == rows
    found["lake MB"] = data_bytes(lake)[0] / 1e6
    ran("all rules, in full", ["alert", "run", "--once"])
    found["alerts"] = count("alerts")
    ran("loading 2,000 more", ["ingest", sample(NEW, 2, 1, end + datetime.timedelta(hours=1))])
    assert rows < count("findings") <= rows + NEW
    ran("all rules, after 2,000 more", ["alert", "run", "--once"])
    for what, command in QUESTIONS.items():
        ran(what, command)
    print(f"  {size} findings done", flush=True)
    return found


if __name__ == "__main__":
    main()
