#!/usr/bin/env python3
"""Asks one sliding-window question over the same Parquet files with guardlake and its peers, and prints times and ratios.

    cargo build --release -p guardlake --bin guardlake --example rules_bench
    python3 bench/windows.py [--target target/release] [--findings 10000000] [--rounds 3] [--rules 100] \
        [--peers duckdb,chdb,datafusion,pyspark]

"Ten findings (or ten distinct ones, or accounts) from one remote address within ten minutes", over findings from mostly different
addresses: a full `rule backtest` against a window function with RANGE. Whole processes, files warm in the page cache, in turn. Before anything
is timed, all must name the same addresses with the same number of matches and the same largest count. The peers come
from PyPI (installed by itself, in a folder under ~/.cache; DuckDB and chDB if no others are named).

With `--rules 100` a set of rules instead: what is grouped, counted and asked for, over 10 minutes to a day, in variations. guardlake evaluates all in
one `alert run` that writes the alerts, with their evidence, to the lake's log; the peers ask one question after the other in one process.
"""
import argparse, json, math, os, pathlib, shutil, statistics, subprocess, sys, tempfile

from peers import add_peers, asking, timed

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
# Grouped by, counted, where; rows a day of one group of the lake that `rules_bench lake` makes, out of all rows, and how much each counts.
KINDS = [
    ("remote_ip", "findings", "remote_ip IS NOT NULL", 1 / 20_000, 1),
    ("account_id", "findings", "severity >= 5", 1 / 1_000, 1),
    ("remote_ip", "distinct(account_id)", "severity >= 4", 1 / 40_000, 1),
    ("type, account_id", "findings", "region = 'eu-west-1'", 1 / 2_000, 1),
    ("user_name, account_id", "findings", "type LIKE '%IAMUser%'", 1 / 15_000_000, 1),
    ("account_id", "distinct(finding_id)", "severity >= 8", 1 / 3_000, 1),
    ("account_id, remote_ip", "findings", "severity > 1", 1 / 10_000_000, 1),
    ("user_name", "sum(severity)", "NOT sample", 1 / 5_000, 4),
]
WINDOWS = {"10m": 600, "30m": 1_800, "1h": 3_600, "6h": 21_600, "1d": 86_400}


