#!/usr/bin/env python3
"""What guardlake costs a month on AWS, from the assumptions below. Prints the tables of docs/costs.md; deploy/check.py compares them.

Prices are list prices of us-east-1 in US dollars, without tax and free tiers, as known in 2026-11 from AWS's price pages read earlier. Only
those of Fargate were seen again when this was written, on vantage.sh: check them before you rely on them."""

HOURS, DAYS, GB = 730, 30.4, 10**9

# What happens. A finding is published again while it goes on, so events are more than findings.
EVENTS_PER_ACCOUNT_DAY = 40
EVENT_BYTES = 2_600  # one EventBridge event; docs/benchmarks.md: lines of 2.6 KB
LAKE_BYTES_PER_EVENT = 500  # Parquet with zstd; docs/benchmarks.md: 190 MB for 392,190 rows
RETENTION_DAYS = 400
REGIONS_FORWARDED = 0.5  # share of events that come from another Region, bus to bus

# What guardlake does (docs/settings.md, docs/operate.md).
COMMIT_SECONDS = 5  # ingest.max_age: a commit while something comes in
IDLE_COMMITS_PER_HOUR = 1  # positions alone, when nothing comes in
# Counted on a stand-in by `deploy/check.py --requests` on 2026-11-23, all roles in one process, 29 rules, a lake of some 100 findings: at
# rest 372 GET a minute and no LIST; with a finding every 2 s for 150 s, 30 commits, 205 PUT, 4,238 GET and 25 LIST. What a commit takes
# is what is beyond rest: rules look at it at once, some of them apart, and each look says how far it has seen. A lake with many files of a
# day takes more GET, one that was just compacted fewer.
LISTS_PER_MINUTE = 0
GETS_PER_MINUTE = 372
PUTS_PER_COMMIT = 205 / 30
LISTS_PER_COMMIT = 25 / 30
GETS_PER_COMMIT = (4_238 - 372 * 2.5) / 30
VERSIONED_DAYS = 7 + 7  # vacuum waits 7 days, versions are kept for 7 more
REWRITTEN = 3  # each byte is written so often: ingest and compactions
LOG_BYTES_PER_MINUTE = 600  # the line `following`, and warnings
KMS_CALLS_PER_HOUR = 500  # bucket keys and Kinesis: some for each shard and hour, not for each object

# What it runs on: service.yaml, Layout one; a bigger task where an evaluation needs more memory.
TASK = {5: (1, 2), 500: (1, 2), 5_000: (2, 8)}  # vCPU, GB
SHARDS = {5: 1, 500: 1, 5_000: 2}  # where not on demand

PRICE = {
    "Kinesis, on demand: stream hour": 0.04,
    "Kinesis, on demand: GB in": 0.08,
    "Kinesis, on demand: GB out": 0.04,
    "Kinesis, on demand: GB month kept beyond a day": 0.10,
    "Kinesis: shard hour": 0.015,
    "Kinesis: shard hour kept beyond a day": 0.02,
    "Kinesis: million PUT units of 25 KB": 0.014,
    "Fargate ARM: vCPU hour": 0.03238,
    "Fargate ARM: GB hour": 0.00356,
    "S3: GB month": 0.023,
    "S3: thousand PUT, LIST": 0.005,
    "S3: thousand GET": 0.0004,
    "EventBridge: million events to another bus": 1.00,
    "KMS: key month": 1.00,
    "KMS: ten thousand calls": 0.03,
    "CloudWatch: GB of logs": 0.50,
    "CloudWatch: alarm month": 0.10,
    "CloudWatch: metric of one's own month": 0.30,
    "Secrets Manager: secret month": 0.40,
    "NAT gateway: hour": 0.045,
    "NAT gateway: GB": 0.045,
    "Interface endpoint in one zone: hour": 0.01,
}
ALARMS, METRICS, SECRETS = 6, 3, 1
ENDPOINTS = 5  # Kinesis, KMS, Logs, two of ECR, if there is no way out; Secrets Manager with channels


