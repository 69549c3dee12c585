"""What the benchmarks share: peers from PyPI in a folder of their own under ~/.cache, and whole processes timed.

Each peer answers a list of questions over the view `findings` in one process and prints a JSON list with the rows of each.
"""
import functools, json, os, pathlib, subprocess, sys, tempfile, time

CACHE = pathlib.Path.home() / ".cache/guardlake-tests/bench-2"
PACKAGES = {"duckdb": "duckdb==2.0.0", "chdb": "chdb==4.4.0", "datafusion": "datafusion==55.0.0", "polars": "polars==2.1.0", "pyspark": "pyspark==4.3.0"}
READ = "import json, sys\nfiles, threads, questions = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])\n"
ANSWER = {
    "duckdb": """import duckdb
db = duckdb.connect()
db.execute(f"SET threads={threads}; SET TimeZone='UTC'; SET enable_progress_bar=false; CREATE VIEW findings AS SELECT * FROM read_parquet('{files}')")
said = [db.execute(question).fetchall() for question in questions]""",
    "chdb": """from chdb import session
db = session.Session()
asked = [question.replace("FROM findings", f"FROM file('{files}', Parquet)") + f" SETTINGS max_threads={threads}" for question in questions]
lines = [db.query(question, "JSONCompactEachRow").bytes().decode().splitlines() for question in asked]
said = [[json.loads(line) for line in rows if line.strip()] for rows in lines]""",
    # As it comes, but for the number of threads: no limit of memory, no functions of ours. It takes folders, no globs of them.
    "datafusion": """import datafusion, glob
db = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads))
days = sorted(glob.glob(files.rsplit("/", 1)[0]))
for day in days:
    db.register_parquet(f'"{day}"', day)
db.sql("CREATE VIEW findings AS " + " UNION ALL ".join(f'SELECT * FROM "{day}"' for day in days))
said = [[list(row.values()) for row in db.sql(question).to_pylist()] for question in questions]""",
    "polars": """import os
os.environ["POLARS_MAX_THREADS"] = str(threads)
import polars
db = polars.SQLContext(findings=polars.scan_parquet(files))
said = [db.execute(question).collect(engine="streaming").rows() for question in questions]""",
    "pyspark": """import pyspark.sql
spark = pyspark.sql.SparkSession.builder.master(f"local[{threads}]").config("spark.driver.memory", "12g").config("spark.ui.enabled", "false")
spark = spark.config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", threads).config("spark.log.level", "ERROR").getOrCreate()
spark.read.parquet(files).createOrReplaceTempView("findings")
said = [[list(row) for row in spark.sql(question).collect()] for question in questions]""",
}


@functools.cache
def peer_python(*names):
    """A Python that has these peers; duckdb if none is named."""
    python = CACHE / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
    for name in names or ["duckdb"]:
        installed = CACHE / f"installed-{PACKAGES[name]}"
        if not installed.exists():
            subprocess.run([python, "-m", "pip", "install", "-q", PACKAGES[name]], check=True)
            installed.touch()
    return python


def asking(peer, files, threads, *questions):
    """The command that has a peer answer questions over Parquet files, which a glob names."""
    script = f"{READ}{ANSWER[peer]}\nprint(json.dumps(said, default=str))"
    return [peer_python(peer), "-c", script, files, threads, json.dumps(questions)]


def timed(command):
    """Wall seconds, CPU seconds, peak RSS in MB and output of a whole process; None where it failed."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        if status:
            errors.seek(0)
            print(f"  {command[0]} failed: {errors.read().strip()[-300:]}")
            return None
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def add_peers(arguments, default):
    """The option that names the peers which take part."""
    arguments.add_argument("--peers", default=default, type=lambda names: [name for name in names.split(",") if name],
                           help=f"of {', '.join(PACKAGES)}; those that fail are left out")