def rule_set(number, findings):
    """So many rules: grouped by, counted, where, threshold, window. Few of the groups reach the threshold by chance."""
    rules = []
    for nth in range(number):
        group_by, count, where, share, each = KINDS[nth % len(KINDS)]
        window = list(WINDOWS)[nth // len(KINDS) % len(WINDOWS)]
        mean = findings * share * WINDOWS[window] / 86_400
        sigmas = 4.5 + nth // (len(KINDS) * len(WINDOWS)) * 0.5
        rules.append((group_by, count, where, math.ceil((mean + sigmas * math.sqrt(mean) + 3) * each), window))
    return rules


def asked_of(peer, rule):
    """The rule as a window function: group, matches, largest count."""
    group_by, count, where, threshold, window = rule
    names = [name.strip() for name in group_by.split(",")]
    what = count[count.find("(") + 1 : -1]
    counted = {"f": "count(*)", "s": f"sum({what})", "d": f"count(DISTINCT {what})"}[count[0]]
    seconds = f"{WINDOWS[window] - 1}.999999"
    time, back = "event_time", f"INTERVAL '{seconds} seconds'"
    if peer == "chdb":
        counted = counted.replace("count(DISTINCT ", "uniqExact(").replace("*", "")
        time, back = "toUnixTimestamp64Micro(event_time)", str(WINDOWS[window] * 1_000_000 - 1)
    elif peer == "pyspark":
        back = f"INTERVAL '{seconds}' SECOND"
    over = f"OVER (PARTITION BY {group_by} ORDER BY {time} RANGE BETWEEN {back} PRECEDING AND CURRENT ROW)"
    # Spark has no distinct count over windows.
    n = f"size(collect_set({what}) {over})" if peer == "pyspark" and count[0] == "d" else f"{counted} {over}"
    return f"""SELECT {group_by}, count(DISTINCT event_time) AS matches, max(n) AS most FROM (
  SELECT {group_by}, event_time, {n} AS n
  FROM findings WHERE {where} AND {" AND ".join(f"{name} IS NOT NULL" for name in names)}) AS v WHERE n >= {threshold} GROUP BY {group_by}"""


def many(target, lake, folder, chosen):
    """A set of rules, each engine in one process."""
    rules = rule_set(chosen.rules, chosen.findings)
    files = f"{lake}/findings/event_date=*/*.parquet"
    (folder / "rules").mkdir()
    for nth, (group_by, count, where, threshold, window) in enumerate(rules):
        text = RULE.format(count=count).replace("[remote_ip]", f"[{group_by}]").replace("threshold: 10", f"threshold: {threshold}")
        text = text.replace("window: 10m", f"window: {window}").replace("remote_ip IS NOT NULL", where)
        (folder / f"rules/rule_{nth:03}.sql").write_text(text)
    run = folder / "run"
    guardlake = [target / "guardlake", "--lake", run]
    commands = {
        "guardlake": [*guardlake, "alert", "run", "--once", "--rules", folder / "rules"],
        **{peer: asking(peer, files, chosen.threads, *(asked_of(peer, rule) for rule in rules)) for peer in chosen.peers},
    }
    runs = {name: [] for name in commands}
    said = {}
    for round_ in range(chosen.rounds):
        for name in list(commands):
            if name == "guardlake":
                # The same files with an empty log of alerts.
                shutil.rmtree(run, ignore_errors=True)
                shutil.copytree(lake, run, copy_function=os.link)
            measured = timed(commands[name])
            if measured is None:
                commands.pop(name)
                continue
            runs[name].append(measured)
            print(f"  round {round_ + 1}: {name:10} {measured[0]:7.2f} s wall  {measured[1]:7.2f} s CPU  peak RSS {measured[2]:6.0f} MB", flush=True)
            if name == "guardlake":
                listed = timed([*guardlake, "--format", "ndjson", "sql", "--max-rows", "10000000", "SELECT * FROM alert_log WHERE event = 'opened'"])
                found = {}
                for alert in map(json.loads, listed[3].splitlines()):
                    group = json.loads(alert["group"]) if isinstance(alert["group"], str) else alert["group"]
                    nth = int(alert["rule"].removeprefix("rule_"))
                    key = (nth, *(group[name.strip()] for name in rules[nth][0].split(",")))
                    matches, most = found.get(key, (0, 0))
                    found[key] = (matches + alert["matches"], max(most, alert["count"]))
                said[name] = sorted((*key, *rest) for key, rest in found.items())
            else:
                rows = [(nth, *row[:-2], int(row[-2]), int(row[-1])) for nth, of in enumerate(json.loads(measured[3])) for row in of]
                said[name] = sorted(rows)
    first = said["guardlake"]
    for name in commands:
        if said[name] != first:
            differ = sorted(set(said[name]) ^ set(first))
            sys.exit(f"{name}: the answers differ ({len(said[name])} and {len(first)} groups): {differ[:6]}")
    print(f"{len(rules)} rules: {len(first)} groups of {len({row[0] for row in first})} rules fire, {sum(row[-2] for row in first)} matches, the same from all")
    wall = {name: statistics.median(run[0] for run in runs[name]) for name in commands}
    for name in commands:
        cpu = statistics.median(run[1] for run in runs[name])
        print(f"  {name:10} {wall[name]:7.2f} s wall  {cpu:7.2f} s CPU  peak RSS {max(run[2] for run in runs[name]):6.0f} MB"
              f"  {wall[name] / wall['guardlake']:5.2f} of guardlake's time")


def answers(name, output):
    if name != "guardlake":
        (rows,) = json.loads(output)
        return sorted((ip, int(matches), int(most)) for ip, matches, most in rows)
    found = {}
    for row in map(json.loads, output.splitlines()):
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
    arguments.add_argument("--rules", type=int, default=1, help="more than one: a set of rules, all in one process")
    add_peers(arguments, "duckdb,chdb")
    chosen = arguments.parse_args()
    target = pathlib.Path(chosen.target)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-bench-"))
    lake = pathlib.Path(chosen.lake) if chosen.lake else folder / "lake"
    try:
        if not lake.exists():
            subprocess.run([target / "examples/rules_bench", "lake", lake, str(chosen.findings)], check=True)
        if chosen.rules > 1:
            return many(target, lake, folder, chosen)
        files = f"{lake}/findings/event_date=*/*.parquet"
        for count in "findings", "distinct(account_id)", "distinct(finding_id)":
            rule = folder / "window.sql"
            rule.write_text(RULE.format(count=count))
            commands = {
                "guardlake": [target / "guardlake", "--lake", lake, "--format", "ndjson", "rule", "backtest", rule],
                **{peer: asking(peer, files, chosen.threads, asked_of(peer, ("remote_ip", count, "remote_ip IS NOT NULL", 10, "10m"))) for peer in chosen.peers},
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
