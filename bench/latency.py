#!/usr/bin/env python3
"""How long a burst takes from the put of its last finding to its alert, told by a channel.

    cargo build --release
    python3 bench/latency.py [--binary target/release/guardlake] [--bursts 100] [--lake s3] [--rate 10]

`guardlake run` with all built-in rules and its roles in one process, over a Kinesis (and with `--lake s3` an S3) stand-in on loopback: ministack.
The lake holds a history first (--history findings over 90 days), and the service has looked at all of it. Then --rate made findings a second flow,
and in every --every seconds ten of one new address: a burst that the rule `burst_from_one_remote_ip` is about. The channel is a file; the time is when
the line with that address is in it. `ingest.max_age` is one second. Every burst must be told, once. Needs ministack and boto3 from
PyPI (installed by itself, in a folder under ~/.cache).
"""
import argparse, datetime, json, os, pathlib, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request

CACHE = pathlib.Path.home() / ".cache/guardlake-tests/bench-3"
RULE = "burst_from_one_remote_ip"
BUCKET, STREAM = "soc-lake", "guardduty-findings"


def installed():
    """Runs this program again under a Python that has what it needs."""
    python = CACHE / "bin/python"
    if not (CACHE / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "ministack==1.5.33", "boto3==1.43.106"], check=True)
        (CACHE / "installed").touch()
    if pathlib.Path(sys.prefix) != CACHE:
        os.execv(python, [str(python), *sys.argv])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def stand_in(port):
    env = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    process = subprocess.Popen([CACHE / "bin/ministack"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=1)
            return process
        except urllib.error.HTTPError:
            return process
        except OSError:
            time.sleep(0.1)
    sys.exit("ministack did not start")


def cpu_seconds(pid):
    ticks = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def made(binary, findings, seed, days, end):
    command = [binary, "sample", "--findings", str(findings), "--accounts", "50", "--days", str(days), "--seed", str(seed), "--end", utc(end)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def burst(template, address, now):
    """Ten findings of their own, all from one address, all of this moment."""
    lines = []
    for _ in range(10):
        event = json.loads(template)
        detail = event["detail"]
        detail["id"] = event["detail"]["id"] = f"{random.getrandbits(128):032x}"
        event["id"] = f"{random.getrandbits(128):032x}"
        detail["arn"] = f"{detail['arn'].rsplit('/', 1)[0]}/{detail['id']}"
        detail["createdAt"] = detail["updatedAt"] = detail["service"]["eventFirstSeen"] = detail["service"]["eventLastSeen"] = utc(now)
        detail["service"]["action"] = {"actionType": "PORT_PROBE", "portProbeAction": {"blocked": False, "portProbeDetails": [
            {"localPortDetails": {"port": 22, "portName": "SSH"}, "remoteIpDetails": {"ipAddressV4": address}}]}}
        lines.append(json.dumps(event))
    return lines


def put(kinesis, lines):
    for at in range(0, len(lines), 100):
        records = [{"Data": line.encode(), "PartitionKey": f"{random.random()}"} for line in lines[at:at + 100]]
        assert kinesis.put_records(StreamName=STREAM, Records=records)["FailedRecordCount"] == 0


def figures(metrics):
    """What the service says of itself: by name with labels, the value."""
    try:
        lines = urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10).read().decode().splitlines()
    except OSError:
        return {}
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and not line.startswith("#")}


