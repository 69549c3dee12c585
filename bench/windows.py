#!/usr/bin/env python3
"""Asks one sliding-window question over the same Parquet files with guardlake, DuckDB 2.0 and chDB, and prints times and ratios.

    cargo build --release -p guardlake --bin guardlake --example rules_bench
    python3 bench/windows.py [--target target/release] [--findings 10000000] [--rounds 3]

"Ten findings (or ten distinct ones, or accounts) from one remote address within ten minutes", over findings from mostly different
addresses: a full `rule backtest` against a window function with RANGE. Whole processes, files warm in the page cache, in turn. Before anything
is timed, all must name the same addresses with the same number of matches and the same largest count. Needs duckdb==2.0.0 and
chdb==4.4.0 from PyPI (installed by itself, in a folder under ~/.cache).
"""
import argparse, json, os, pathlib, shutil, statistics, subprocess, sys, tempfile

from peers import CHDB, DUCKDB, peer_python, timed

RULE = """/*
title: window
severity: low
group_by: [remote_ip]
count: {count}
threshold: 10
window: 10m
suppress_for: 1h
*/
SELECT * FROM observations WHERE remote_ip IS NOT NULL
"""
QUERY = """SELECT remote_ip, count(DISTINCT event_time) AS matches, max(n) AS most FROM (
  SELECT remote_ip, event_time, {counted} OVER (PARTITION BY remote_ip ORDER BY {time}
    RANGE BETWEEN {back} PRECEDING AND CURRENT ROW) AS n
  FROM {files} WHERE remote_ip IS NOT NULL) WHERE n >= 10 GROUP BY remote_ip ORDER BY remote_ip"""


def answers(name, output):
    rows = [json.loads(line) for line in output.splitlines() if line.strip()] if name != "duckdb" else json.loads(output)
    if name != "guardlake":
        return sorted((ip, int(matches), int(most)) for ip, matches, most in rows)
    found = {}
    for row in rows:
        matches, most = found.get(row["group"]["remote_ip"], (0, 0))
        found[row["group"]["remote_ip"]] = (matches + row["matches"], max(most, row["count"]))
    return sorted((ip, *rest) for ip, rest in found.items())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--target", default="target/release")
    arguments.add_argument("--findings", type=int, default=10_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--lake", help="use this lake again, or make it there and keep it")
    chosen = arguments.parse_args()
    target = pathlib.Path(chosen.target)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-bench-"))
    lake = pathlib.Path(chosen.lake) if chosen.lake else folder / "lake"
    try:
        if not lake.exists():
            subprocess.run([target / "examples/rules_bench", "lake", lake, str(chosen.findings)], check=True)
        files = f"{lake}/findings/**/*.parquet"
        python = peer_python()
        # What is counted: by the rule, by DuckDB, by ClickHouse.
        for count, duckdb, chdb in [
            ("findings", "count(*)", "count()"),
            ("distinct(account_id)", "count(DISTINCT account_id)", "uniqExact(account_id)"),
            ("distinct(finding_id)", "count(DISTINCT finding_id)", "uniqExact(finding_id)"),
        ]:
            rule = folder / "window.sql"
            rule.write_text(RULE.format(count=count))
            back = "INTERVAL '599.999999 seconds'"
            commands = {
                "guardlake": [target / "guardlake", "--lake", lake, "--format", "ndjson", "rule", "backtest", rule],
                "duckdb": [python, "-c", DUCKDB, QUERY.format(counted=duckdb, time="event_time", back=back, files=f"'{files}'"), chosen.threads],
                "chdb": [python, "-c", CHDB, QUERY.format(counted=chdb, time="toUnixTimestamp64Micro(event_time)", back="599999999",
                                                         files=f"file('{files}', Parquet)"), chosen.threads],
            }
            runs = {name: [] for name in commands}
            for round_ in range(chosen.rounds + 1):
                for name in list(commands):
                    run = timed(commands[name])
                    if run is None:
                        commands.pop(name)
                    elif round_ == 0:
                        runs[name].append(answers(name, run[3]))
                    else:
                        runs[name].append(run)
            said = {name: runs[name][0] for name in commands}
            first = said["guardlake"]
            if any(other != first for other in said.values()):
                sys.exit(f"{count}: the answers differ: {({name: (len(rows), rows[:2]) for name, rows in said.items()})}")
            print(f"{count}: {len(first)} addresses, {sum(row[1] for row in first)} matches, the same from all")
            wall = {}
            for name in commands:
                measured = runs[name][1:]
                wall[name] = statistics.median(run[0] for run in measured)
                cpu = statistics.median(run[1] for run in measured)
                print(f"  {name:10} {wall[name]:6.2f} s wall  {cpu:6.2f} s CPU  peak RSS {max(run[2] for run in measured):5.0f} MB"
                      f"  {wall[name] / wall['guardlake']:5.2f} of guardlake's time")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
