"""Random statements."""
import re

from sql_comparison.expressions import Expressions

# What keymill's functions are called in DuckDB: macros, because several of them have other names there.
MACROS = {
    "first": "(x) AS first(x) FILTER (WHERE x IS NOT NULL)", "last": "(x) AS last(x) FILTER (WHERE x IS NOT NULL)",
    "any": "(x) AS min(x)", "var": "(x) AS var_samp(x)", "stddev": "(x) AS stddev_samp(x)",
    "covar": "(x, y) AS covar_samp(x, y)",
    # What is not defined is null in keymill, and NaN in DuckDB.
    "corr": "(x, y) AS CASE WHEN isfinite(corr(x, y)) THEN corr(x, y) END",
    "slope": "(y, x) AS CASE WHEN isfinite(regr_slope(y, x)) THEN regr_slope(y, x) END",
    "intercept": "(y, x) AS CASE WHEN isfinite(regr_intercept(y, x)) THEN regr_intercept(y, x) END",
    "r2": "(y, x) AS CASE WHEN isfinite(regr_r2(y, x)) THEN regr_r2(y, x) END",
    "quantile": "(x, p) AS quantile_cont(CAST(x AS DOUBLE), p)", "count_distinct": "(x) AS count(DISTINCT x)",
    "octet_length_of": "(x) AS strlen(x)", "top": "(x, n) AS max(x, n)",
}


def prepare(db):
    db.execute("SET threads = 1; SET integer_division = true")
    for name, what in MACROS.items():
        db.execute(f"CREATE MACRO k_{name}{what}")


def for_duckdb(text):
    return re.sub(r"\b(" + "|".join(MACROS) + r")\(", r"k_\1(", text)


def for_keymill(text):
    return text.replace("octet_length_of(", "octet_length(")


ROUNDED = re.compile(r"(avg|sum|var|stddev|var_pop|stddev_pop|corr|covar|covar_pop|slope|intercept|r2|median|quantile)\(")


class Query:
    """A statement without its table; `reduce` has the parts of the same job for `keymill reduce`."""

    def __init__(self, select, rest, ordered, reduce=None):
        self.select, self.rest, self.ordered, self.reduce = select, rest, ordered, reduce

    def sql(self, table):
        return f"SELECT {self.select} FROM {table}{self.rest}"


def aggregate(e):
    rng = e.rng
    number = lambda: e.of(rng.choice(["int", "float", "decimal"]), 2)
    simple = lambda: e.leaf(rng.choice(["int", "float"]))
    any_kind = lambda: e.of(rng.choice(["int", "float", "decimal", "text", "date", "time", "bool"]), 2)
    return rng.choice([
        lambda: "count(*)", lambda: f"count({any_kind()})", lambda: f"sum({number()})", lambda: f"min({any_kind()})",
        lambda: f"max({any_kind()})", lambda: f"avg({number()})", lambda: "product(unit)", lambda: "sum(odd)",
        lambda: f"bit_{e.pick('and', 'or', 'xor')}({e.of('int', 1)})", lambda: f"{e.pick('var', 'stddev')}({e.leaf('int')})",
        lambda: f"{e.pick('var_pop', 'stddev_pop')}({simple()})", lambda: f"{e.pick('corr', 'covar', 'covar_pop')}(i, r)",
        lambda: f"{e.pick('slope', 'intercept', 'r2')}(r, i)", lambda: f"median({simple()})",
        lambda: f"quantile({number()}, {e.pick('0.1', '0.5', '0.99')})", lambda: f"count_distinct({any_kind()})",
        lambda: f"count(DISTINCT {any_kind()})", lambda: f"{e.pick('first', 'last', 'any')}({any_kind()})",
        lambda: f"string_agg({e.of('text', 1)}, {e.pick(chr(39) + ', ' + chr(39), chr(39) * 2)})",
    ])()


def rows(e):
    """Selected columns, without groups."""
    rng, kinds = e.rng, ["int", "text", "date", "bool", "decimal", "time"]
    if rng.random() < 0.3:
        columns = [e.of(rng.choice(kinds)) for _ in range(rng.randrange(1, 3))]
        return columns, "DISTINCT "
    return [e.of(rng.choice([*kinds, "float"])) for _ in range(rng.randrange(1, 4))], ""


def random_query(rng):
    e = Expressions(rng)
    where = e.of("bool") if rng.random() < 0.5 else None
    if rng.random() < 0.35:
        columns, distinct = rows(e)
        keys, aggregates, rest, having = [], [], "", None
    else:
        distinct, rest, having = "", "", None
        keys = [e.of(rng.choice(["int", "text", "date", "bool", "float", "decimal", "time"]), 2) for _ in range(rng.randrange(0, 4))]
        if rng.random() < 0.1:
            keys.append("odd")
        aggregates = [aggregate(e) for _ in range(rng.randrange(1, 4))]
        columns = keys + aggregates
        if keys:
            rest = " GROUP BY " + ", ".join(str(n + 1) for n in range(len(keys)))
        if rng.random() < 0.3:
            having = rng.choice([f"count(*) > {rng.randrange(0, 4)}", "sum(i) > 0 OR min(s) < 'b'", "max(d) IS NOT NULL"])
            rest += f" HAVING {having}"
    selected = distinct + ", ".join(f"{c} AS c{n}" for n, c in enumerate(columns))
    order = ""
    if rng.random() < 0.6:
        names = [f"c{n}{rng.choice(['', ' DESC', ' NULLS FIRST'])}" for n in range(len(columns))]
        rng.shuffle(names)
        # What DuckDB rounds decides no order: before it come the keys, which differ in every row.
        names.sort(key=lambda name: bool(ROUNDED.match(columns[int(name.split()[0][1:])])))
        order = " ORDER BY " + ", ".join(names)
        if rng.random() < 0.5:
            order += f" LIMIT {rng.randrange(0, 20)}"
            if rng.random() < 0.5:
                order += f" OFFSET {rng.randrange(0, 5)}"
    reduce = None
    if keys and not having and len(set(keys)) == len(keys):
        reduce = ["--key", ", ".join(f"{c} AS c{n}" for n, c in enumerate(keys)),
                  "--agg", ", ".join(f"{c} AS c{n + len(keys)}" for n, c in enumerate(aggregates))]
        reduce += ["--where", where] if where else []
    return Query(selected, (f" WHERE {where}" if where else "") + rest + order, bool(order), reduce)
