#!/usr/bin/env python3
"""Orders for the job of peers/JOB.md, 3 % of which come again.

  data.py --orders 10000000 --out DIR [--format parquet|csv|jsonl] [--files N] [--repeated 0.03] [--unordered]

Half of the rows that come again are exact re-deliveries, the others another version: 5 % of those are older than what came before, 2 % belong to another
customer. Orders come roughly in the order of time, or with --unordered in none. Few customers buy often and many once. A file is a function of its number and the number of orders, so the same options give the same rows.
"""
import argparse, os, shutil
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FIRST, LAST = 1_667_257_200, 1_793_746_800  # 2022-11-01 to three days after the as-of instant, local midnights as seconds UTC
STATUSES = ["paid", "refunded", "cancelled", "pending"]
CHANNELS = ["organic", "paid_search", "paid_social", "email", "affiliate", "direct", "referral", "marketplace"]
COUNTRIES = "DE AT CH FR NL BE LU IT ES PT PL CZ SK HU RO BG GR HR SI DK SE NO FI EE LV LT IE GB US CA".split()
PRODUCTS = [f"Product {i:03d}" for i in range(180)] + [f"Mug, blue {i}" for i in range(10)] + [f'Poster 24" no. {i}' for i in range(10)]


def digits(prefix, width, numbers):
    """Texts of a prefix and a number with leading zeros, without a Python loop."""
    n, k = len(numbers), len(prefix)
    m = np.empty((n, k + width), dtype=np.uint8)
    m[:, :k] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    v = numbers.astype(np.int64)
    for at in range(k + width - 1, k - 1, -1):
        m[:, at] = v % 10 + 48
        v = v // 10
    offsets = np.arange(0, (n + 1) * (k + width), k + width, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), n, [None, pa.py_buffer(offsets), pa.py_buffer(m)])


def words(values, codes, none=None):
    """One of a few words a row; none says which rows have none."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int16(), mask=none), pa.array(values)).cast(pa.string())


def money(units, none=None):
    """Ten-thousandths as DECIMAL(18,4)."""
    wide = np.zeros((len(units), 2), dtype=np.int64)
    wide[:, 0], wide[:, 1] = units, units >> 63
    a = pa.Array.from_buffers(pa.decimal128(18, 4), len(units), [None, pa.py_buffer(wide)])
    return a if none is None else pc.if_else(pa.array(none), pa.scalar(None, a.type), a)


def part(k, files, orders, repeated, unordered=False):
    """The rows of one file as a table."""
    r = np.random.default_rng([k, orders])
    low, high = orders * k // files, orders * (k + 1) // files
    n, customers = high - low, max(10, orders // 4)
    number = np.arange(low, high)
    buyer = (customers * r.random(n) ** 1.8).astype(np.int64) * 2_654_435_761 % 4_294_967_291
    at = FIRST + ((number + 50 * r.random(n)) / (orders + 50) * (LAST - FIRST)).astype(np.int64)
    if unordered:
        at = FIRST + (np.random.default_rng([k, orders, 2]).random(n) * (LAST - FIRST)).astype(np.int64)
    updated = at + (r.exponential(2.0, n) * 86_400).astype(np.int64)
    status = r.choice(4, n, p=[0.86, 0.06, 0.05, 0.03])
    gross = (np.exp(r.normal(3.6, 0.7, n)) * 100).astype(np.int64) * 100
    discount = np.where(r.random(n) < 0.3, gross // 1000 * r.integers(1, 4, n), 0) // 100 * 100 * 10
    refund = np.where(status == 1, np.where(r.random(n) < 0.5, gross - discount, gross // 200 * 100), 0)
    again = np.flatnonzero(r.random(n) < repeated)
    row = np.concatenate([np.arange(n), again])
    version = np.zeros(len(row), dtype=bool)
    version[n:] = r.random(len(again)) < 0.5
    changed = np.flatnonzero(version)
    number, buyer, at, updated, status, gross, discount, refund = (c[row] for c in (number, buyer, at, updated, status, gross, discount, refund))
    older = r.random(len(changed)) < 0.05
    updated[changed] += np.where(older, -1, 1) * r.integers(3_600, 30 * 86_400, len(changed))
    status[changed] = r.choice(4, len(changed), p=[0.5, 0.3, 0.19, 0.01])
    refund[changed] = np.where(status[changed] == 1, gross[changed] - discount[changed], 0)
    moved = changed[r.random(len(changed)) < 0.02]
    buyer[moved] = buyer[r.integers(0, n, len(moved))]
    s = np.random.default_rng([k, orders, 1])
    pick = lambda size: s.integers(0, size, n)[row]
    share = lambda limit: (s.random(n) < limit)[row]
    table = pa.table({
        "order_id": digits("", 13, 5_000_000_000_000 + number * 37), "customer_id": digits("c-", 10, buyer), "email": digits("u", 10, buyer),
        "ordered_at": pa.array(at * 1_000_000, pa.timestamp("us", "UTC")), "updated_at": pa.array(updated * 1_000_000, pa.timestamp("us", "UTC")),
        "status": words(STATUSES, status), "currency": words(["EUR"], np.zeros(len(row), dtype=np.int16)), "gross_amount": money(gross), "discount_amount": money(discount),
        "refund_amount": money(refund), "tax_amount": money(gross // 5), "shipping_amount": money(np.full(len(row), 49_000)), "cost_amount": money(gross * 55 // 100, share(0.2)),
        "channel": words(CHANNELS, pick(8), share(0.03)), "country": words(COUNTRIES, (30 * s.random(n)[row] ** 2).astype(np.int16), share(0.02)),
        "coupon": words([f"SAVE{i:02d}" for i in range(40)], pick(40), share(0.8)), "product": words(PRODUCTS, pick(200)),
    })
    place = np.concatenate([np.arange(n), r.integers(0, n, len(again))])  # a repetition stands anywhere in the file
    return table.take(pa.array(np.argsort(place, kind="stable")))


def write(table, path, form):
    if form == "parquet":
        few = ["status", "currency", "channel", "country", "coupon", "product"]
        return pq.write_table(table, path, compression="zstd", compression_level=3, use_dictionary=few, row_group_size=250_000, store_decimal_as_integer=True)
    texts = table
    for name in ("ordered_at", "updated_at"):
        texts = texts.set_column(texts.schema.get_field_index(name), name, pc.strftime(table[name].cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%SZ"))
    for name in [n for n in table.column_names if n.endswith("_amount")]:
        texts = texts.set_column(texts.schema.get_field_index(name), name, table[name].cast(pa.string()))
    frame = texts.to_pandas()
    if form == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--orders", type=int, required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--format", choices=["parquet", "csv", "jsonl"], default="parquet")
    p.add_argument("--files", type=int, help="default: 8, or as many as hold 6.25 M orders each")
    p.add_argument("--unordered", action="store_true", help="times in no order")
    p.add_argument("--repeated", type=float, default=0.03)
    o = p.parse_args()
    files = o.files or max(8, -(-o.orders // 6_250_000))  # a file is made in memory
    making = o.out.rstrip("/") + ".making"
    shutil.rmtree(making, ignore_errors=True)
    os.makedirs(making)
    for k in range(files):
        write(part(k, files, o.orders, o.repeated, o.unordered), os.path.join(making, f"orders-{k:03d}.{o.format}"), o.format)
    os.rename(making, o.out)