def month(accounts, on_demand):
    """Lines of the bill."""
    events = EVENTS_PER_ACCOUNT_DAY * accounts * DAYS
    gigabytes = events * EVENT_BYTES / GB
    p = PRICE
    if on_demand:
        kept = p["Kinesis, on demand: GB month kept beyond a day"] * 6 / DAYS
        passed = p["Kinesis, on demand: GB in"] + p["Kinesis, on demand: GB out"]
        stream = p["Kinesis, on demand: stream hour"] * HOURS + gigabytes * (passed + kept)
    else:
        shards = SHARDS[accounts] * HOURS * (p["Kinesis: shard hour"] + p["Kinesis: shard hour kept beyond a day"])
        stream = shards + events / 1e6 * p["Kinesis: million PUT units of 25 KB"]
    vcpu, memory = TASK[accounts]
    task = HOURS * (vcpu * p["Fargate ARM: vCPU hour"] + memory * p["Fargate ARM: GB hour"])
    # Events come one by one, by chance: after a commit the next is waited for, and COMMIT_SECONDS after that is the next commit.
    seconds = DAYS * 86_400
    commits = seconds / (COMMIT_SECONDS + seconds / events) + IDLE_COMMITS_PER_HOUR * HOURS
    thousand = lambda puts, gets: puts / 1e3 * p["S3: thousand PUT, LIST"] + gets / 1e3 * p["S3: thousand GET"]
    rest = seconds / 60 * thousand(LISTS_PER_MINUTE, GETS_PER_MINUTE)
    busy = commits * thousand(PUTS_PER_COMMIT + LISTS_PER_COMMIT, GETS_PER_COMMIT)
    daily = events / DAYS * LAKE_BYTES_PER_EVENT / GB
    kept = daily * (RETENTION_DAYS + VERSIONED_DAYS * (REWRITTEN - 1)) * p["S3: GB month"]
    buses = events * REGIONS_FORWARDED / 1e6 * p["EventBridge: million events to another bus"]
    kms = p["KMS: key month"] + KMS_CALLS_PER_HOUR * HOURS / 1e4 * p["KMS: ten thousand calls"]
    logs = LOG_BYTES_PER_MINUTE * seconds / 60 / GB * p["CloudWatch: GB of logs"]
    watch = logs + ALARMS * p["CloudWatch: alarm month"] + METRICS * p["CloudWatch: metric of one's own month"]
    amounts = {
        "events a month": events,
        "GB a month into Kinesis": gigabytes,
        "commits a month": commits,
        "GB in the lake": daily * RETENTION_DAYS,
    }
    bill = {
        "Kinesis": stream,
        "Fargate": task,
        "S3 requests at rest": rest,
        "S3 requests of commits": busy,
        f"S3 storage, after {RETENTION_DAYS} days": kept,
        "EventBridge, bus to bus": buses,
        "KMS": kms,
        "CloudWatch": watch,
        "Secrets Manager": SECRETS * p["Secrets Manager: secret month"],
    }
    return bill, amounts


def main():
    sizes = list(TASK)
    print("| | " + " | ".join(f"{size:,} accounts" for size in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    amounts = [month(size, True)[1] for size in sizes]
    for name in amounts[0]:
        digits = 2 if name.startswith("GB") else 0
        print(f"| {name} | " + " | ".join(f"{amount[name]:,.{digits}f}" for amount in amounts) + " |")
    demand = [month(size, True)[0] for size in sizes]
    shards = [month(size, False)[0] for size in sizes]
    for name in demand[0]:
        row = [bill[name] for bill in demand]
        label = "Kinesis, on demand" if name == "Kinesis" else name
        print(f"| {label}, $ | " + " | ".join(f"{value:,.2f}" for value in row) + " |")
    print("| **all, on demand, $** | " + " | ".join(f"**{sum(bill.values()):,.2f}**" for bill in demand) + " |")
    label = ", ".join(f"{SHARDS[size]}" for size in sizes)
    print(f"| Kinesis with {label} shards instead, $ | " + " | ".join(f"{bill['Kinesis']:,.2f}" for bill in shards) + " |")
    print("| **all, with shards, $** | " + " | ".join(f"**{sum(bill.values()):,.2f}**" for bill in shards) + " |")
    print("| for an account, with shards, $ | " + " | ".join(f"{sum(b.values()) / n:,.3f}" for b, n in zip(shards, sizes)) + " |")
    gateway = HOURS * PRICE["NAT gateway: hour"]
    print("| beside it: a NAT gateway without its GB, $ | " + " | ".join([f"{gateway:,.2f}"] * len(sizes)) + " |")
    endpoints = ENDPOINTS * HOURS * PRICE["Interface endpoint in one zone: hour"]
    print(f"| or {ENDPOINTS} interface endpoints in one zone, $ | " + " | ".join([f"{endpoints:,.2f}"] * len(sizes)) + " |")
    print()
    print("| list price | $ |")
    print("|---|---|")
    for name, price in PRICE.items():
        print(f"| {name} | {price:g} |")


if __name__ == "__main__":
    main()
