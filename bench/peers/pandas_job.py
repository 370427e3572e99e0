#!/usr/bin/env python3
"""The job of JOB.md in pandas, for sizes that fit into memory many times over.

  pandas_job.py --in DIR --out DIR [--dedup]
"""
import argparse, glob, os
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

LAST_MONTH = 2026 * 12 + 9
MONEY = ["gross_amount", "discount_amount", "refund_amount"]
COLUMNS = ["order_id", "customer_id", "ordered_at", "updated_at", "status", *MONEY, "channel", "country"]


def source(folder):
    """The orders of a folder, money as whole ten-thousandths."""
    def files(ending):
        return sorted(glob.glob(f"{folder}/*.{ending}"))
    if files("parquet"):
        table = pa.concat_tables([pq.read_table(f, columns=COLUMNS) for f in files("parquet")])
        for c in MONEY:  # decimals would become Python objects
            scaled = table[c].cast(pa.decimal128(22, 4))
            low = np.concatenate([np.frombuffer(x.buffers()[1], dtype=np.int64)[2 * x.offset:2 * (x.offset + len(x)):2] for x in scaled.chunks])
            table = table.set_column(table.column_names.index(c), c, pa.array(low))
        for c in ("status", "channel", "country"):
            table = table.set_column(table.column_names.index(c), c, table[c].cast(pa.string()))
        return table.to_pandas()
    if files("csv"):
        orders = pd.concat([pd.read_csv(f, usecols=COLUMNS, engine="pyarrow", dtype={"order_id": "string"}, keep_default_na=False, na_values=[""]) for f in files("csv")])
    else:
        orders = pd.concat([pd.read_json(f, lines=True, engine="pyarrow", dtype_backend="pyarrow")[COLUMNS] for f in files("jsonl")])
    for c in MONEY:  # a double is the nearest to the text, so that rounding gives the ten-thousandths exactly
        orders[c] = (orders[c].astype("float64") * 10_000).round().astype("int64")
    for c in ("ordered_at", "updated_at"):
        orders[c] = pd.to_datetime(orders[c], utc=True)
    return orders


def decimals(values):
    return pa.array([Decimal(int(v)).scaleb(-4) for v in values], pa.decimal128(28, 4))


def dates(months):
    return pa.array(((months // 12 - 1970) * 12 + months % 12).to_numpy().astype("datetime64[M]").astype("datetime64[D]"))


def retention(months, segment):
    """Dense cells of the cohorts of each segment."""
    cells = months.groupby([segment, "cohort", "age"], observed=True).agg(active=("customer_id", "size"), orders=("orders", "sum"), net=("net", "sum")).reset_index()
    cohorts = cells.loc[cells.age == 0, [segment, "cohort", "active"]].rename(columns={"active": "customers"})
    dense = cohorts.loc[cohorts.index.repeat(LAST_MONTH - cohorts.cohort + 1)].copy()
    dense["age"] = dense.groupby([segment, "cohort"], observed=True).cumcount()
    dense = dense.merge(cells, on=[segment, "cohort", "age"], how="left").fillna({"active": 0, "orders": 0, "net": 0})
    return pa.table({"segment": pa.array(dense[segment].astype(str)), "cohort": dates(dense.cohort), "age": pa.array(dense.age), "cohort_customers": pa.array(dense.customers),
                     "active_customers": pa.array(dense.active.astype("int64")), "orders": pa.array(dense.orders.astype("int64")), "net_revenue": decimals(dense.net.astype("int64"))})


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--in", dest="folder", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--dedup", action="store_true")
    o = a.parse_args()
    os.makedirs(o.out, exist_ok=True)
    orders = source(o.folder)
    if o.dedup:
        orders = orders.sort_values("updated_at", kind="stable").drop_duplicates("order_id", keep="last")
    orders = orders[orders.status.isin(["paid", "refunded"]) & (orders.ordered_at < pd.Timestamp("2026-10-31T23:00:00Z"))]
    orders = orders.assign(net=orders.gross_amount - orders.discount_amount - orders.refund_amount,
                           channel=orders.channel.fillna("(none)"), country=orders.country.fillna("(none)"), all="all")
    local = orders.ordered_at.dt.tz_convert("Europe/Berlin").dt
    orders["m"] = local.year.astype("int64") * 12 + local.month.astype("int64") - 1
    orders = orders.sort_values(["ordered_at", "order_id"] if o.dedup else ["ordered_at", "channel", "country"])
    customers = orders.groupby("customer_id", sort=False).agg(
        first=("ordered_at", "first"), last=("ordered_at", "last"), cohort=("m", "first"), orders=("order_id", "size"), net=("net", "sum"),
        channel=("channel", "first"), country=("country", "first"), all=("all", "first"))
    pq.write_table(pa.table({
        "customer_id": pa.array(customers.index.astype(str)), "first_order_at": pa.array(customers["first"]).cast(pa.timestamp("us", "UTC")), "last_order_at": pa.array(customers["last"]).cast(pa.timestamp("us", "UTC")),
        "cohort_month": dates(customers.cohort), "orders": pa.array(customers.orders), "net_revenue": decimals(customers.net),
        "first_channel": pa.array(customers.channel.astype(str)), "first_country": pa.array(customers.country.astype(str))}), f"{o.out}/customers.parquet", compression="zstd")
    months = orders.groupby(["customer_id", "m"], sort=False).agg(orders=("order_id", "size"), net=("net", "sum")).reset_index()
    months = months.merge(customers[["cohort", "channel", "country", "all"]], on="customer_id")
    months["age"] = months.m - months.cohort
    for segment in ("all", "channel", "country"):
        pq.write_table(retention(months, segment), f"{o.out}/retention_{segment}.parquet")


main()
