#!/usr/bin/env python3
"""How many bytes a finding takes in the lake, beside its JSON and beside what DuckDB 2.0 writes of the same rows.

    cargo build --release
    python3 bench/bytes.py [--binary target/release/guardlake] [--findings 60000] [--days 1]

Made findings as EventBridge lines; the lake as ingested and after `lake compact`, with the raw finding in every row. Before anything is compared,
the rows of the lake are counted before and after and their raw findings hashed. DuckDB writes all columns of the compacted files, in their order, as one
zstd Parquet file; gzip is what an export of GuardDuty to S3 is packed with. Needs duckdb==2.0.0 from PyPI (installed by itself).
"""
import argparse, gzip, json, pathlib, shutil, subprocess, tempfile

from peers import peer_python, timed

ROWS = "SELECT count(*) AS rows, sum(length(raw)) AS bytes, min(sha256(raw)) AS least, max(sha256(raw)) AS most FROM findings"
COPY = """import duckdb, sys
duckdb.sql(f"COPY (SELECT * FROM read_parquet('{sys.argv[1]}', hive_partitioning=true)) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {sys.argv[3]})")"""


def data_bytes(lake):
    """Bytes of the files that the lake's log names now."""
    live = {}
    for entry in sorted((lake / "findings/_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = action["add"]["size"]
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    return sum(live.values()), [str(lake / "findings" / path) for path in live]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/guardlake")
    arguments.add_argument("--findings", type=int, default=60_000)
    arguments.add_argument("--accounts", type=int, default=50)
    arguments.add_argument("--days", type=int, default=1)
    chosen = arguments.parse_args()
    binary = str(pathlib.Path(chosen.binary).resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-bytes-"))
    lake, lines = folder / "lake", folder / "findings.jsonl"
    guardlake = [binary, "--lake", lake]
    try:
        with open(lines, "w") as out:
            subprocess.run([binary, "sample", "--findings", str(chosen.findings), "--accounts", str(chosen.accounts), "--days", str(chosen.days)],
                           stdout=out, check=True)
        size = lines.stat().st_size
        subprocess.run([*guardlake, "ingest", lines], check=True, capture_output=True)
        asked = lambda: subprocess.run([*guardlake, "--format", "ndjson", "sql", ROWS], check=True, capture_output=True, text=True).stdout
        before, ingested = asked(), data_bytes(lake)[0]
        compacting = timed([*guardlake, "lake", "compact"])
        compacted, files = data_bytes(lake)
        if asked() != before:
            raise SystemExit(f"compaction changed the rows: {before} and then {asked()}")
        rows = json.loads(before)["rows"]
        print(f"{size} bytes of JSON, {rows} rows of {chosen.findings} documents, {chosen.days} days; compacting took {compacting[0]:.2f} s, {compacting[1]:.2f} s CPU")
        found = {"gzip -6 of the JSON lines": len(gzip.compress(lines.read_bytes(), 6)), "guardlake, as ingested": ingested, "guardlake, compacted": compacted}
        if len(files) == chosen.days:
            for level in (3, 9):
                target = folder / f"duckdb-{level}.parquet"
                total = 0
                for path in files:
                    subprocess.run([peer_python(), "-c", COPY, path, target, str(level)], check=True)
                    total += target.stat().st_size
                found[f"DuckDB, the same rows, zstd {level}"] = total
        for name, total in found.items():
            print(f"  {name:36} {total:>12} bytes {total / rows:7.0f} a row {size / total:6.1f} times less than JSON")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
