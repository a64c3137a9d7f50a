"""The group-by questions of known benchmarks, over made-up tables of the same shape."""

ROWS = 20_000

# A number of 64 bits that looks random, of the row and a seed.
def pick(seed, most):
    return f"CAST(hash(n * 1000003 + {seed}) % {most} AS BIGINT)"


def h2o(seed):
    return f"""CREATE OR REPLACE TABLE t AS SELECT
        printf('id%03d', {pick(1, 100)}) AS id1, printf('id%03d', {pick(2, 100)}) AS id2,
        printf('id%010d', {pick(3, ROWS // 100)}) AS id3, {pick(4, 100)} AS id4, {pick(5, 100)} AS id5,
        {pick(6, ROWS // 100)} AS id6, {pick(7, 5)} + 1 AS v1, {pick(8, 15)} + 1 AS v2,
        round({pick(9, 100_000_000)} / 1e6, 6) AS v3 FROM (SELECT range + {seed} AS n FROM range({ROWS}))"""


H2O = [
    "SELECT id1, sum(v1) AS v1 FROM t GROUP BY id1",
    "SELECT id1, id2, sum(v1) AS v1 FROM t GROUP BY id1, id2",
    "SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM t GROUP BY id3",
    "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM t GROUP BY id4",
    "SELECT id6, sum(v1) AS v1, sum(v2) AS v2, sum(v3) AS v3 FROM t GROUP BY id6",
    "SELECT id4, id5, median(v3) AS m, stddev(v3) AS d FROM t GROUP BY id4, id5",
    "SELECT id3, max(v1) - min(v2) AS range_v1_v2 FROM t GROUP BY id3",
    "SELECT id6, top(v3, 2) AS largest FROM t GROUP BY id6",
    "SELECT id2, id4, r2(v1, v2) AS r2 FROM t GROUP BY id2, id4",
    "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS n FROM t GROUP BY id1, id2, id3, id4, id5, id6",
]


def stations(count, seed):
    """Names of up to 100 bytes: letters of several alphabets, spaces, quotes and the separator."""
    return f"""CREATE OR REPLACE TABLE t AS SELECT
        left(repeat(list_extract(['Zürich ', '東京', 'a;b', 'São "P" ', 'x', 'Ωmega-', '🙂'], 1 + s % 7), 14), 1 + s % 20) || s AS station,
        CAST(({pick(2, 1999)} - 999) / 10.0 AS DECIMAL(4,1)) AS t
        FROM (SELECT range + {seed} AS n, CAST(hash(range) % {count} AS BIGINT) AS s FROM range({ROWS}))"""


BRC = ["SELECT station, min(t) AS a, avg(t) AS b, max(t) AS c FROM t GROUP BY station ORDER BY station"]


def lineitem(seed):
    return f"""CREATE OR REPLACE TABLE t AS SELECT
        list_extract(['A', 'N', 'R'], 1 + {pick(1, 3)}) AS l_returnflag, list_extract(['F', 'O'], 1 + {pick(2, 2)}) AS l_linestatus,
        CAST(1 + {pick(3, 50)} AS DECIMAL(15,2)) AS l_quantity,
        CAST({pick(4, 10_000_000)} / 100.0 AS DECIMAL(15,2)) AS l_extendedprice,
        CAST({pick(5, 11)} / 100.0 AS DECIMAL(15,2)) AS l_discount, CAST({pick(6, 9)} / 100.0 AS DECIMAL(15,2)) AS l_tax,
        DATE '1992-01-02' + CAST({pick(7, 2526)} AS INTEGER) AS l_shipdate
        FROM (SELECT range + {seed} AS n FROM range({ROWS}))"""


TPCH = [
    """SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base_price,
        sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price,
        sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge, avg(l_quantity) AS avg_qty,
        avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc, count(*) AS count_order
        FROM t WHERE l_shipdate <= DATE '1998-09-02' GROUP BY l_returnflag, l_linestatus
        ORDER BY l_returnflag, l_linestatus""",
    """SELECT sum(l_extendedprice * l_discount) AS revenue FROM t WHERE l_shipdate >= DATE '1994-01-01'
        AND l_shipdate < DATE '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24""",
]


def hits(seed):
    return f"""CREATE OR REPLACE TABLE t AS SELECT
        {pick(1, 2**40)} % 3000 * 7919 AS "UserID", {pick(2, 100)} AS "RegionID", {pick(3, 70)} AS "CounterID",
        DATE '2013-07-01' + CAST({pick(4, 31)} AS INTEGER) AS "EventDate",
        TIMESTAMP '2013-07-01 00:00:00' + to_seconds({pick(5, 2_600_000)}) AS "EventTime",
        CASE WHEN {pick(6, 10)} < 6 THEN '' ELSE 'phrase ' || list_extract(['погода', 'google', 'карта', 'x'], 1 + {pick(7, 4)}) || {pick(8, 90)} END AS "SearchPhrase",
        CASE WHEN {pick(9, 10)} < 7 THEN '' ELSE 'model ' || {pick(10, 20)} END AS "MobilePhoneModel",
        {pick(11, 4)} AS "MobilePhone", {pick(12, 5)} AS "SearchEngineID", {pick(13, 20)} % 7 AS "AdvEngineID",
        CAST({pick(14, 5)} = 0 AS INTEGER) AS "IsRefresh", 800 + {pick(15, 1200)} AS "ResolutionWidth",
        'http://' || list_extract(['www.google.com', 'example.ru', 'a.b'], 1 + {pick(16, 3)}) || '/' || {pick(17, 300)} AS "URL",
        list_extract(['Google', 'Новости', ''], 1 + {pick(18, 3)}) || {pick(19, 50)} AS "Title", {pick(20, 2**30)} AS "ClientIP"
        FROM (SELECT range + {seed} AS n FROM range({ROWS}))"""


