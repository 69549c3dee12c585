"""What the benchmarks share: peers from PyPI in a folder of their own under ~/.cache, and whole processes timed."""
import os, pathlib, subprocess, sys, time

CACHE = pathlib.Path.home() / ".cache/guardlake-tests/bench-2"
DUCKDB = """import duckdb, json, sys
db = duckdb.connect()
db.execute(f"SET threads={sys.argv[2]}; SET enable_progress_bar=false")
print(json.dumps(db.execute(sys.argv[1]).fetchall(), default=str))"""
CHDB = """import chdb, sys
print(chdb.query(sys.argv[1] + " SETTINGS max_threads=" + sys.argv[2], "JSONCompactEachRow"))"""


def peer_python():
    python = CACHE / "bin/python"
    if not (CACHE / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "duckdb==2.0.0", "chdb==4.4.0"], check=True)
        (CACHE / "installed").touch()
    return python


def timed(command):
    """Wall seconds, CPU seconds, peak RSS in MB and output of a whole process; None where it failed."""
    started = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if status:
        print(f"  {command[0]} failed: {errors.strip()[-300:]}")
        return None
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output
