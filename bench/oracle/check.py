#!/usr/bin/env python3
"""Compare cohortline with the independent recomputation on generated data, cell by cell.

  check.py --binary bin/cohortline --seeds 10 [--rows 1500] [--keep DIR]
"""
import argparse, math, os, shutil, subprocess, sys, tempfile
from datetime import date, datetime
from decimal import Decimal
import duckdb
import nuisance, oracle

KEYS = {"customers": 1, "customer_periods": 3, "cohorts": ["grain", "cohort", "dimension", "segment"], "cohort_retention": 6, "retention_curves": 5, "survival_curves": 4, "cohort_ltv": 5,
        "lifecycle": ["grain", "period", "dimension", "segment"], "repeat_purchases": 3}


def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return a is not None and b is not None and math.isclose(a, b, rel_tol=1e-11, abs_tol=1e-12)
    return a == b


def rows(con, sql):
    cursor = con.execute(sql)
    names = [x[0] for x in cursor.description]
    return names, cursor.fetchall()


def compare(con, table, ours_sql, oracle_sql, show=5):
    names, ours = rows(con, ours_sql)
    theirs_names, theirs = rows(con, f"SELECT {', '.join(chr(34) + n + chr(34) for n in names)} FROM ({oracle_sql})")
    key = KEYS[table] if isinstance(KEYS[table], list) else names[: KEYS[table]]
    at = [names.index(k) for k in key]
    index = {tuple(r[i] for i in at): r for r in theirs}
    bad = abs(len(ours) - len(theirs)) + (len(theirs) - len(index))
    if bad:
        print(f"  {table}: {len(ours)} rows, oracle {len(theirs)}")
    for r in ours:
        k = tuple(r[i] for i in at)
        o = index.get(k)
        if o is None:
            bad += 1
            if bad <= show:
                print(f"  {table} {k}: not in the oracle")
            continue
        for name, x, y in zip(names, r, o):
            if not same(x, y):
                bad += 1
                if bad <= show:
                    print(f"  {table} {k} {name}: {x}, oracle {y}")
    return len(ours) * len(names), bad


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--binary", required=True)
    a.add_argument("--seeds", type=int, default=10)
    a.add_argument("--rows", type=int, default=1500)
    a.add_argument("--keep", help="folder in which the data stays")
    o = a.parse_args()
    failed = False
    for seed in range(1, o.seeds + 1):
        folder = os.path.join(o.keep or tempfile.mkdtemp(prefix="cohortline-oracle-"), f"seed-{seed}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        s = nuisance.generate(folder, seed, o.rows)
        run = subprocess.run([o.binary, "run", "--quiet", "--config", f"{folder}/cohortline.yaml", "--as-of", s["as_of"]], capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"seed {seed}: exit code {run.returncode}\n{run.stderr}")
        con, tables = oracle.compute(folder, s)
        cells = bad = 0
        for table, sql in tables.items():
            columns = "* REPLACE (epoch_us(first_order_at) AS first_order_at, epoch_us(last_order_at) AS last_order_at)" if table == "customers" else "*"
            n, wrong = compare(con, table, f"SELECT {columns} FROM read_parquet('{folder}/warehouse/tables/{table}/as_of={s['as_of']}/part-00000.parquet', hive_partitioning=false)", sql)
            cells, bad = cells + n, bad + wrong
        customers = con.execute("SELECT count(*) FROM c").fetchall()[0][0]
        if seed == 1:  # a comparison that cannot fail proves nothing
            broken = tables["cohorts"].replace("sum(orders) orders", "sum(orders) + 1 orders")
            if compare(con, "cohorts", f"SELECT * FROM read_parquet('{folder}/warehouse/tables/cohorts/as_of={s['as_of']}/part-00000.parquet', hive_partitioning=false)", broken, show=0)[1] == 0:
                sys.exit("a wrong oracle was not noticed")
        print(f"seed {seed}: {s['zone']}, {'/'.join(s['grains'])}, {len(s['sources'])} sources, {customers} customers: {cells} cells, {bad} differ", flush=True)
        failed = failed or bad > 0
        if not o.keep:
            shutil.rmtree(os.path.dirname(folder), ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
