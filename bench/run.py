#!/usr/bin/env python3
"""Build cohortline, make orders, run it and its peers in turn as whole processes on the same files, and write RESULTS.md.

  run.py                                  every data set of the list below, at 1 M and 10 M orders
  run.py --orders 1000000 10000000 50000000 --formats parquet csv jsonl --runs 3 --write
  run.py --scaling 1000000 10000000 50000000 200000000
  run.py --orders --small

The format unordered is Parquet whose orders come in no order of time: cohortline sorts faster what comes in order, and this shows what that is worth.

A peer's cells must equal ours before a time counts. Wall seconds, CPU seconds (user + system) and peak resident MB (10^6 bytes) are medians of interleaved
runs; the spread is min-max. Needs Go and the packages of requirements.txt.
"""
import argparse, datetime, filecmp, importlib.metadata, os, platform, shutil, statistics, subprocess, sys, time

import results

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TWO = "customers, cohort_retention"
CONFIG = """version: 1
reporting: {{timezone: Europe/Berlin, currency: EUR, grains: [{grains}]}}
sources: [{{table: orders, name: shop, path: {data}}}]
dimensions: [channel, country]
identity: {{match: [id]}}
output: {{path: {out}{tables}}}
"""
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--work", default=os.path.join(ROOT, "bin", "bench"), help="folder for data and results")
p.add_argument("--binary", help="a cohortline that is built; default: build it")
p.add_argument("--orders", type=int, nargs="*", default=[1_000_000, 10_000_000])
p.add_argument("--formats", nargs="*", default=["parquet"], choices=["parquet", "unordered", "csv", "jsonl"])
p.add_argument("--runs", type=int, default=3)
p.add_argument("--only", nargs="*", help="contestants, e.g. cohortline DuckDB")
p.add_argument("--memory", default="256MiB", help="of the contestant with a limit")
p.add_argument("--scaling", type=int, nargs="*", default=[], help="orders of the scaling table, cohortline alone")
p.add_argument("--small", action="store_true", help="what takes milliseconds: the version and the smallest job")
p.add_argument("--compare", nargs=2, help="only compare our output with a peer's")
p.add_argument("--write", action="store_true", help="write RESULTS.md beside this script")
p.add_argument("--part", default="Results", help="title of the part of RESULTS.md that is written")
o = p.parse_args()


def equal(mine, theirs):
    """Whether a peer's four tables hold exactly our cells."""
    import duckdb

    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    pairs = [("customers", "customers", "customer_id, first_order_at::TIMESTAMPTZ, last_order_at::TIMESTAMPTZ, cohort_month::DATE, orders::BIGINT, net_revenue::DECIMAL(28,4), first_channel, first_country", "true")]
    for d in ("all", "channel", "country"):
        pairs.append((f"retention_{d}", "cohort_retention", "segment, cohort::DATE, age::BIGINT, cohort_customers::BIGINT, active_customers::BIGINT, orders::BIGINT, net_revenue::DECIMAL(28,4)",
                      f"dimension = '{d}' AND index_kind = 'calendar' AND grain = 'month'"))
    for name, table, columns, where in pairs:
        a = f"SELECT {columns} FROM '{mine}/tables/{table}/*/*.parquet' WHERE {where}"
        b = f"SELECT {columns} FROM '{theirs}/{name}.parquet'"
        n = con.execute(f"SELECT (SELECT count(*) FROM ({a} EXCEPT ALL {b})) + (SELECT count(*) FROM ({b} EXCEPT ALL {a}))").fetchall()[0][0]
        if n:
            print(f"{name}: {n} rows differ")
            return False
    return True


if o.compare:
    sys.exit(0 if equal(*o.compare) else 1)
os.makedirs(o.work, exist_ok=True)
lines = []


def say(text=""):
    print(text, flush=True)
    lines.append(text)


