#!/usr/bin/env python3
"""Run cohortline and its peers in turn as whole processes on the same files; print medians.

  run.py --binary bin/cohortline --data DIR --as-of 2026-11-01 --runs 3 --peer 'DuckDB=python duck.py --in {data} --out {out}' …

DIR holds canonical orders (Parquet or CSV). A peer writes customers.parquet and retention_{all,channel,country}.parquet; its cells must equal
ours before a time counts. Wall seconds, CPU seconds (user + system) and peak resident MB (10^6 bytes) are medians; the spread is min-max.
"""
import argparse, os, shlex, shutil, statistics, sys, tempfile, time
import duckdb

CONFIG = """version: 1
reporting: {{timezone: Europe/Berlin, currency: EUR, grains: [{grains}]}}
sources: [{{table: orders, name: shop, path: {data}}}]
dimensions: [channel, country]
identity: {{match: [id]}}
output: {{path: {out}{tables}}}
"""
a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("--binary", required=True)
a.add_argument("--data", required=True)
a.add_argument("--as-of", default="2026-11-01")
a.add_argument("--runs", type=int, default=3)
a.add_argument("--peer", action="append", default=[], help="NAME=COMMAND with {data} and {out}")
a.add_argument("--whole", action="store_true", help="also time the whole contract: every table, month and week")
o = a.parse_args()
work = tempfile.mkdtemp(prefix="cohortline-bench-")


def cohortline(out, grains, tables):
    path = os.path.join(work, "cohortline.yaml")
    with open(path, "w") as f:
        f.write(CONFIG.format(data=os.path.abspath(o.data), out=out, grains=grains, tables=tables))
    return [o.binary, "run", "--quiet", "--config", path, "--as-of", o.as_of]


contestants = {"cohortline": lambda out: cohortline(out, "month", ", tables: [customers, cohort_retention]")}
for p in o.peer:
    name, command = p.split("=", 1)
    contestants[name] = lambda out, c=command: shlex.split(c.format(data=o.data, out=out))
if o.whole:
    contestants["cohortline, every table"] = lambda out: cohortline(out, "week, month", "")


def once(name):
    out = os.path.join(work, "out-" + str(list(contestants).index(name)))
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    command = contestants[name](out)
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=null)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{name} failed with status {status}: {' '.join(command)}")
    return out, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


def equal(ours, theirs):
    """Whether the peer's four tables hold exactly our cells."""
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    pairs = [("customers", "customers", "customer_id, first_order_at::TIMESTAMPTZ, last_order_at::TIMESTAMPTZ, cohort_month::DATE, orders::BIGINT, net_revenue::DECIMAL(28,4), first_channel, first_country", "true")]
    for d in ("all", "channel", "country"):
        pairs.append((f"retention_{d}", "cohort_retention", "segment, cohort::DATE, age::BIGINT, cohort_customers::BIGINT, active_customers::BIGINT, orders::BIGINT, net_revenue::DECIMAL(28,4)", f"dimension = '{d}' AND index_kind = 'calendar'"))
    for theirs_name, table, columns, where in pairs:
        mine = f"SELECT {columns} FROM '{ours}/tables/{table}/*/*.parquet' WHERE {where}"
        other = f"SELECT {columns} FROM '{theirs}/{theirs_name}.parquet'"
        n = con.execute(f"SELECT (SELECT count(*) FROM ({mine} EXCEPT ALL {other})) + (SELECT count(*) FROM ({other} EXCEPT ALL {mine}))").fetchall()[0][0]
        if n:
            print(f"{theirs_name}: {n} rows differ")
            return False
    return True


outs = {name: once(name)[0] for name in contestants}  # also warms the page cache
for name in contestants:
    if not name.startswith("cohortline") and not equal(outs["cohortline"], outs[name]):
        sys.exit(f"{name} disagrees: its time does not count")
print("every peer's cells equal ours", file=sys.stderr)
results = {name: [] for name in contestants}
for i in range(o.runs):
    for name in contestants:
        results[name].append(once(name)[1:])
        print(f"  run {i + 1} {name}: {results[name][-1][0]:.2f} s", file=sys.stderr, flush=True)
print("| contestant | wall s | (min-max) | CPU s | peak MB |\n|---|---|---|---|---|")
for name, runs in results.items():
    wall = [r[0] for r in runs]
    print(f"| {name} | {statistics.median(wall):.2f} | {min(wall):.2f}-{max(wall):.2f} | {statistics.median(r[1] for r in runs):.2f} | {statistics.median(r[2] for r in runs):.0f} |")
shutil.rmtree(work)
