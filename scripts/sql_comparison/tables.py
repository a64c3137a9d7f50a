"""Random tables, written by DuckDB in every format that keymill reads."""

# The type in the file, and the type that DuckDB computes with: keymill computes integers in 64 bits and
# floats in double precision.
COLUMNS = {
    "i": ("BIGINT", "BIGINT"), "j": ("BIGINT", "BIGINT"), "tiny": ("TINYINT", "BIGINT"),
    "small": ("SMALLINT", "BIGINT"), "int": ("INTEGER", "BIGINT"), "byte": ("UTINYINT", "BIGINT"),
    "word": ("UINTEGER", "BIGINT"), "unit": ("BIGINT", "BIGINT"),
    "x": ("DOUBLE", "DOUBLE"), "y": ("DOUBLE", "DOUBLE"), "r": ("REAL", "DOUBLE"), "odd": ("DOUBLE", "DOUBLE"),
    "price": ("DECIMAL(12,2)", "DECIMAL(12,2)"), "rate": ("DECIMAL(6,4)", "DECIMAL(6,4)"),
    "s": ("VARCHAR", "VARCHAR"), "t": ("VARCHAR", "VARCHAR"), "d": ("DATE", "DATE"), "e": ("DATE", "DATE"),
    "moment": ("TIMESTAMP", "TIMESTAMP"), "b": ("BOOLEAN", "BOOLEAN"),
}
OF_KIND = {
    "int": ["i", "j", "tiny", "small", "int", "byte", "word", "unit"], "float": ["x", "y", "r"],
    "decimal": ["price", "rate"], "text": ["s", "t"], "date": ["d", "e"], "time": ["moment"], "bool": ["b"],
}
# What keymill is told of the columns of text files.
TEXT_TYPES = {
    "DOUBLE": "float", "REAL": "float", "DATE": "date", "TIMESTAMP": "timestamp", "BOOLEAN": "bool",
    "VARCHAR": "text", "DECIMAL(12,2)": "decimal(12,2)", "DECIMAL(6,4)": "decimal(6,4)",
}
WORDS = ["a", "b", "ab", "A", "bc d", "x,y", "ä", "long text of many words", 'quo"te', "zz", "", "line\nbreak",
         "  spaces ", "日本", "🙂", "Ω%", "a_b", "100", "-7", "it's", "\ttab", "NULL", "null", "#", "c\r\nd"]


def column_list():
    """The option --columns for CSV and NDJSON."""
    return ",".join(f"{name}:{TEXT_TYPES.get(of, 'int')}" for name, (of, _) in COLUMNS.items())


def row(rng, has_odd):
    def float_of():
        return rng.choice([0.0, -0.0, 1.5, -2.25, 1e6, 0.1, rng.random(), rng.uniform(-1e9, 1e9)])

    def day():
        return f"20{rng.randrange(18, 26)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"

    odd = ["nan", "inf", "-inf", "-0.0", "0.0", "2.5"] if has_odd else ["-0.0", "0.0", "2.5"]
    values = [
        rng.randrange(-20, 20), rng.choice([0, 1, 2, 1000000, -7]), rng.randrange(-128, 128),
        rng.choice([-32768, 32767, 0, 5]), rng.randrange(-2**31, 2**31), rng.randrange(0, 256),
        rng.randrange(0, 2**32), rng.choice([-1, 0, 1, 1]),
        float_of(), float_of(), rng.choice([0.5, -0.25, 8.0, 0.0]), rng.choice(odd),
        f"{rng.randrange(-99999, 99999) / 100:.2f}", f"{rng.randrange(-999999, 999999) / 10000:.4f}",
        rng.choice(WORDS), rng.choice(WORDS[:4]), day(), day(),
        f"{day()} {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}{rng.choice(['', '.5', '.123456'])}",
        rng.choice([True, False]),
    ]
    return [None if rng.random() < 0.12 else value for value in values]


def make(rng, db, folder, rows, has_odd):
    """Makes the view `t` in DuckDB, and its files. Returns the names of the files."""
    db.execute("DROP VIEW IF EXISTS t; DROP TABLE IF EXISTS stored")
    db.execute("CREATE TABLE stored (" + ", ".join(f'"{name}" {of}' for name, (of, _) in COLUMNS.items()) + ")")
    if rows:
        values = [row(rng, has_odd) for _ in range(rows)]
        db.executemany(f"INSERT INTO stored VALUES ({', '.join('?' * len(COLUMNS))})", values)
    if rng.random() < 0.5:
        db.execute("CREATE OR REPLACE TABLE stored AS FROM stored ORDER BY i, d")
    casts = ", ".join(f'CAST("{name}" AS {of}) AS "{name}"' for name, (_, of) in COLUMNS.items())
    db.execute(f"CREATE VIEW t AS SELECT {casts} FROM stored")
    files = {"t.csv": "FORMAT csv, HEADER, QUOTE '\"', ESCAPE '\"'", "t.tsv": "FORMAT csv, HEADER, DELIMITER '\t'",
             "t.parquet": "FORMAT parquet, ROW_GROUP_SIZE 2048"}
    if not has_odd:
        files["t.ndjson"] = "FORMAT json"
    for name, options in files.items():
        db.execute(f"COPY stored TO '{folder}/{name}' ({options})")
    return list(files)