class Told(threading.Thread):
    """When each address was first told of, and how often."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.at, self.times = path, {}, {}

    def run(self):
        while not self.path.exists():
            time.sleep(0.005)
        with open(self.path) as lines:
            rest = ""
            while True:
                rest += lines.read()
                *whole, rest = rest.split("\n")
                for line in whole:
                    alert = json.loads(line)["alert"]
                    if alert["rule"] == RULE:
                        address = alert["group"]["remote_ip"]
                        self.at.setdefault(address, time.time())
                        self.times[address] = self.times.get(address, 0) + 1
                time.sleep(0.005)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/guardlake")
    arguments.add_argument("--bursts", type=int, default=100)
    arguments.add_argument("--every", type=float, default=1.7, help="seconds between bursts")
    arguments.add_argument("--rate", type=int, default=10, help="findings a second beside them")
    arguments.add_argument("--history", type=int, default=100_000)
    arguments.add_argument("--lake", choices=["folder", "s3"], default="folder")
    arguments.add_argument("--max-age", default="1s")
    arguments.add_argument("--keep", action="store_true", help="keep the folder with the log of the run")
    chosen = arguments.parse_args()
    installed()
    import boto3

    binary = str(pathlib.Path(chosen.binary).resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guardlake-latency-"))
    port = free_port()
    env = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
           "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ.update(env)
    server = stand_in(port)
    service = None
    try:
        kinesis = boto3.client("kinesis")
        kinesis.create_stream(StreamName=STREAM, ShardCount=2)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        lake = f"s3://{BUCKET}/guardlake" if chosen.lake == "s3" else str(folder / "lake")
        if chosen.history:
            past = folder / "history.jsonl"
            past.write_text("\n".join(made(binary, chosen.history, 1, 90, time.time() - 3600)))
            subprocess.run([binary, "--lake", lake, "ingest", past], env=env, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        told = Told(folder / "told.jsonl")
        metrics = f"127.0.0.1:{free_port()}"
        (folder / "notify.yaml").write_text(f"channels:\n  desk: {{kind: file, path: {told.path}}}\nroute: {{channels: [desk]}}\n")
        env.update(GUARDLAKE__NOTIFY__FILE=str(folder / "notify.yaml"), GUARDLAKE__INGEST__MAX_AGE=chosen.max_age, GUARDLAKE__STREAM__START="oldest", GUARDLAKE__METRICS__LISTEN=metrics)
        log = open(folder / "run.err", "w")
        service = subprocess.Popen([binary, "--lake", lake, "run", "--stream", STREAM], env=env, cwd=folder,
                                   stdout=subprocess.DEVNULL, stderr=log)
        told.start()
        background = made(binary, chosen.rate * int(chosen.bursts * chosen.every + 40), 2, 1, time.time())
        template = next(line for line in background if '"portProbeAction"' in line)
        # Until every rule has looked at all there was, and the one that is timed has looked again.
        listed = subprocess.run([binary, "rule", "list", "--format", "json"], capture_output=True, text=True, check=True).stdout
        rules = sum(rule["enabled"] for rule in json.loads(listed))
        began = time.time()
        seen = {}
        while len(seen) < rules or seen.get(RULE, 0) < 2:
            seen = {name.split('"')[1]: value for name, value in figures(metrics).items() if name.startswith("guardlake_rule_seconds_count")}
            if service.poll() is not None or time.time() - began > 600:
                sys.exit(f"guardlake has not looked at its rules: {(folder / 'run.err').read_text()[-500:]}")
            if len(seen) == rules:
                put(kinesis, background[:1])
                background = background[1:]
            time.sleep(0.5)
        print(f"  the first look at everything took {time.time() - began:.1f} s")
        before = figures(metrics)
        addresses, began, sent = {}, time.time(), 0
        cpu_before, next_burst = cpu_seconds(service.pid), 5.0
        while len(addresses) < chosen.bursts:
            passed = time.time() - began
            if service.poll() is not None:
                sys.exit(f"guardlake ended: {(folder / 'run.err').read_text()[-500:]}")
            due = min(int(passed * chosen.rate), len(background))
            if due > sent:
                put(kinesis, background[sent:due])
                sent = due
            if passed >= next_burst:
                address = f"203.0.{113 + len(addresses) // 200}.{1 + len(addresses) % 200}"
                put(kinesis, burst(template, address, time.time()))
                addresses[address] = time.time()
                next_burst += chosen.every * random.uniform(0.7, 1.3)
            time.sleep(0.05)
        deadline = time.time() + 60
        while len([a for a in addresses if a in told.at]) < chosen.bursts and time.time() < deadline:
            time.sleep(0.1)
        missing = [a for a in addresses if a not in told.at]
        twice = [a for a in addresses if told.times.get(a, 0) > 1]
        waits = sorted(told.at[a] - addresses[a] for a in addresses if a in told.at)
        status = pathlib.Path(f"/proc/{service.pid}/status").read_text()
        rss = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024
        cpu = cpu_seconds(service.pid) - cpu_before
        after = figures(metrics)
        service.send_signal(signal.SIGTERM)
        code = service.wait(timeout=60)
        figure = lambda name: {key: value - before.get(key, 0) for key, value in after.items() if key.startswith(name)}
        looks, seconds = figure("guardlake_evaluation_seconds_count"), figure("guardlake_evaluation_seconds_sum")
        slowest = sorted(figure("guardlake_rule_seconds_sum").items(), key=lambda rule: -rule[1])[:6]
        print(f"  {sum(looks.values()):.0f} looks took {sum(seconds.values()):.1f} s, most of it in: "
              + ", ".join(f"{name.split(chr(34))[1]} {took:.1f} s in {after[name.replace('_sum', '_count')] - before.get(name.replace('_sum', '_count'), 0):.0f}" for name, took in slowest))
        slow = sorted(((told.at[a] - addresses[a], addresses[a] - began) for a in addresses if a in told.at), reverse=True)[:3]
        print("  the slowest bursts: " + ", ".join(f"{wait:.2f} s of the one put {put:.0f} s after the beginning" for wait, put in slow))
        if missing or twice or code:
            sys.exit(f"{len(missing)} bursts were not told, {len(twice)} told twice, exit {code}: see {folder}/run.err")
        at = lambda share: waits[min(len(waits) - 1, int(len(waits) * share))]
        print(f"{len(waits)} bursts among {chosen.rate} findings/s, lake: {chosen.lake}, {chosen.history} findings before, max_age {chosen.max_age}: put to alert told "
              f"p50 {at(.5):.2f} s, p90 {at(.9):.2f} s, p99 {at(.99):.2f} s, most {waits[-1]:.2f} s; "
              f"{cpu / (time.time() - began) * 100:.0f} % of a core, peak RSS {rss} MB")
    finally:
        if service and service.poll() is None:
            service.kill()
        server.kill()
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