def build(package, name):
    path = os.path.join(o.work, name)
    subprocess.run(["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, package], cwd=ROOT, check=True, env={**os.environ, "CGO_ENABLED": "0"})
    return path


BINARY = os.path.abspath(o.binary) if o.binary else build("./cmd/cohortline", "cohortline")
FLOOR = build("./bench/floor", "floor")


def data(form, orders):
    path = os.path.join(o.work, f"{form}-{orders}")
    if not os.path.isdir(path):
        shape = ["parquet", "--unordered"] if form == "unordered" else [form]
        subprocess.run([sys.executable, os.path.join(HERE, "data.py"), "--orders", str(orders), "--out", path, "--format", *shape], check=True)
    for name in os.listdir(path):  # into the page cache
        with open(os.path.join(path, name), "rb") as f:
            while f.read(1 << 24):
                pass
    return path


def ours(folder, out, grains="month", tables=TWO, more=()):
    path = os.path.join(o.work, f"{os.path.basename(out)}.yaml")
    with open(path, "w") as f:
        f.write(CONFIG.format(data=folder, out=out, grains=grains, tables=f", tables: [{tables}]" if tables else ""))
    return [BINARY, "run", "--quiet", "--config", path, "--as-of", "2026-11-01", "--temp-dir", o.work, *more]


def peer(script, folder, out):
    return [sys.executable, os.path.join(HERE, "peers", script), "--in", folder, "--out", out, "--dedup"]


CONTESTANTS = {  # name: its command
    "cohortline": ours,
    "cohortline, --memory": lambda d, out: ours(d, out, more=["--memory", o.memory]),
    "cohortline, one core": lambda d, out: ["taskset", "-c", "0", *ours(d, out)],
    "cohortline, every table, week and month": lambda d, out: ours(d, out, "week, month", ""),
    "DuckDB": lambda d, out: peer("duck_job.py", d, out),
    "Polars": lambda d, out: peer("polars_job.py", d, out),
    "pandas": lambda d, out: peer("pandas_job.py", d, out),
    "decoding alone": lambda d, out: [FLOOR, d],
}


def wanted(form, orders):
    for name in o.only or CONTESTANTS:
        if name == "pandas" and orders > 1_000_000 or name == "decoding alone" and form not in ("parquet", "unordered"):
            continue
        if form != "parquet" and name.startswith("cohortline, ") and not o.only:
            continue
        yield name


def once(name, folder):
    out = os.path.join(o.work, "out-" + "".join(c if c.isalnum() else "-" for c in name))
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    command = CONTESTANTS[name](folder, out)
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=null)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{name} failed with status {status}: {' '.join(command)}")
    return out, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


def agrees(mine, theirs):
    """Compares in a process of its own: the peak of a process counts the one that it was made from, which therefore stays small."""
    return subprocess.run([sys.executable, os.path.abspath(__file__), "--compare", mine, theirs]).returncode == 0


def same(a, b):
    """Whether two of our outputs hold the same bytes."""
    return all(filecmp.cmp(*[os.path.join(x, "tables", t, "as_of=2026-11-01", "part-00000.parquet") for x in (a, b)], shallow=False) for t in TWO.split(", "))


def table(form, orders):
    folder, names = data(form, orders), list(wanted(form, orders))
    size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    outs = {name: once(name, folder)[0] for name in names}
    for name in names:
        if name in ("DuckDB", "Polars", "pandas") and not agrees(outs[names[0]], outs[name]):
            sys.exit(f"{name} disagrees with {names[0]}: its time does not count")
        if name in ("cohortline, --memory", "cohortline, one core") and not same(outs[names[0]], outs[name]):
            sys.exit(f"{name} writes other bytes")
    measured = {name: [] for name in names}
    for i in range(o.runs):
        for name in names:
            measured[name].append(once(name, folder)[1:])
            print(f"  run {i + 1} {name}: {measured[name][-1][0]:.2f} s", file=sys.stderr, flush=True)
    say(f"\n## {orders:,} orders, {form}, {size / 1e6:,.0f} MB, {o.runs} runs\n")
    first = statistics.median(r[0] for r in measured[names[0]])
    say(f"| contestant | wall s | (min-max) | CPU s | peak MB | wall against {names[0]} |\n|---|---|---|---|---|---|")
    for name, runs in measured.items():
        wall = [r[0] for r in runs]
        say(f"| {name} | {statistics.median(wall):.2f} | {min(wall):.2f}-{max(wall):.2f} | {statistics.median(r[1] for r in runs):.2f} | {statistics.median(r[2] for r in runs):.0f} | {statistics.median(wall) / first:.2f} |")


def scaling():
    say(f"\n## Scaling, parquet, --memory {o.memory}\n\n| orders | wall s | CPU s | CPU ns an order | peak MB |\n|---|---|---|---|---|")
    for orders in o.scaling:
        folder = data("parquet", orders)
        runs = [once("cohortline, --memory", folder)[1:] for _ in range(o.runs)]
        wall, cpu, peak = (statistics.median(r[k] for r in runs) for k in range(3))
        say(f"| {orders:,} | {wall:.2f} | {cpu:.2f} | {cpu / orders * 1e9:.0f} | {peak:.0f} |")


def small():
    """Medians of runs in turn of what should take milliseconds."""
    demo = os.path.join(o.work, "demo")
    shutil.rmtree(demo, ignore_errors=True)
    subprocess.run([BINARY, "demo", "--dir", demo, "--quiet"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(os.path.join(demo, "cohortline.yaml")) as f:
        lines = f.readlines()
    plain = os.path.join(demo, "plain.yaml")
    with open(plain, "w") as f:
        f.writelines(l for l in lines if not l.startswith("ltv:"))
    run = [BINARY, "run", "--quiet", "--as-of", "1998-07-01", "--config"]
    commands = {"`cohortline version`": [BINARY, "version"], "every table of CDNOW's 2,357 customers": run + [plain], "the same with `ltv: auto`": run + [os.path.join(demo, "cohortline.yaml")]}
    walls = {name: [] for name in commands}
    for _ in range(21):
        for name, command in commands.items():
            shutil.rmtree(os.path.join(demo, "warehouse"), ignore_errors=True)
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            walls[name].append(time.perf_counter() - start)
    say("\n## What takes milliseconds, 21 runs\n\n| command | wall ms | (min-max) |\n|---|---|---|")
    for name, w in walls.items():
        say(f"| {name} | {statistics.median(w) * 1e3:.0f} | {min(w) * 1e3:.0f}-{max(w) * 1e3:.0f} |")


versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("duckdb", "polars", "pandas", "pyarrow"))
go = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
say(f"\nWritten by `{results.command()}` on {datetime.date.today()}: {os.cpu_count()} processors ({platform.machine()}), {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB, {platform.system()}; {go}; {versions}.")
say("Whole processes in turn on the same files, which lie in the page cache; 3 % of the orders come again. Every peer's cells equal ours. Peers do the job of [peers/JOB.md](peers/JOB.md); cohortline also computes the"
    " 30-day windows, all columns of both tables and the checks.")
for form in o.formats:
    for orders in o.orders:
        table(form, orders)
if o.scaling:
    scaling()
if o.small:
    small()
if o.write:
    results.write(o.part, "\n".join(lines))