CLICKBENCH = [
    "SELECT count(*) AS c FROM t WHERE AdvEngineID <> 0",
    "SELECT sum(AdvEngineID) AS a, count(*) AS b, avg(ResolutionWidth) AS c FROM t",
    "SELECT count(DISTINCT UserID) AS a, count(DISTINCT SearchPhrase) AS b, min(EventDate) AS c, max(EventDate) AS d FROM t",
    "SELECT AdvEngineID, count(*) AS c FROM t WHERE AdvEngineID <> 0 GROUP BY AdvEngineID ORDER BY count(*) DESC, AdvEngineID",
    "SELECT RegionID, count(DISTINCT UserID) AS u FROM t GROUP BY RegionID ORDER BY u DESC, RegionID LIMIT 10",
    "SELECT RegionID, sum(AdvEngineID) AS a, count(*) AS c, avg(ResolutionWidth) AS b, count(DISTINCT UserID) AS d FROM t "
    "GROUP BY RegionID ORDER BY c DESC, RegionID LIMIT 10",
    "SELECT MobilePhone, MobilePhoneModel, count(DISTINCT UserID) AS u FROM t WHERE MobilePhoneModel <> '' "
    "GROUP BY MobilePhone, MobilePhoneModel ORDER BY u DESC, 1, 2 LIMIT 10",
    "SELECT SearchPhrase, count(*) AS c FROM t WHERE SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY c DESC, 1 LIMIT 10",
    "SELECT SearchEngineID, SearchPhrase, count(*) AS c FROM t WHERE SearchPhrase <> '' "
    "GROUP BY SearchEngineID, SearchPhrase ORDER BY c DESC, 1, 2 LIMIT 10",
    "SELECT UserID, extract(minute FROM EventTime) AS m, SearchPhrase, count(*) AS c FROM t "
    "GROUP BY UserID, m, SearchPhrase ORDER BY c DESC, 1, 2, 3 LIMIT 10",
    "SELECT SearchPhrase, min(URL) AS u, min(Title) AS t, count(*) AS c, count(DISTINCT UserID) AS d FROM t "
    "WHERE Title LIKE '%Google%' AND URL NOT LIKE '%.google.%' AND SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY c DESC, 1 LIMIT 10",
    "SELECT CounterID, avg(length(URL)) AS l, count(*) AS c FROM t WHERE URL <> '' GROUP BY CounterID HAVING count(*) > 100 ORDER BY l DESC, 1 LIMIT 25",
    "SELECT URL, count(*) AS c FROM t GROUP BY URL ORDER BY c DESC, 1 LIMIT 10",
    "SELECT 1 AS one, URL, count(*) AS c FROM t GROUP BY 1, URL ORDER BY c DESC, URL LIMIT 10",
    "SELECT ClientIP, ClientIP - 1 AS a, ClientIP - 2 AS b, count(*) AS c FROM t GROUP BY ClientIP, a, b ORDER BY c DESC, ClientIP LIMIT 10",
    "SELECT date_trunc('minute', EventTime) AS m, count(*) AS views FROM t WHERE CounterID = 62 AND EventDate >= '2013-07-14' "
    "AND EventDate <= '2013-07-15' AND IsRefresh = 0 GROUP BY m ORDER BY m LIMIT 10 OFFSET 2",
]


def compare(comparison, seed):
    """Runs all questions. Returns their number."""
    asked = 0
    comparison.db.execute("DROP VIEW IF EXISTS t; DROP TABLE IF EXISTS t")
    sets = [(h2o(seed), H2O, ["parquet", "csv"]), (stations(413, seed), BRC, ["csv"]), (stations(10_000, seed), BRC, ["csv", "parquet"]),
            (lineitem(seed), TPCH, ["csv", "parquet"]), (hits(seed), CLICKBENCH, ["parquet", "ndjson"])]
    for table, questions, formats in sets:
        comparison.db.execute(table)
        for extension in formats:
            asked += len(questions)
            ask(comparison, questions, extension)
    return asked


def ask(comparison, questions, extension):
    name = f"shape.{extension}"
    form = {"csv": "FORMAT csv, HEADER", "parquet": "FORMAT parquet", "ndjson": "FORMAT json"}[extension]
    comparison.db.execute(f"COPY t TO '{comparison.folder}/{name}' ({form})")
    described = comparison.db.execute("DESCRIBE t").fetchall()
    decimals = [f"{column}:{of.lower()}" for column, of, *_ in described if of.startswith("DECIMAL")]
    dates = [f"{column}:{of.lower()}" for column, of, *_ in described if of in ("DATE", "TIMESTAMP")]
    options = [] if extension == "parquet" or not decimals + dates else ["--columns", ",".join(decimals + dates)]
    for question in questions:
        theirs = comparison.theirs(question)
        if theirs is None:
            raise SystemExit(f"DuckDB refuses {question}")
        text = question.replace("FROM t", f"FROM '{name}'", 1)
        comparison.check(f"{text}  {options}", ["sql", text, *options], theirs, "ORDER BY" in question)
