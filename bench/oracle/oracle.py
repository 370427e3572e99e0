"""An independent recomputation of the metric tables, written from docs/rules.md and docs/tables: files and identity in Python, metrics in DuckDB SQL."""
import csv, glob, hashlib, os, re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo
import duckdb

STATUS = {"paid", "refunded", "pending", "cancelled", "failed", "fraud", "test"}
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Z = 1.959963984540054
EPOCH = date(1970, 1, 1)


def instant(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
        raise ValueError(text)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def amount(text):
    """Ten-thousandths, or ValueError."""
    if not re.fullmatch(r"\d+(\.\d{1,4}0*)?", text):
        raise ValueError(text)
    return int(Decimal(text) * 10000)


def conform(x):
    """The typed order of a row, or ValueError."""
    if not x["order_id"]:
        raise ValueError("order_id")
    o = {"order_id": x["order_id"], "customer": x["customer_id"], "mail": x["email"].strip().lower(), "at": instant(x["ordered_at"]),
         "updated": instant(x["updated_at"]) if x["updated_at"] else None, "status": x["status"].lower(), "currency": x["currency"].upper()}
    if o["status"] not in STATUS or not re.fullmatch("[A-Z]{3}", o["currency"]):
        raise ValueError("status or currency")
    o["gross"] = amount(x["gross_amount"])
    o["discount"], o["refund"] = (amount(x[c]) if x[c] else 0 for c in ("discount_amount", "refund_amount"))
    o["cost"] = amount(x["cost_amount"]) if x["cost_amount"] else None
    test = x.get("is_test", "").lower()
    if test not in ("", "true", "false"):
        raise ValueError("is_test")
    if test == "true":
        o["status"] = "test"
    o["channel"], o["country"] = x["channel"] or "(none)", x["country"] or "(none)"
    return o


def read_orders(folder, s):
    """The latest version of every order of every source."""
    latest, rejected = {}, 0
    for name, namespace in s["sources"]:
        for path in sorted(glob.glob(f"{folder}/shop-{name}/*.csv")):
            with open(path, newline="", encoding="utf-8-sig") as f:
                for row, x in enumerate(csv.DictReader(f), 1):
                    try:
                        o = conform(x)
                    except ValueError:
                        rejected += 1
                        continue
                    o.update(source=name, namespace=namespace, rank=(o["updated"] is not None, o["updated"] or datetime.min, os.path.basename(path), row))
                    k = (name, o["order_id"])
                    if k not in latest or o["rank"] > latest[k]["rank"]:
                        latest[k] = o
    return list(latest.values()), rejected


def convert(orders, folder, zone):
    """Amounts in reporting currency; orders without a rate at most 7 days old drop out."""
    rates = {}
    with open(f"{folder}/fx.csv") as f:
        for x in csv.DictReader(f):
            rates[x["currency"], date.fromisoformat(x["date"])] = int(Decimal(x["rate"]) * 1_000_000)
    kept = []
    for o in orders:
        o["day"] = o["at"].astimezone(zone).date()
        rate = 1_000_000 if o["currency"] == "EUR" else next((rates[o["currency"], o["day"] - timedelta(days=n)] for n in range(8) if (o["currency"], o["day"] - timedelta(days=n)) in rates), None)
        if rate is None:
            continue
        full = o["refund"] == o["gross"] - o["discount"]
        for c in ("gross", "discount", "refund", "cost"):
            if o[c] is not None:
                o[c] = int((Decimal(o[c]) * rate / 1_000_000).to_integral_value("ROUND_HALF_EVEN"))
        if full:
            o["refund"] = o["gross"] - o["discount"]
        o["net"] = o["gross"] - o["discount"] - o["refund"]
        kept.append(o)
    return kept


def identify(orders, several):
    """Connected components over ids and e-mails; sets who to the published id, None for nobody."""
    parent = {}

    def find(x):
        parent.setdefault(x, x)
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    nodes = lambda o: ([("id", o["namespace"], o["customer"])] if o["customer"] else []) + ([("mail", o["mail"])] if o["mail"] else [])
    for o in orders:
        for a in nodes(o):
            parent[find(a)] = find(nodes(o)[0])
    groups = {}
    for x in parent:
        groups.setdefault(find(x), []).append(x)
    names = {}
    for root, members in groups.items():
        ids = sorted((m[1].encode(), m[2].encode()) for m in members if m[0] == "id")
        if ids:
            namespace, customer = (b.decode() for b in ids[0])
            names[root] = f"{namespace}:{customer}" if several else customer
        else:
            names[root] = "e-" + hashlib.sha256(members[0][1].encode()).hexdigest()[:32]
    for o in orders:
        o["who"] = names[find(nodes(o)[0])] if nodes(o) else None


def compute(folder, s):
    """All metric tables as a dict of DuckDB queries on one connection: (connection, {table: sql})."""
    zone = ZoneInfo(s["zone"])
    a = datetime.fromisoformat(s["as_of"]).replace(tzinfo=zone)
    orders, _ = read_orders(folder, s)
    orders = [o for o in convert(orders, folder, zone) if o["at"] < a]
    identify(orders, len({n for _, n in s["sources"]}) > 1)
    bought = [o for o in orders if o["who"] and o["status"] in ("paid", "refunded") and not (s["drop"] and o["refund"] > 0 and o["net"] <= 0)]
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'; SET threads=2")
    con.execute("CREATE TABLE p(who VARCHAR, ts BIGINT, source VARCHAR, oid VARCHAR, day INT, gross HUGEINT, discount HUGEINT, refund HUGEINT, net HUGEINT, cost HUGEINT, channel VARCHAR, country VARCHAR)")
    micros = lambda t: (t - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
    if bought:
        con.executemany("INSERT INTO p VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", [[o["who"], micros(o["at"]), o["source"], o["order_id"], (o["day"] - EPOCH).days, o["gross"], o["discount"], o["refund"], o["net"], o["cost"], o["channel"], o["country"]] for o in bought])
    asof = (a.date() - EPOCH).days
    last = ((a.astimezone(timezone.utc) - timedelta(microseconds=1)).astimezone(zone).date() - EPOCH).days
    week = (DAYS.index(s["week_start"]) - 3) % 7  # 1970-01-01 was a Thursday
    grains = ",".join(f"('{g}')" for g in s["grains"])
    for sql in BASE.replace("$asof", str(asof)).replace("$last", str(last)).replace("$week", str(week)).replace("$grains", grains).split(";\n"):
        if sql.strip():
            con.execute(sql)
    return con, {t: q.replace("$asof", str(asof)).replace("$last", str(last)) for t, q in TABLES.items()}


BASE = """
CREATE MACRO d(n) AS DATE '1970-01-01' + n::INT;
CREATE MACRO fdiv(a, b) AS floor(a::DOUBLE / b)::INT;
CREATE MACRO idx(g, n) AS CASE g WHEN 'day' THEN n WHEN 'week' THEN fdiv(n - $week, 7) WHEN 'month' THEN year(d(n))*12 + month(d(n)) - 1 WHEN 'quarter' THEN year(d(n))*4 + quarter(d(n)) - 1 ELSE year(d(n)) END::INT;
CREATE MACRO starts(g, i) AS CASE g WHEN 'day' THEN d(i) WHEN 'week' THEN d(i*7 + $week) WHEN 'month' THEN make_date((i // 12)::INT, (i % 12 + 1)::INT, 1) WHEN 'quarter' THEN make_date((i // 4)::INT, (i % 4 * 3 + 1)::INT, 1) ELSE make_date(i::INT, 1, 1) END;
CREATE MACRO ended(g, i) AS starts(g, i + 1) <= d($asof);
CREATE MACRO money(x) AS (x::DECIMAL(38,0) / 10000)::DECIMAL(38,4);
CREATE MACRO rate(x, n) AS CASE WHEN n = 0 THEN NULL ELSE x::DOUBLE / n::DOUBLE END;
CREATE MACRO lo(x, n) AS CASE WHEN n = 0 THEN NULL ELSE greatest(0, (x::DOUBLE/n + 3.841458820694124/(2*n) - 1.959963984540054*sqrt(x::DOUBLE/n*(1 - x::DOUBLE/n)/n + 3.841458820694124/(4.0*n*n)))/(1 + 3.841458820694124/n)) END;
CREATE MACRO hi(x, n) AS CASE WHEN n = 0 THEN NULL ELSE least(1, (x::DOUBLE/n + 3.841458820694124/(2*n) + 1.959963984540054*sqrt(x::DOUBLE/n*(1 - x::DOUBLE/n)/n + 3.841458820694124/(4.0*n*n)))/(1 + 3.841458820694124/n)) END;
CREATE TABLE grains(grain VARCHAR);
INSERT INTO grains VALUES $grains;
CREATE TABLE od AS SELECT who, day, count(*) orders, sum(gross) gross, sum(discount) discount, sum(refund) refund, sum(net) net, sum(cost) cost, count(*) - count(cost) unknown FROM p GROUP BY ALL;
CREATE TABLE c AS SELECT who, min(day) f, max(day) l, arg_min(channel, (ts, source, oid)) channel, arg_min(country, (ts, source, oid)) country, min(ts) first_at, max(ts) last_at FROM p GROUP BY who;
CREATE TABLE seg AS SELECT who, f, 'all' dimension, 'all' segment FROM c UNION ALL SELECT who, f, 'channel', channel FROM c UNION ALL SELECT who, f, 'country', country FROM c;
CREATE TABLE per AS SELECT grain, who, idx(grain, day) i, sum(orders) orders, sum(net) net, sum(cost) cost, sum(unknown) unknown FROM od, grains GROUP BY ALL;
CREATE TABLE coh AS SELECT grain, dimension, segment, idx(grain, f) cohort, who, f FROM seg, grains;
CREATE TABLE size AS SELECT grain, dimension, segment, cohort, count(*) n FROM coh GROUP BY ALL;
CREATE TABLE cal AS SELECT grain, dimension, segment, cohort, i - cohort age, count(*) active, sum(orders) orders, sum(net) net, sum(cost) cost, sum(unknown) unknown FROM coh JOIN per USING (grain, who) GROUP BY ALL;
CREATE TABLE reach AS SELECT grain, dimension, segment, cohort, max(i) - cohort m FROM coh JOIN per USING (grain, who) GROUP BY grain, dimension, segment, cohort, who;
CREATE TABLE dense AS SELECT grain, dimension, segment, cohort, n, unnest(range(0, idx(grain, $last) - cohort + 1))::INT age FROM size;
CREATE TABLE win AS SELECT *, CASE grain WHEN 'day' THEN 1 WHEN 'week' THEN 7 ELSE 30 END len FROM coh WHERE grain IN ('day', 'week', 'month');
CREATE TABLE wper AS SELECT grain, dimension, segment, cohort, who, fdiv($asof - f, len) full_windows, fdiv(day - f, len) age, sum(orders) orders, sum(net) net FROM win JOIN od USING (who) GROUP BY ALL;
CREATE TABLE wsize AS SELECT grain, dimension, segment, cohort, count(*) n, max(fdiv($asof - f, len)) w FROM win GROUP BY ALL;
CREATE TABLE wdense AS SELECT grain, dimension, segment, cohort, n, unnest(range(0, w))::INT age FROM wsize;
CREATE TABLE welig AS SELECT x.grain, x.dimension, x.segment, x.cohort, x.age, count(*) eligible FROM wdense x JOIN win y ON (x.grain, x.dimension, x.segment, x.cohort) = (y.grain, y.dimension, y.segment, y.cohort) AND fdiv($asof - y.f, y.len) > x.age GROUP BY ALL;
CREATE TABLE wact AS SELECT grain, dimension, segment, cohort, age, count(*) active, sum(orders) orders, sum(net) net FROM wper WHERE age < full_windows GROUP BY ALL;
CREATE TABLE wlast AS SELECT grain, dimension, segment, cohort, who, least(max(age), any_value(full_windows) - 1) m FROM wper GROUP BY ALL;
CREATE TABLE wret AS SELECT x.grain, x.dimension, x.segment, x.cohort, x.age, count(*) returned FROM wdense x JOIN wlast y ON (x.grain, x.dimension, x.segment, x.cohort) = (y.grain, y.dimension, y.segment, y.cohort) AND y.m >= x.age GROUP BY ALL;
CREATE TABLE ret AS SELECT x.grain, x.dimension, x.segment, x.cohort, x.age, count(*) returned FROM dense x JOIN reach y ON (x.grain, x.dimension, x.segment, x.cohort) = (y.grain, y.dimension, y.segment, y.cohort) AND y.m >= x.age GROUP BY ALL;
CREATE TABLE r AS SELECT grain, cohort, dimension, segment, 'calendar' index_kind, age, n, n eligible, coalesce(active, 0) active, coalesce(returned, 0) returned, coalesce(orders, 0) orders, coalesce(net, 0) net, ended(grain, cohort + age) done
  FROM dense LEFT JOIN cal USING (grain, dimension, segment, cohort, age) LEFT JOIN ret USING (grain, dimension, segment, cohort, age)
  UNION ALL SELECT grain, cohort, dimension, segment, 'age', age, n, eligible, coalesce(active, 0), coalesce(returned, 0), coalesce(orders, 0), coalesce(net, 0), eligible = n
  FROM wdense JOIN welig USING (grain, dimension, segment, cohort, age) LEFT JOIN wact USING (grain, dimension, segment, cohort, age) LEFT JOIN wret USING (grain, dimension, segment, cohort, age);
CREATE TABLE gaps AS SELECT who, day, row_number() OVER w k, lead(day) OVER w - day gap FROM od WINDOW w AS (PARTITION BY who ORDER BY day);
CREATE TABLE life AS SELECT grain, who, i, CASE WHEN lag(i) OVER w IS NULL THEN 'new' WHEN lag(i) OVER w = i - 1 THEN 'returning' ELSE 'resurrected' END state, orders, net, cost, unknown, i - min(i) OVER (PARTITION BY grain, who) age FROM per WINDOW w AS (PARTITION BY grain, who ORDER BY i);
CREATE TABLE lifeseg AS SELECT grain, dimension, segment, i, count(*) active, count(*) FILTER (state = 'new') fresh, count(*) FILTER (state = 'returning') again, count(*) FILTER (state = 'resurrected') resurrected FROM life JOIN seg USING (who) GROUP BY ALL;
CREATE TABLE lifedense AS SELECT grain, dimension, segment, unnest(range(min(cohort), idx(grain, $last) + 1))::INT i FROM size GROUP BY grain, dimension, segment;
CREATE TABLE dur AS SELECT dimension, segment, coalesce(gap, $last - f)::INT t, gap IS NOT NULL happened FROM seg JOIN gaps USING (who) WHERE k = 1;
"""

TABLES = {
    "customers": """SELECT who customer_id, first_at first_order_at, last_at last_order_at, starts('week', idx('week', f)) cohort_week, starts('month', idx('month', f)) cohort_month,
      starts('quarter', idx('quarter', f)) cohort_quarter, o.orders, dd order_days, mm active_months, money(o.gross) gross_revenue, money(o.discount) discounts, money(o.refund) refunds, money(o.net) net_revenue,
      CASE WHEN unknown = 0 THEN money(o.net - o.cost) END margin, dd - 1 frequency, l - f recency_days, $last - f age_days, CASE WHEN dd > 1 THEN later::DOUBLE / ((dd - 1) * 10000) END monetary_value, channel first_channel, country first_country
      FROM c JOIN (SELECT who, sum(orders) orders, count(*) dd, count(DISTINCT idx('month', day)) mm, sum(gross) gross, sum(discount) discount, sum(refund) refund, sum(net) net, sum(cost) cost, sum(unknown) unknown, sum(net) FILTER (day > f) later
      FROM od JOIN (SELECT who, f FROM c) USING (who) GROUP BY who) o USING (who)""",
    "customer_periods": "SELECT who customer_id, grain, starts(grain, i) period, orders, money(net) net_revenue, CASE WHEN unknown = 0 THEN money(net - cost) END margin, age, state lifecycle FROM life",
    "cohorts": "SELECT grain, starts(grain, cohort) cohort, dimension, segment, any_value(n) customers, sum(orders) orders, money(sum(net)) net_revenue, ended(grain, cohort) is_complete FROM size JOIN cal USING (grain, dimension, segment, cohort) GROUP BY grain, cohort, dimension, segment",
    "cohort_retention": """SELECT grain, starts(grain, cohort) cohort, dimension, segment, index_kind, age, n cohort_customers, eligible eligible_customers, active active_customers, returned returned_customers, orders, money(net) net_revenue,
      rate(active, eligible) retention_rate, lo(active, eligible) retention_low, hi(active, eligible) retention_high, rate(returned, eligible) unbounded_rate, 1 - rate(returned, eligible) churn_rate, done is_complete FROM r""",
    "retention_curves": """SELECT grain, dimension, segment, index_kind, age, count(*) cohorts, sum(eligible) eligible_customers, sum(active) active_customers, rate(sum(active), sum(eligible)) retention_rate, lo(sum(active), sum(eligible)) retention_low, hi(sum(active), sum(eligible)) retention_high
      FROM r WHERE CASE index_kind WHEN 'calendar' THEN done ELSE eligible > 0 END GROUP BY grain, dimension, segment, index_kind, age""",
    "cohort_ltv": """SELECT grain, starts(grain, cohort) cohort, dimension, segment, age, n cohort_customers, sum(coalesce(orders, 0)) OVER w cumulative_orders, money(sum(coalesce(net, 0)) OVER w) cumulative_net_revenue,
      CASE WHEN sum(coalesce(unknown, 0)) OVER w = 0 THEN money(sum(coalesce(net, 0) - coalesce(cost, 0)) OVER w) END cumulative_margin, (sum(coalesce(net, 0)) OVER w)::DOUBLE / (n * 10000) ltv,
      CASE WHEN sum(coalesce(unknown, 0)) OVER w = 0 THEN (sum(coalesce(net, 0) - coalesce(cost, 0)) OVER w)::DOUBLE / (n * 10000) END ltv_margin, ended(grain, cohort + age) is_complete
      FROM dense LEFT JOIN cal USING (grain, dimension, segment, cohort, age) WINDOW w AS (PARTITION BY grain, cohort, dimension, segment ORDER BY age)""",
    "lifecycle": """SELECT x.grain, starts(x.grain, x.i) period, x.dimension, x.segment, coalesce(y.active, 0) active_customers, coalesce(fresh, 0) new_customers, coalesce(again, 0) returning_customers, coalesce(resurrected, 0) resurrected_customers,
      lag(coalesce(y.active, 0), 1, 0) OVER w - coalesce(again, 0) dormant_customers, rate(coalesce(fresh, 0) + coalesce(resurrected, 0), lag(coalesce(y.active, 0), 1, 0) OVER w - coalesce(again, 0)) quick_ratio, ended(x.grain, x.i) is_complete
      FROM lifedense x LEFT JOIN lifeseg y ON (x.grain, x.dimension, x.segment, x.i) = (y.grain, y.dimension, y.segment, y.i) WINDOW w AS (PARTITION BY x.grain, x.dimension, x.segment ORDER BY x.i)""",
    "repeat_purchases": """SELECT dimension, segment, k order_number, count(*) customers, count(gap) next_customers, rate(count(gap), count(*)) repeat_rate, quantile_cont(gap::DOUBLE, 0.5) median_days, quantile_cont(gap::DOUBLE, 0.9) p90_days
      FROM gaps JOIN seg USING (who) GROUP BY dimension, segment, k""",
    "survival_curves": """WITH span AS (SELECT dimension, segment, unnest(range(0, max(t) + 1))::INT AS "day" FROM dur GROUP BY dimension, segment),
      n AS (SELECT x.dimension, x.segment, x."day", count(*) FILTER (t >= x."day") at_risk, count(*) FILTER (t = x."day" AND happened) events, count(*) FILTER (t = x."day" AND NOT happened) censored FROM span x JOIN dur y ON (x.dimension, x.segment) = (y.dimension, y.segment) GROUP BY ALL),
      k AS (SELECT *, min(CASE WHEN events = at_risk THEN 0 ELSE 1 END) OVER w alive, exp(sum(CASE WHEN events < at_risk THEN ln(1 - events::DOUBLE / at_risk) ELSE 0 END) OVER w) s, sum(CASE WHEN events < at_risk THEN events::DOUBLE / (at_risk::DOUBLE * (at_risk - events)) ELSE 0 END) OVER w v, sum(events) OVER w e FROM n WINDOW w AS (PARTITION BY dimension, segment ORDER BY "day"))
      SELECT dimension, segment, 'second_purchase' event, "day", at_risk, events, censored, CASE WHEN alive = 0 THEN 0 WHEN e = 0 THEN 1 ELSE s END survival,
      CASE WHEN alive = 0 THEN NULL WHEN e = 0 THEN 1 ELSE exp(-exp(ln(-ln(s)) + 1.959963984540054 * sqrt(v) / abs(ln(s)))) END survival_low, CASE WHEN alive = 0 THEN NULL WHEN e = 0 THEN 1 ELSE exp(-exp(ln(-ln(s)) - 1.959963984540054 * sqrt(v) / abs(ln(s)))) END survival_high FROM k""",
}
