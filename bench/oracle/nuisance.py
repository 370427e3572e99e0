"""Orders with every nuisance, drawn from a seed: versions, re-deliveries, refunds, currencies with gaps in their rates, guests, shared e-mails,
several shops and namespaces, clock changes, ties, test orders, malformed rows, shuffled columns, byte order marks."""
import csv, os, random
from datetime import date, datetime, timedelta, timezone

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
COLUMNS = ["order_id", "customer_id", "email", "ordered_at", "updated_at", "status", "currency", "gross_amount", "discount_amount", "refund_amount", "cost_amount", "channel", "country", "is_test"]
BAD = [("gross_amount", "abc"), ("gross_amount", ""), ("gross_amount", "-1.00"), ("ordered_at", "2024-13-01T00:00:00Z"), ("ordered_at", ""), ("order_id", ""), ("currency", "EURO"), ("status", "shipped"), ("discount_amount", "1.23456"), ("is_test", "maybe")]


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].rstrip("0").rstrip(".") + "Z"


def generate(folder, seed, rows=1500):
    """Writes shop-*/part-*.csv, fx.csv and cohortline.yaml; returns the settings the oracle needs."""
    r = random.Random(seed)
    s = {"zone": r.choice(ZONES), "week_start": r.choice(["monday", "sunday", "saturday"]), "drop": r.random() < 0.5, "as_of": "2025-03-31",
         "grains": r.choice([["week", "month"], ["month", "quarter", "year"], ["day"], ["day", "week", "month", "quarter", "year"]]),
         "sources": [("a", "ns1"), ("b", "ns1"), ("c", "ns2")][: r.choice([1, 2, 3])], "dimensions": ["channel", "country"]}
    first, days = datetime(2024, 12 if "day" in s["grains"] else 1, 1, tzinfo=timezone.utc), 130 if "day" in s["grains"] else 470
    people = max(20, rows // 6)
    orders = {name: [] for name, _ in s["sources"]}
    for n in range(rows):
        name = r.choice(s["sources"])[0]
        who = int(people * r.random() ** 2)
        kind = r.random()
        customer, mail = f"C{who:04d}", f"user{who % (people * 3 // 4)}@example.com"
        if kind < 0.15:
            customer = ""
        elif kind < 0.6:
            mail = ""
        elif kind < 0.65:
            customer, mail = "", ""
        if mail and r.random() < 0.3:
            mail = " " + mail.upper()
        at = first + timedelta(seconds=r.randrange(days * 86400))
        if r.random() < 0.1:
            at = r.choice([datetime(2024, 3, 31, 1, tzinfo=timezone.utc), datetime(2025, 3, 30, 0, 59, 59, tzinfo=timezone.utc), datetime(2025, 2, 28, 23, tzinfo=timezone.utc), datetime(2025, 3, 9, 6, 30, tzinfo=timezone.utc), datetime(2024, 12, 31, 22, 59, 59, 500000, tzinfo=timezone.utc)])
        gross = r.randrange(0, 50000)
        discount = r.choice([0, 0, gross // 10])
        refund, status = 0, r.choices(["paid", "PAID", "refunded", "pending", "cancelled", "failed", "fraud", "test"], [70, 5, 8, 4, 5, 3, 2, 3])[0]
        if status == "refunded":
            refund = r.choice([gross - discount, gross // 3, gross + 100])
        o = {"order_id": f"O{n}", "customer_id": customer, "email": mail, "ordered_at": iso(at), "updated_at": iso(at + timedelta(seconds=r.randrange(1, 90000))), "status": status,
             "currency": r.choices(["EUR", "usd", "GBP", "JPY"], [60, 20, 15, 5])[0], "gross_amount": f"{gross / 100:.2f}", "discount_amount": f"{discount / 100:.2f}" if discount else r.choice(["", "0"]),
             "refund_amount": f"{refund / 100:.2f}" if refund else "", "cost_amount": r.choice(["", f"{gross / 250:.4f}"]) if r.random() < 0.4 else f"{gross / 250:.4f}",
             "channel": r.choice(["web", "app", 'Größe, "XL"', ""]), "country": r.choice(["DE", "FR", "US", ""]), "is_test": r.choices(["", "false", "TRUE"], [50, 45, 5])[0]}
        versions = [o]
        while r.random() < 0.15:  # other versions: later or earlier, other amount, customer or status; some without updated_at, some equal
            v = dict(o)
            v["gross_amount"] = f"{r.randrange(0, 50000) / 100:.2f}"
            v["updated_at"] = r.choice(["", o["updated_at"], iso(at + timedelta(days=r.randrange(-3, 9)))])
            if r.random() < 0.3:
                v["customer_id"] = f"C{r.randrange(people):04d}"
            if r.random() < 0.3:
                v["status"] = r.choice(["cancelled", "paid"])
            versions.append(v)
        if r.random() < 0.05:
            versions.append(dict(o))
        if r.random() < 0.03:
            column, value = r.choice(BAD)
            versions.append({**o, "order_id": f"X{n}", column: value})
        orders[name] += versions
    sources = []
    for name, namespace in s["sources"]:
        rowsof = orders[name]
        r.shuffle(rowsof)
        os.makedirs(f"{folder}/shop-{name}")
        parts = r.choice([1, 3])
        for k in range(parts):
            columns = COLUMNS[:]
            r.shuffle(columns)
            with open(f"{folder}/shop-{name}/part-{k}.csv", "w", newline="", encoding=r.choice(["utf-8", "utf-8-sig"])) as f:
                w = csv.DictWriter(f, columns, lineterminator=r.choice(["\n", "\r\n"]))
                w.writeheader()
                w.writerows(rowsof[k::parts])
        sources.append(f"  - {{table: orders, name: {name}, namespace: {namespace}, path: shop-{name}}}")
    with open(f"{folder}/fx.csv", "w") as f:
        f.write("date,currency,rate\n")
        d = date(2023, 12, 1)
        while d < date(2025, 6, 1):
            for c, base in (("USD", 0.92), ("GBP", 1.17), ("JPY", 0.0061)):
                gap = c == "GBP" and date(2025, 1, 5) < d < date(2025, 1, 25)
                if d.weekday() < 5 and not gap and r.random() < 0.9:
                    f.write(f"{d},{c},{base * r.uniform(0.95, 1.05):.6f}\n")
            d += timedelta(days=1)
    with open(f"{folder}/cohortline.yaml", "w") as f:
        f.write(f"version: 1\nreporting: {{timezone: {s['zone']}, currency: EUR, grains: [{', '.join(s['grains'])}], week_start: {s['week_start']}}}\nsources:\n" + "\n".join(sources)
                + f"\n  - {{table: fx, name: bank, path: fx.csv}}\ndimensions: [channel, country]\npurchases: {{fully_refunded: {'drop' if s['drop'] else 'keep'}}}\nchecks: {{max_reject_share: 0.5}}\noutput: {{path: warehouse}}\n")
    return s
