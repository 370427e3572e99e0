"""Compare what pyarrow, DuckDB and Polars read from every <name>.parquet of a folder with <name>.json, the columns as texts.

Dates are days and instants microseconds since 1970, doubles the hexadecimal digits of their bits, null is null.
"""
import glob, json, struct, sys
import duckdb, polars as pl, pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq

duckdb.sql("SET TimeZone='UTC'")
TYPES = ["string", "string", "int64", "int64", "double", "double", "bool", "bool", "date32[day]", "date32[day]",
         "timestamp[us, tz=UTC]", "timestamp[us, tz=UTC]", "decimal128(28, 4)", "decimal128(28, 4)", "decimal128(18, 4)", "decimal128(18, 4)"]


def texts(column):
    t = str(column.type)
    if t.startswith("date32"):
        column = column.cast(pa.int32())
    elif t.startswith("timestamp"):
        column = column.cast(pa.int64())
    for v in column.to_pylist():
        if v is None:
            yield None
        elif t == "double":
            yield struct.pack(">d", v).hex()
        elif t == "bool":
            yield str(v).lower()
        else:
            yield format(v, "f") if t.startswith("decimal") else str(v)


def same(file, reader, table, want, types):
    assert [str(x) for x in table.schema.types] == types, (file, reader, table.schema)
    for name, column, expected in zip(table.column_names, table.columns, want):
        got = list(texts(column))
        assert len(got) == len(expected or []), (file, reader, name, len(got))
        for i, (g, e) in enumerate(zip(got, expected or [])):
            assert g == e, (file, reader, name, i, g, e)


def filters(file, table):
    """Rows from the middle value on, and rows below it: bounds that are wrong hide some of them."""
    for name in table.column_names:
        column = table[name]
        if "flag" in name or column.null_count == len(column):
            continue
        middle = pc.take(column.drop_null(), [len(column.drop_null()) // 2])[0]
        v = middle.as_py()
        for op, compare, sql in ((">=", pc.greater_equal, ">="), ("<", pc.less, "<"), ("==", pc.equal, "=")):
            n = pc.sum(compare(column, middle)).as_py()
            f = pl.col(name)
            f = f >= v if op == ">=" else f < v if op == "<" else f == v
            got = (pq.read_table(file, filters=[(name, op, v)], columns=[name]).num_rows,
                   duckdb.execute(f'SELECT count(*) FROM read_parquet(?) WHERE "{name}" {sql} ?::{duckdb_type(column.type)}', [file, str(v) if "decimal" in str(column.type) else v]).fetchall()[0][0],
                   pl.scan_parquet(file).filter(f).select(pl.len()).collect().item())
            assert got == (n, n, n), (file, name, op, v, got, n)


def duckdb_type(t):
    t = str(t)
    return {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "date32[day]": "DATE", "timestamp[us, tz=UTC]": "TIMESTAMPTZ"}.get(t, t.replace("decimal128", "DECIMAL"))


files = sorted(glob.glob(sys.argv[1] + "/*.parquet"))
for file in files:
    with open(file.replace(".parquet", ".json")) as f:
        want = json.load(f)
    arrow = pq.ParquetFile(file, page_checksum_verification=True).read()
    same(file, "pyarrow", arrow, want, TYPES)
    d = duckdb.sql("SELECT * FROM read_parquet($file)", params={"file": file}).arrow()
    d = d.read_all() if hasattr(d, "read_all") else d  # the type depends on the version
    same(file, "DuckDB", d.cast(arrow.schema), want, TYPES)
    same(file, "Polars", pl.read_parquet(file).to_arrow().cast(arrow.schema), want, TYPES)
    if arrow.num_rows:
        filters(file, arrow)
print(len(files), "files read alike")
