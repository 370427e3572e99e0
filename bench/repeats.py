#!/usr/bin/env python3
"""What it costs to repeat: the same run again, 1 % of new orders, inputs that are copied, a year of dates, predicted value.

  repeats.py [--orders 10000000] [--days 365] [--runs 3] [--work DIR] [--binary PATH] [--write]

Whole processes in turn; medians of wall seconds. Needs Go and the packages of requirements.txt; takes the data that run.py has made.
"""
import argparse, datetime, os, shutil, statistics, subprocess, sys, time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import results

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
METRICS = "cohorts, cohort_retention, retention_curves, cohort_ltv, lifecycle, repeat_purchases, survival_curves"
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--work", default=os.path.join(ROOT, "bin", "bench"), help="folder for data and results")
p.add_argument("--binary", help="a cohortline that is built; default: build it")
p.add_argument("--orders", type=int, default=10_000_000)
p.add_argument("--days", type=int, default=365)
p.add_argument("--runs", type=int, default=3)
p.add_argument("--write", action="store_true", help="write the part Repeats of RESULTS.md")
o = p.parse_args()
os.makedirs(o.work, exist_ok=True)
BINARY = os.path.abspath(o.binary) if o.binary else os.path.join(o.work, "cohortline")
if not o.binary:
    subprocess.run(["go", "build", "-trimpath", "-o", BINARY, "./cmd/cohortline"], cwd=ROOT, check=True, env={**os.environ, "CGO_ENABLED": "0"})
DATA, MORE, OUT = (os.path.join(o.work, n) for n in (f"parquet-{o.orders}", f"more-{o.orders}", "out-repeats"))


def prepare():
    """The orders of run.py, and 1 % of others."""
    if not os.path.isdir(DATA):
        subprocess.run([sys.executable, os.path.join(HERE, "data.py"), "--orders", str(o.orders), "--out", DATA], check=True)
    small = MORE + ".orders"
    shutil.rmtree(MORE, ignore_errors=True)
    subprocess.run([sys.executable, os.path.join(HERE, "data.py"), "--orders", str(o.orders // 100), "--files", "1", "--out", small], check=True)
    t = pq.read_table(os.path.join(small, "orders-000.parquet"))
    t = t.set_column(0, "order_id", pc.binary_join_element_wise(pa.scalar("n"), t["order_id"], ""))
    os.makedirs(MORE)
    pq.write_table(t, os.path.join(MORE, "new.parquet"), compression="zstd", store_decimal_as_integer=True)
    shutil.rmtree(small)
    for folder in (DATA, MORE):  # into the page cache
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as f:
                while f.read(1 << 24):
                    pass


def config(name, tables="customers, cohort_retention", more=False, source="", extra="", grains="month"):
    path = os.path.join(o.work, f"repeats-{name}.yaml")
    paths = f"[{DATA}, {MORE}]" if more else f"[{DATA}]"
    listed = f", tables: [{tables}]" if tables else ""
    with open(path, "w") as f:
        f.write(f"version: 1\nreporting: {{timezone: Europe/Berlin, currency: EUR, grains: [{grains}]}}\nsources: [{{table: orders, name: shop, path: {paths}{source}}}]\n"
                f"dimensions: [channel, country]\nidentity: {{match: [id]}}\n{extra}output: {{path: {OUT}{listed}}}\n")
    return path


def run(verb, path, *args):
    start = time.perf_counter()
    subprocess.run([BINARY, verb, "--quiet", "--config", path, "--temp-dir", o.work, *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def fresh():
    shutil.rmtree(OUT, ignore_errors=True)


def year():
    last = datetime.date(2026, 11, 1)
    return ["--from", str(last - datetime.timedelta(days=o.days - 1)), "--to", str(last), "--every", "day"]


def round_():
    """One round: name → wall seconds."""
    at = ["--as-of", "2026-11-01"]
    plain, new = config("plain"), config("new", more=True)
    copied, copied_new = config("copied", source=", landing: copy"), config("copied-new", more=True, source=", landing: copy")
    metrics = config("metrics", METRICS)
    seconds = {}
    fresh()
    seconds["run"] = run("run", plain, *at)
    seconds["the same again: nothing to do"] = run("run", plain, *at)
    seconds["1 % new orders"] = run("run", new, *at)
    fresh()
    seconds["landing: copy, all inputs new"] = run("run", copied, *at)
    seconds["landing: copy, 1 % new orders"] = run("run", copied_new, *at)
    fresh()
    seconds["run of the tables of metrics"] = run("run", metrics, *at)
    fresh()
    seconds[f"backfill of {o.days} days, tables of metrics"] = run("backfill", metrics, *year())
    for name, grains in EVERY.items():
        for extra in (None, PREDICTED):
            fresh()
            seconds[name + (extra or "")] = run("run", config("every", "", extra=extra and "ltv: {model: auto, horizon: 12 months, discount: 0.10 per year}\n" or "", grains=grains), *at)
    fresh()
    return seconds


EVERY = {"run of every table, by week and month": "week, month", "run of every table, by month": "month"}
PREDICTED = ", with `ltv: auto`"
BASE = {f"backfill of {o.days} days, tables of metrics": "run of the tables of metrics", **{name + PREDICTED: name for name in EVERY}}
prepare()
round_()  # warms up
rounds = []
for i in range(o.runs):
    rounds.append(round_())
    print(f"  round {i + 1}: " + ", ".join(f"{k} {v:.2f} s" for k, v in rounds[-1].items()), file=sys.stderr, flush=True)
median = {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}
text = f"\nWritten by `{results.command()}` on {datetime.date.today()}: {o.orders:,} orders in Parquet, {os.cpu_count()} processors, {o.runs} rounds. The run is that of peers/JOB.md.\n"
text += "\n| | wall s | (min-max) | against |\n|---|---|---|---|\n"
for k, v in median.items():
    base = BASE.get(k, "run")
    against = "" if k in BASE.values() or k == "run" else f"{v / median[base]:.2f} × the {base}"
    text += f"| {k} | {v:.2f} | {min(r[k] for r in rounds):.2f}-{max(r[k] for r in rounds):.2f} | {against} |\n"
print(text)
if o.write:
    results.write("Repeats", text)
