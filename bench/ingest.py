#!/usr/bin/env python3
"""Loads the same findings with guardlake, DuckDB and chDB and prints all and their ratios.

    python3 bench/ingest.py [--binary target/release/guardlake] [--megabytes 850] [--rounds 3] [--threads 2] [--peers duckdb,chdb]

What each wrote is compared before anything is timed: the same versions, and the same values in all columns but those that DERIVED names, whose
shares of equal rows are printed. All are timed as whole processes, the file warm in the page cache, and take turns. All write Parquet, zstd level 1,
with the same columns and the raw JSON; guardlake also finds duplicates, partitions by day and commits to Delta Lake. The peers' queries:
ingest_duckdb.sql, ingest_chdb.sql.
"""
import argparse, json, os, pathlib, shutil, statistics, subprocess, tempfile

from peers import add_peers, peer_python, timed

HERE = pathlib.Path(__file__).parent
IP = {"ipAddressV4": "text", "ipAddressV6": "text", "country": {"countryName": "text"}, "city": {"cityName": "text"},
      "organization": {"asn": "text", "asnOrg": "text"}}
PORT = {"port": "small"}
NAMED = {"name": "text", "arn": "text"}
# What is read of a line; lists have one element here.
SHAPE = {"detail": {
    **dict.fromkeys(["accountId", "region", "partition", "id", "arn", "type", "title", "description", "createdAt", "updatedAt"], "text"),
    "severity": "float",
    "resource": {
        "resourceType": "text", "instanceDetails": {"instanceId": "text"}, "s3BucketDetails": [NAMED], "eksClusterDetails": NAMED,
        "accessKeyDetails": dict.fromkeys(["accessKeyId", "principalId", "userName", "userType"], "text"),
        "ecsClusterDetails": NAMED, "containerDetails": {"image": "text", "id": "text"},
        "rdsDbInstanceDetails": {"dbInstanceIdentifier": "text", "dbInstanceArn": "text"},
        "lambdaDetails": {"functionName": "text", "functionArn": "text"},
        "kubernetesDetails": {"kubernetesUserDetails": {"username": "text"}}},
    "service": {
        "detectorId": "text", "archived": "bool", "count": "int", "eventFirstSeen": "text", "eventLastSeen": "text",
        "additionalInfo": {"sample": "bool", "threatListName": "text"},
        "evidence": {"threatIntelligenceDetails": [{"threatListName": "text"}]},
        "action": {
            "actionType": "text",
            "networkConnectionAction": {"blocked": "bool", "connectionDirection": "text", "protocol": "text", "remoteIpDetails": IP,
                                        "remotePortDetails": PORT, "localPortDetails": PORT},
            "portProbeAction": {"blocked": "bool", "portProbeDetails": [{"remoteIpDetails": IP, "localPortDetails": PORT}]},
            "dnsRequestAction": {"domain": "text", "protocol": "text", "blocked": "bool"},
            "awsApiCallAction": {"api": "text", "serviceName": "text", "errorCode": "text", "remoteIpDetails": IP},
            "kubernetesApiCallAction": {"verb": "text", "requestUri": "text", "sourceIPs": ["text"], "remoteIpDetails": IP},
            "rdsLoginAttemptAction": {"remoteIpDetails": IP}}}}}
# Columns that the peers' queries make of fewer kinds of findings than guardlake does; all others must be the same in every row.
DERIVED = {"access_key_id", "api", "bucket_names", "container_image", "dns_domain", "remote_asn", "remote_asn_org", "remote_city", "remote_country",
           "remote_ip", "remote_ips", "resource_id", "service_name", "user_name", "user_type"}
DUCKDB = """import duckdb, sys
db = duckdb.connect()
db.execute(f"SET threads={sys.argv[2]}; SET TimeZone='UTC'; SET preserve_insertion_order=false; SET enable_progress_bar=false")
db.execute(sys.argv[1])"""
CHDB = "import chdb, sys; chdb.query(sys.argv[1])"
# Of each column: in how many of the rows that both have its values differ.
COMPARE = """import duckdb, json, sys
db = duckdb.connect()
db.execute("SET TimeZone='UTC'; SET enable_progress_bar=false")
ours, theirs = (f"read_parquet('{path}', hive_partitioning=true)" for path in sys.argv[1:3])
named = lambda rows: [row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()]
key = "finding_id, account_id, region, date_trunc('second', updated_at) AS second, count"
for name, rows in ("ours", ours), ("theirs", theirs):
    db.execute(f"CREATE VIEW {name} AS SELECT {key}, * EXCLUDE (finding_id, account_id, region, count) FROM {rows}")
count = lambda question: db.execute(question).fetchone()[0]
versions = {name: count(f"SELECT count(DISTINCT (finding_id, account_id, region, second, count)) FROM {name}") for name in ("ours", "theirs")}
shared = sorted(set(named(ours)) & set(named(theirs)) - {"raw", "source", "ingested_at", "finding_id", "account_id", "region", "count"})
text = lambda at: f"coalesce(nullif(CAST({at} AS VARCHAR), '[]'), '')"
differ = ", ".join(f"count(*) FILTER ({text('o.' + c)} <> {text('t.' + c)})" for c in shared)
both = "(finding_id, account_id, region, second, count)"
row = db.execute(f"SELECT count(*), {differ} FROM ours o JOIN (SELECT DISTINCT ON {both} * FROM theirs) t USING {both}").fetchone()
print(json.dumps({"ours": count("SELECT count(*) FROM ours"), "versions": versions, "both": row[0], "differ": dict(zip(shared, row[1:]))}))"""


