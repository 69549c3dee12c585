#!/usr/bin/env python3
"""Asks eight trend questions over the same Parquet files with guardlake and its peers, and prints times and ratios.

    cargo build --release -p guardlake --bin guardlake --example rules_bench
    python3 bench/queries.py [--target target/release] [--findings 10000000] [--rounds 5] [--lake FOLDER] [--only NAME] \
        [--peers duckdb,chdb,datafusion,polars,pyspark]

Whole processes, files warm in the page cache, in turn. Before anything is timed, all must give the same rows. The files are those that guardlake
wrote, sorted and with bloom filters; the peers read them by a glob, guardlake through the Delta log. The peers come from PyPI (installed by
itself, in a folder under ~/.cache; DuckDB and chDB if no others are named). PySpark needs Java, and its work in the JVM is in no CPU time or memory.
"""
import argparse, json, math, os, pathlib, shutil, statistics, subprocess, sys, tempfile

from peers import add_peers, asking, timed

DAY = "CAST(event_time AS DATE)"
QUESTIONS = {
    "type_per_day": f"SELECT {DAY} AS day, type, count(*) AS n FROM findings GROUP BY 1, 2 ORDER BY 1, 2",
    # The archetype: how often, and in how many accounts.
    "remote_addresses": "SELECT remote_ip, count(*) AS n, count(DISTINCT account_id) AS accounts FROM findings "
    "WHERE remote_ip IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
    "account_by_severity": "SELECT account_id, severity_label, count(*) AS n FROM findings GROUP BY 1, 2 ORDER BY 1, 2",
    "types_first_seen": f"SELECT type, min({DAY}) AS first, count(DISTINCT account_id) AS accounts FROM findings GROUP BY 1 ORDER BY 1",
    "latest_state": "SELECT severity_label, count(*) AS n FROM (SELECT severity_label, row_number() OVER "
    "(PARTITION BY account_id, region, finding_id ORDER BY updated_at DESC) AS nth FROM findings) AS v WHERE nth = 1 GROUP BY 1 ORDER BY 1",
    "one_address": "SELECT finding_id, account_id, type FROM findings WHERE remote_ip = '{ip}' ORDER BY 1",
    "one_finding": "SELECT account_id, type, severity, remote_ip FROM findings WHERE finding_id = '{id}' ORDER BY 1",
    "moving_average": "SELECT day, avg(n) OVER (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week FROM "
    f"(SELECT {DAY} AS day, count(*) AS n FROM findings GROUP BY 1) AS days ORDER BY day",
}


def rows(name, output):
    """Rows as all engines can be compared: numbers rounded, days as texts."""
    if name == "guardlake":
        found = [list(json.loads(line).values()) for line in output.splitlines()]
    else:
        (found,) = json.loads(output)
    # JSON lines leave out what is null.
    return [[round(cell, 6) if isinstance(cell, float) else cell for cell in row if cell is not None] for row in found]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--target", default="target/release")
    arguments.add_argument("--findings", type=int, default=10_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--lake", help="use this lake again, or make it there and keep it")
    arguments.add_argument("--only", help="one question")
    add_peers(arguments, "duckdb,chdb")
    chosen = arguments.parse_args()
    target = pathlib.Path(chosen.target)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-bench-"))
    lake = pathlib.Path(chosen.lake) if chosen.lake else folder / "lake"
    try:
        if not lake.exists():
            subprocess.run([target / "examples/rules_bench", "lake", lake, str(chosen.findings)], check=True)
        files = f"{lake}/findings/event_date=*/*.parquet"
        guardlake = [target / "guardlake", "--lake", lake, "--format", "ndjson", "sql"]
        asked = timed([*guardlake, "SELECT remote_ip AS ip, finding_id AS id FROM findings WHERE remote_ip IS NOT NULL ORDER BY finding_id LIMIT 1"])
        one = json.loads(asked[3])
        ratios = []
        for question, query in QUESTIONS.items():
            if chosen.only not in (None, question):
                continue
            query = query.replace("{ip}", one["ip"]).replace("{id}", one["id"])
            commands = {"guardlake": [*guardlake, query], **{peer: asking(peer, files, chosen.threads, query) for peer in chosen.peers}}
            runs = {name: [] for name in commands}
            for round_ in range(chosen.rounds + 1):
                for name in list(commands):
                    run = timed(commands[name])
                    if run is None:
                        commands.pop(name)
                    else:
                        runs[name].append(rows(name, run[3]) if round_ == 0 else run)
            said = {name: runs[name][0] for name in commands}
            first = said["guardlake"]
            if any(other != first for other in said.values()):
                sys.exit(f"{question}: the answers differ: {({name: (len(rows), rows[:3]) for name, rows in said.items()})}")
            wall = {name: statistics.median(run[0] for run in runs[name][1:]) for name in commands}
            for name in commands:
                measured = runs[name][1:]
                cpu = statistics.median(run[1] for run in measured)
                print(f"{question:20} {name:10} {wall[name]:6.2f} s wall  {cpu:6.2f} s CPU  peak RSS {max(run[2] for run in measured):5.0f} MB"
                      f"  {wall[name] / wall['guardlake']:5.2f} of guardlake's time", flush=True)
            if "duckdb" in wall:
                ratios.append(wall["duckdb"] / wall["guardlake"])
        if ratios:
            mean = math.exp(statistics.mean(map(math.log, ratios)))
            print(f"DuckDB takes {mean:.2f} of guardlake's time (geometric mean of {len(ratios)} questions, the same rows from all)")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
