#!/usr/bin/env python3
"""Fit the same customers with cohortline, lifetimes and pymc-marketing (MAP), in turn, and write RESULTS-ltv.md.

  ltv.py --write                                   CDNOW, 100,000 and 1,000,000 simulated customers
  ltv.py --lifetimes PYTHON --pymc PYTHON          interpreters that have them; requirements-ltv.txt has the versions

Timed is what all of them do: from columns in memory to a fitted model, the probability to be alive and the expected purchases in a year
of every customer. Start, imports and reading are left out, and so is what pymc-marketing compiles, by a fit that is not counted.
The log-likelihoods of all are computed from their parameters by lifetimes' own functions; some of its parameters give no number.
"""
import argparse, datetime, json, os, platform, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
MODELS = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}
NAMES = {"lifetimes": {"bg_nbd": "BetaGeoFitter", "mbg_nbd": "ModifiedBetaGeoFitter", "pareto_nbd": "ParetoNBDFitter"},
         "pymc": {"bg_nbd": "BetaGeoModel", "mbg_nbd": "ModifiedBetaGeoModel", "pareto_nbd": "ParetoNBDModel"}}
YEAR = 52  # weeks


def columns(path):
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pandas()


def report(parameters, start, used, expected, alive):
    print(json.dumps({"parameters": [float(v) for v in parameters], "seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - used,
                      "expected": float(expected), "alive": float(alive)}))


def lifetimes(model, path):
    import lifetimes as lt

    d = columns(path)
    start, used = time.perf_counter(), time.process_time()
    m = getattr(lt, NAMES["lifetimes"][model])()
    m.fit(d.frequency, d.recency, d.age)
    expected = m.conditional_expected_number_of_purchases_up_to_time(YEAR, d.frequency, d.recency, d.age)
    alive = m.conditional_probability_alive(d.frequency, d.recency, d.age)
    report(m.params_, start, used, expected.sum(), alive.sum())


def pymc(model, path):
    from pymc_marketing import clv

    d = columns(path).rename(columns={"age": "T"})
    kind = getattr(clv, NAMES["pymc"][model])
    kind(d.head(1000)).fit(method="map", progressbar=False)
    start, used = time.perf_counter(), time.process_time()
    m = kind(d)
    m.fit(method="map", progressbar=False)
    expected, alive = m.expected_purchases(d, future_t=YEAR), m.expected_probability_alive(d)
    fitted = m.idata.posterior
    report([fitted[v].values.ravel()[0] for v in (["r", "alpha", "s", "beta"] if model == "pareto_nbd" else ["r", "alpha", "a", "b"])], start, used, expected.sum(), alive.sum())


def score(model, path):
    """Prints the log-likelihood of each list of parameters on standard input."""
    import lifetimes as lt
    import numpy as np

    d = columns(path)
    x, tx, t = d.frequency.to_numpy(), d.recency.to_numpy(), d.age.to_numpy()
    fitter = getattr(lt, NAMES["lifetimes"][model])
    for p in json.load(sys.stdin):
        if model == "pareto_nbd":
            print(float(fitter._conditional_log_likelihood(np.array(p), x, tx, t).sum()))
        else:
            print(float(-len(x) * fitter._negative_log_likelihood(np.log(p), x, tx, t, np.ones(len(x)), 0)))


def simulate(n, path):
    """Customers of BG/NBD at the estimates of CDNOW, first purchases spread over two years, dates by the day."""
    import numpy as np

    g = np.random.default_rng(1)
    r, alpha, a, b = 0.2425945, 4.4136024, 0.7929221, 2.4259069
    rate, lost, age = g.gamma(r, 1 / alpha, n), g.beta(a, b, n), g.integers(0, 730, n)
    now, last, count, at = np.zeros(n), np.zeros(n, int), np.zeros(n, int), np.arange(n)
    while len(at):
        with np.errstate(divide="ignore"):
            now[at] += 7 * g.exponential(size=len(at)) / rate[at]
        day = np.floor(np.minimum(now[at], 1e6)).astype(int)
        at, day = at[day <= age[at]], day[day <= age[at]]
        new = at[day > last[at]]
        count[new] += 1
        last[new] = day[day > last[at]]
        at = at[g.random(len(at)) >= lost[at]]
    write(path, count, last / 7, age / 7)


def cdnow(path):
    """The calibration of the CDNOW sample, weeks rounded to two decimals, as lifetimes ships it."""
    import csv

    import numpy as np

    file = os.path.join(os.environ.get("COHORTLINE_REALDATA", os.path.join(ROOT, "..", "shared", "data")), "cdnow", "cdnow_customers_summary.csv")
    with open(file) as f:
        rows = np.array([r[1:4] for r in list(csv.reader(f))[1:]], float)
    write(path, rows[:, 0].astype(int), rows[:, 1], rows[:, 2])


def write(path, x, tx, t):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"customer_id": [f"c{i:07}" for i in range(len(x))], "frequency": x, "recency": tx, "age": t}), path)


