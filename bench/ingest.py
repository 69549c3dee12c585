#!/usr/bin/env python3
"""Loads the same findings with guardlake and with DuckDB 2.0 and prints both and their ratio.

    python3 bench/ingest.py [--binary target/release/guardlake] [--megabytes 850] [--rounds 3]

Both are timed as whole processes, the file warm in the page cache, and take turns. Both write zstd Parquet with the same columns and
the raw JSON; guardlake also finds duplicates, partitions by day and commits to Delta Lake. Needs `pip install duckdb==2.0.0`
(done by itself, in a folder under ~/.cache).
"""
import argparse, json, os, pathlib, resource, shutil, statistics, subprocess, sys, tempfile, time

CACHE = pathlib.Path.home() / ".cache/guardlake-tests/bench-1"

DUCKDB = r"""
import duckdb, sys
source, target, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = duckdb.connect()
db.execute(f"SET threads={threads}; SET preserve_insertion_order=false; SET enable_progress_bar=false")
ip = '{"ipAddressV4":"VARCHAR","ipAddressV6":"VARCHAR","country":{"countryName":"VARCHAR"},"city":{"cityName":"VARCHAR"},"organization":{"asn":"VARCHAR","asnOrg":"VARCHAR"}}'
port = '{"port":"INTEGER"}'
shape = '''{"detail":{
 "accountId":"VARCHAR","region":"VARCHAR","partition":"VARCHAR","id":"VARCHAR","arn":"VARCHAR","type":"VARCHAR","severity":"DOUBLE",
 "title":"VARCHAR","description":"VARCHAR","createdAt":"VARCHAR","updatedAt":"VARCHAR",
 "resource":{"resourceType":"VARCHAR",
  "accessKeyDetails":{"accessKeyId":"VARCHAR","principalId":"VARCHAR","userName":"VARCHAR","userType":"VARCHAR"},
  "instanceDetails":{"instanceId":"VARCHAR"},
  "s3BucketDetails":[{"name":"VARCHAR","arn":"VARCHAR"}],
  "eksClusterDetails":{"name":"VARCHAR","arn":"VARCHAR"},"ecsClusterDetails":{"name":"VARCHAR","arn":"VARCHAR"},
  "containerDetails":{"image":"VARCHAR","id":"VARCHAR"},
  "rdsDbInstanceDetails":{"dbInstanceIdentifier":"VARCHAR","dbInstanceArn":"VARCHAR"},
  "lambdaDetails":{"functionName":"VARCHAR","functionArn":"VARCHAR"},
  "kubernetesDetails":{"kubernetesUserDetails":{"username":"VARCHAR"}}},
 "service":{"detectorId":"VARCHAR","archived":"BOOLEAN","count":"BIGINT","eventFirstSeen":"VARCHAR","eventLastSeen":"VARCHAR",
  "additionalInfo":{"sample":"BOOLEAN","threatListName":"VARCHAR"},
  "evidence":{"threatIntelligenceDetails":[{"threatListName":"VARCHAR"}]},
  "action":{"actionType":"VARCHAR",
   "networkConnectionAction":{"blocked":"BOOLEAN","connectionDirection":"VARCHAR","protocol":"VARCHAR","remoteIpDetails":IP,"remotePortDetails":PORT,"localPortDetails":PORT},
   "portProbeAction":{"blocked":"BOOLEAN","portProbeDetails":[{"remoteIpDetails":IP,"localPortDetails":PORT}]},
   "dnsRequestAction":{"domain":"VARCHAR","protocol":"VARCHAR","blocked":"BOOLEAN"},
   "awsApiCallAction":{"api":"VARCHAR","serviceName":"VARCHAR","errorCode":"VARCHAR","callerType":"VARCHAR","remoteIpDetails":IP},
   "kubernetesApiCallAction":{"verb":"VARCHAR","requestUri":"VARCHAR","sourceIPs":["VARCHAR"],"remoteIpDetails":IP},
   "rdsLoginAttemptAction":{"remoteIpDetails":IP}}}}}'''.replace("IP}", ip + "}").replace("IP,", ip + ",").replace("PORT", port).replace("\n", "")
print(db.execute(f'''
COPY (
 WITH parsed AS (SELECT json, json_transform(json, '{shape}').detail AS d FROM read_ndjson_objects('{source}')),
 flat AS (SELECT json, d, d.service AS s, d.service.action AS a, d.resource AS r,
   coalesce(d.service.action.networkConnectionAction.remoteIpDetails, d.service.action.awsApiCallAction.remoteIpDetails,
            d.service.action.kubernetesApiCallAction.remoteIpDetails, d.service.action.rdsLoginAttemptAction.remoteIpDetails,
            d.service.action.portProbeAction.portProbeDetails[1].remoteIpDetails) AS ip FROM parsed)
 SELECT d.accountId AS account_id, d.region, d.partition, d.id AS finding_id, d.arn, d.type,
  split_part(d.type, ':', 1) AS threat_purpose, split_part(split_part(split_part(d.type, '/', 2), '.', 1), '!', 1) AS threat_family,
  d.severity, CASE WHEN d.severity < 1 THEN 'Informational' WHEN d.severity < 4 THEN 'Low' WHEN d.severity < 7 THEN 'Medium' WHEN d.severity < 9 THEN 'High' ELSE 'Critical' END AS severity_label,
  d.title, d.description, r.resourceType AS resource_type,
  coalesce(r.instanceDetails.instanceId, r.accessKeyDetails.accessKeyId, r.s3BucketDetails[1].arn, r.eksClusterDetails.arn, r.ecsClusterDetails.arn, r.lambdaDetails.functionArn, r.rdsDbInstanceDetails.dbInstanceArn, r.containerDetails.id) AS resource_id,
  a.actionType AS action_type, coalesce(ip.ipAddressV4, ip.ipAddressV6) AS remote_ip,
  list_filter(list_concat([ip.ipAddressV4, ip.ipAddressV6], a.kubernetesApiCallAction.sourceIPs, list_transform(a.portProbeAction.portProbeDetails, lambda x: x.remoteIpDetails.ipAddressV4)), lambda x: x IS NOT NULL) AS remote_ips,
  a.networkConnectionAction.remotePortDetails.port AS remote_port, coalesce(a.networkConnectionAction.localPortDetails.port, a.portProbeAction.portProbeDetails[1].localPortDetails.port) AS local_port,
  a.networkConnectionAction.connectionDirection AS direction, coalesce(a.networkConnectionAction.protocol, a.dnsRequestAction.protocol) AS protocol,
  coalesce(a.networkConnectionAction.blocked, a.portProbeAction.blocked, a.dnsRequestAction.blocked) AS blocked,
  ip.country.countryName AS remote_country, ip.city.cityName AS remote_city, TRY_CAST(ip.organization.asn AS BIGINT) AS remote_asn, ip.organization.asnOrg AS remote_asn_org,
  a.dnsRequestAction.domain AS dns_domain, coalesce(a.awsApiCallAction.api, a.kubernetesApiCallAction.verb || ' ' || a.kubernetesApiCallAction.requestUri) AS api,
  a.awsApiCallAction.serviceName AS service_name, a.awsApiCallAction.errorCode AS error_code,
  coalesce(r.accessKeyDetails.userName, r.kubernetesDetails.kubernetesUserDetails.username) AS user_name, r.accessKeyDetails.userType AS user_type, r.accessKeyDetails.principalId AS principal_id,
  r.accessKeyDetails.accessKeyId AS access_key_id, r.instanceDetails.instanceId AS instance_id, list_transform(r.s3BucketDetails, lambda x: x.name) AS bucket_names,
  coalesce(r.eksClusterDetails.name, r.ecsClusterDetails.name) AS cluster_name, r.containerDetails.image AS container_image, r.rdsDbInstanceDetails.dbInstanceIdentifier AS db_instance,
  r.lambdaDetails.functionName AS lambda_function, list_concat([s.additionalInfo.threatListName], list_transform(s.evidence.threatIntelligenceDetails, lambda x: x.threatListName)) AS threat_lists,
  s.detectorId AS detector_id, s.count, s.eventFirstSeen::TIMESTAMPTZ AS event_first_seen, s.eventLastSeen::TIMESTAMPTZ AS event_last_seen,
  d.createdAt::TIMESTAMPTZ AS created_at, d.updatedAt::TIMESTAMPTZ AS updated_at, coalesce(s.eventLastSeen, d.updatedAt, d.createdAt)::TIMESTAMPTZ AS event_time,
  s.archived, coalesce(s.additionalInfo.sample, false) AS sample, json::VARCHAR AS raw, 'eventbridge' AS wire_shape, false AS backfilled,
  '{source}' AS source, now() AS ingested_at, coalesce(s.eventLastSeen, d.updatedAt, d.createdAt)::TIMESTAMPTZ::DATE AS event_date
 FROM flat) TO '{target}' (FORMAT parquet, COMPRESSION zstd)''').fetchone()[0], "rows")
"""