def duckdb_shape(shape):
    if isinstance(shape, dict):
        return "{" + ",".join(f'"{name}":{duckdb_shape(inner)}' for name, inner in shape.items()) + "}"
    if isinstance(shape, list):
        return f"[{duckdb_shape(shape[0])}]"
    return {"text": '"VARCHAR"', "float": '"DOUBLE"', "int": '"BIGINT"', "small": '"INTEGER"', "bool": '"BOOLEAN"'}[shape]


def chdb_shape(shape):
    if isinstance(shape, dict):
        return "Tuple(" + ", ".join(f"{name} {chdb_shape(inner)}" for name, inner in shape.items()) + ")"
    if isinstance(shape, list):
        return f"Array({chdb_shape(shape[0])})"
    return {"text": "Nullable(String)", "float": "Nullable(Float64)", "int": "Nullable(Int64)", "small": "Nullable(Int32)",
            "bool": "Nullable(Bool)"}[shape]


def filled(file, **values):
    text = (HERE / file).read_text()
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def compared(peer, lake, target, lines):
    """Says what is the same in the lake and in a peer's file, and ends the benchmark where versions are missing or other columns than DERIVED differ."""
    output = timed([peer_python(), "-c", COMPARE, lake / "findings/event_date=*/*.parquet", target])[3]
    said = json.loads(output)
    ours, both, versions = said["ours"], said["both"], said["versions"]
    assert ours == both == versions["ours"] == versions["theirs"], f"{peer} has other findings: {said}"
    other = {name: rows for name, rows in said["differ"].items() if rows}
    print(f"the same {ours} versions of {lines} lines from {peer}; {len(said['differ']) - len(other)} columns alike"
          + ("".join(f", {name} in {100 - 100 * rows / both:.2f} %" for name, rows in other.items())))
    wrong = {name: rows for name, rows in other.items() if name not in DERIVED or rows == both}
    assert not wrong, f"{peer} has other values: {wrong}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/guardlake")
    arguments.add_argument("--megabytes", type=int, default=850)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    add_peers(arguments, "duckdb,chdb")
    chosen = arguments.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-bench-"))
    try:
        source, lake = folder / "findings.jsonl", folder / "lake"
        with open(source, "wb") as out:
            findings = chosen.megabytes * 1_000_000 // 2_636
            subprocess.run([chosen.binary, "sample", "--findings", str(findings), "--accounts", "200"], stdout=out, check=True)
        megabytes = source.stat().st_size / 1e6
        with open(source, "rb") as written:
            lines = sum(1 for _ in written)
        print(f"{lines} findings, {megabytes:.0f} MB, {chosen.threads} threads, {chosen.rounds} rounds each in turn")
        targets = {"duckdb": folder / "duckdb.parquet", "chdb": folder / "chdb.parquet"}
        scripts = {"duckdb": (DUCKDB, duckdb_shape), "chdb": (CHDB, chdb_shape)}
        commands = {"guardlake": [chosen.binary, "--lake", lake, "--format", "ndjson", "ingest", "--threads", chosen.threads, source]}
        for peer in chosen.peers:
            script, shaped = scripts[peer]
            query = filled(f"ingest_{peer}.sql", shape=shaped(SHAPE), source=source, target=targets[peer], threads=chosen.threads)
            commands[peer] = [peer_python(peer), "-c", script, query, chosen.threads]
        runs = {name: [] for name in commands}
        for round_ in range(chosen.rounds + 1):
            shutil.rmtree(lake, ignore_errors=True)
            for name, command in commands.items():
                ran = timed(command)
                assert ran, f"{name} failed"
                # The first round is for the comparison, and to warm up.
                if round_:
                    runs[name].append(ran)
                    print(f"round {round_}: {name} {ran[0]:.2f} s, {ran[1]:.2f} s CPU", flush=True)
                elif name != "guardlake":
                    compared(name, lake, targets[name], lines)
        sizes = {name: target.stat().st_size for name, target in targets.items() if name in commands}
        sizes["guardlake"] = sum(file.stat().st_size for file in (lake / "findings").rglob("event_date=*/*.parquet"))
        wall, cpu = ({name: statistics.median(run[at] for run in ran) for name, ran in runs.items()} for at in (0, 1))
        for name, ran in runs.items():
            print(f"{name:10} {wall[name]:6.2f} s wall  {cpu[name]:6.2f} s CPU  {lines / wall[name]:9.0f} findings/s  {megabytes / wall[name]:6.0f} MB/s"
                  f"  peak RSS {max(run[2] for run in ran):5.0f} MB  wrote {sizes[name] / 1e6:4.0f} MB")
        for name in commands:
            if name != "guardlake":
                print(f"ratio: guardlake is {wall[name] / wall['guardlake']:.2f} times as fast as {name}, {cpu[name] / cpu['guardlake']:.2f} times by CPU")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