def call(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout


def whole(binary, model, path, out):
    """CPU seconds of `cohortline ltv fit` as a process: start, reading, intervals and the file of predictions included."""
    command = [binary, "ltv", "fit", path, "--unit", "weeks", "--model", model, "--horizon", f"{YEAR} weeks", "--out", out, "--quiet", "--result-file", out + ".json"]
    quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    _, status, used = os.wait4(os.posix_spawnp(command[0], command, os.environ, file_actions=quiet), 0)
    if status:
        raise RuntimeError(" ".join(command))
    return used.ru_utime + used.ru_stime


def measure(o, model, customers, path, runs):
    """Adds a round to the runs by contestant: the medians count. Left out is what takes hours."""
    command = {"cohortline": [o.ltvfit, model, path], "lifetimes": [o.lifetimes, __file__, "--peer", "lifetimes", model, path],
               "pymc-marketing": [o.pymc, __file__, "--peer", "pymc", model, path]}
    if model == "pareto_nbd" and customers > 2357:
        del command["pymc-marketing"]
        if customers > 100_000:
            del command["lifetimes"]
    for k, c in command.items():
        r = json.loads(call(c).splitlines()[-1])
        print(f"  {model} {customers:,} {k}: {r['seconds']:.3f} s", file=sys.stderr, flush=True)
        if k == "cohortline":
            r["process"] = whole(o.binary, model, path, os.path.join(o.work, "predictions.parquet"))
        runs.setdefault(k, []).append(r)


def table(o, model, customers, path, runs):
    """The rows of a model and a number of customers. No time counts when somebody's log-likelihood is better than ours."""
    scores = call([o.lifetimes, __file__, "--score", model, path], input=json.dumps([r[0]["parameters"] for r in runs.values()])).split()
    scores = [float(s) for s in scores]
    best, ours = max(s for s in scores if s == s), scores[list(runs).index("cohortline")]
    if not ours >= best - 1e-9 * abs(best):
        sys.exit(f"{model}, {customers:,} customers: the log-likelihood {ours} is below {best}: its time does not count")
    middle = lambda k, column: statistics.median(r[column] for r in runs[k])
    for k, likelihood in zip(runs, scores):
        ratio = "" if k == "cohortline" else f"{middle(k, 'seconds') / middle('cohortline', 'seconds'):,.0f} ×"
        process = f"{middle(k, 'process'):.2f}" if k == "cohortline" else ""
        yield (f"| {MODELS[model]} | {customers:,} | {k} | {len(runs[k])} | {middle(k, 'seconds'):.3f} | {middle(k, 'cpu_seconds'):.3f} | {ratio} | {f'{likelihood:.4f}' if likelihood == likelihood else 'no number'} |"
               f" {runs[k][0]['expected']:,.1f} | {process} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", default=os.path.join(ROOT, "bin", "bench"), help="folder for data and binaries")
    p.add_argument("--lifetimes", default=sys.executable, help="interpreter that has lifetimes")
    p.add_argument("--pymc", default=sys.executable, help="interpreter that has pymc-marketing")
    p.add_argument("--customers", type=int, nargs="*", default=[2357, 100_000, 1_000_000], help="2357: CDNOW; others are simulated")
    p.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    p.add_argument("--runs", type=int, default=3, help="rounds to add to those of earlier calls; 0: only make the table")
    p.add_argument("--built", action="store_true", help="use the binaries of an earlier call")
    p.add_argument("--write", action="store_true", help="write RESULTS-ltv.md beside this script")
    o = p.parse_args()
    os.makedirs(o.work, exist_ok=True)
    for name, package in (("ltvfit", "./bench/ltvfit"), ("binary", "./cmd/cohortline")):
        setattr(o, name, os.path.join(o.work, name))
        if not o.built:
            subprocess.run(["go", "build", "-trimpath", "-o", getattr(o, name), package], cwd=ROOT, check=True, env={**os.environ, "CGO_ENABLED": "0"})
    store, runs = os.path.join(o.work, "ltv-runs.json"), {}
    if os.path.exists(store):
        with open(store) as f:
            runs = json.load(f)
    for n in o.customers:
        path = os.path.join(o.work, f"customers-{n}.parquet")
        if not os.path.exists(path):
            cdnow(path) if n == 2357 else simulate(n, path)
    for _ in range(o.runs):
        for model in o.models:
            for n in o.customers:
                measure(o, model, n, os.path.join(o.work, f"customers-{n}.parquet"), runs.setdefault(f"{model} {n}", {}))
                with open(store, "w") as f:
                    json.dump(runs, f)
    if o.write:
        results(o, runs)


def results(o, runs):
    """Writes RESULTS-ltv.md."""
    versions = [call([python, "-c", f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {names}))"]).strip()
                for python, names in ((o.lifetimes, ["lifetimes", "numpy", "scipy"]), (o.pymc, ["pymc-marketing", "pymc", "pytensor"]))]
    go = call(["go", "version"]).split()[2]
    lines = ["# Results: models of lifetime value", "",
             f"Written by `bench/ltv.py` on {datetime.date.today()}: {os.cpu_count()} processors ({platform.machine()}), {platform.system()}; {go}; {'; '.join(versions)}.", "",
             " ".join(__doc__.split("\n\n")[2].split()) + " Medians of rounds in which the contestants take turns. *Process* is `cohortline ltv fit` from start to end, in CPU seconds: it also reads the file, computes"
             " P(no purchase), present values and 80 % intervals with the uncertainty of the parameters, and writes the predictions.", "",
             "| model | customers | contestant | rounds | seconds | CPU s | against cohortline | log-likelihood | expected in a year | process CPU s |", "|---|---|---|---|---|---|---|---|---|---|"]
    for model in o.models:
        for n in o.customers:
            if f"{model} {n}" in runs:
                lines += table(o, model, n, os.path.join(o.work, f"customers-{n}.parquet"), runs[f"{model} {n}"])
    with open(os.path.join(HERE, "RESULTS-ltv.md"), "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    peers = {"--peer": lambda a: {"lifetimes": lifetimes, "pymc": pymc}[a[0]](*a[1:]), "--score": lambda a: score(*a)}
    if len(sys.argv) > 1 and sys.argv[1] in peers:
        peers[sys.argv[1]](sys.argv[2:])
    else:
        main()