def peer_python():
    python = CACHE / "bin/python"
    if not (CACHE / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "duckdb==2.0.0", "pytz"], check=True)
        (CACHE / "installed").touch()
    return python


def timed(command):
    """Wall seconds, CPU seconds, peak RSS in MB and output of a whole process."""
    started = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if status:
        sys.exit(f"{command[0]} failed: {output}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/guardlake")
    arguments.add_argument("--megabytes", type=int, default=850)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = arguments.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-bench-"))
    try:
        source = folder / "findings.jsonl"
        with open(source, "wb") as out:
            findings = chosen.megabytes * 1_000_000 // 2_636
            subprocess.run([chosen.binary, "sample", "--findings", str(findings), "--accounts", "200"], stdout=out, check=True)
        megabytes = source.stat().st_size / 1e6
        lines = sum(1 for _ in open(source, "rb"))
        print(f"{lines} findings, {megabytes:.0f} MB, {chosen.threads} threads, {chosen.rounds} rounds each in turn")
        results = {"guardlake": [], "duckdb": []}
        for round_ in range(chosen.rounds):
            lake, target = folder / "lake", folder / "duckdb.parquet"
            shutil.rmtree(lake, ignore_errors=True)
            target.unlink(missing_ok=True)
            own = timed([chosen.binary, "--lake", lake, "--format", "ndjson", "ingest", "--threads", chosen.threads, source])
            results["guardlake"].append(own)
            size = sum(f.stat().st_size for f in (lake / "findings").rglob("*.parquet")) / 1e6
            peer = timed([peer_python(), "-c", DUCKDB, source, target, chosen.threads])
            results["duckdb"].append(peer)
            print(f"round {round_ + 1}: guardlake {own[0]:.2f} s ({json.loads(own[3])['committed']} rows, {size:.0f} MB)"
                  f", duckdb {peer[0]:.2f} s ({peer[3].strip()}, {target.stat().st_size / 1e6:.0f} MB)")
        median = {}
        for name, runs in results.items():
            wall = median[name] = statistics.median(run[0] for run in runs)
            cpu = statistics.median(run[1] for run in runs)
            print(f"{name:10} {wall:6.2f} s wall  {cpu:6.2f} s CPU  {lines / wall:9.0f} findings/s  {megabytes / wall:6.0f} MB/s"
                  f"  peak RSS {max(run[2] for run in runs):5.0f} MB")
        print(f"ratio: guardlake is {median['duckdb'] / median['guardlake']:.2f} times as fast as DuckDB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
