"""Random expressions that mean the same in keymill and in DuckDB."""
from sql_comparison.tables import OF_KIND

DAYS = ["year", "quarter", "month", "week", "day", "dow", "isodow", "doy", "isoyear"]


class Expressions:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, *options):
        return self.rng.choice(options)

    def of(self, kind, deep=3):
        if deep == 0 or self.rng.random() < 0.3:
            return self.leaf(kind)
        deep -= 1
        if self.rng.random() < 0.12:
            return f"CASE WHEN {self.of('bool', deep)} THEN {self.of(kind, deep)} ELSE {self.of(kind, deep)} END"
        if self.rng.random() < 0.04:
            return f"CASE {self.of('text', deep)} WHEN 'a' THEN {self.of(kind, deep)} WHEN 'b' THEN {self.leaf(kind)} END"
        if self.rng.random() < 0.08:
            return f"coalesce({self.of(kind, deep)}, {self.leaf(kind)})"
        return getattr(self, kind)(deep)

    def leaf(self, kind):
        if self.rng.random() < 0.65:
            return self.rng.choice(OF_KIND[kind])
        return {
            "int": lambda: str(self.rng.randrange(-5, 6)),
            "float": lambda: self.pick("CAST(0.5 AS DOUBLE)", "-1.5e0", "2e0", "1e3"),
            "decimal": lambda: self.pick("CAST(0.5 AS DECIMAL(12,2))", "CAST(-12.25 AS DECIMAL(12,2))"),
            "text": lambda: self.pick("'a'", "'ab'", "''", "'x,y'", "'it''s'", "'日本'"),
            "date": lambda: self.pick("DATE '2020-02-29'", "DATE '2022-01-01'"),
            "time": lambda: self.pick("TIMESTAMP '2020-02-29 12:30:00'", "TIMESTAMP '2022-01-01 00:00:00'"),
            "bool": lambda: self.pick("TRUE", "FALSE", "(i > 0)"),
        }[kind]()

    def int(self, deep):
        one, other = self.of("int", deep), self.of("int", deep)
        return self.pick(
            f"({one} + {other})", f"({one} - {other})", f"({self.leaf('int')} * {self.pick('2', '-3', 'tiny')})",
            f"({one} % nullif({other}, 0))", f"({one} / nullif({other}, 0))", f"length({self.of('text', deep)})",
            f"abs({one})", f"date_part('{self.pick(*DAYS)}', {self.of('date', deep)})",
            f"date_part('{self.pick('hour', 'minute', 'day', 'year')}', {self.of('time', deep)})",
            f"extract({self.pick('month', 'year')} FROM {self.of(self.pick('date', 'time'), deep)})",
            f"nullif({one}, {other})", f"(- {one})", f"({self.of('date', deep)} - {self.of('date', deep)})",
            f"TRY_CAST({self.leaf('text')} AS BIGINT)", f"CAST(floor({self.leaf('float')}) AS BIGINT)",
            f"octet_length_of({self.of('text', deep)})", f"year({self.of('date', deep)})",
        )

    def float(self, deep):
        one = self.of("float", deep)
        return self.pick(
            f"({one} + {self.of('int', deep)})", f"({one} * {self.of('float', deep)})", f"floor({one})",
            f"ceil({one})", f"abs({one})", f"({one} - {self.of('float', deep)})", f"round({one})",
            f"CAST({self.of('int', deep)} AS DOUBLE)", f"CAST({self.of('decimal', deep)} AS DOUBLE)",
            f"({one} / nullif({self.of('int', deep)}, 0))",
        )

    def decimal(self, deep):
        one = self.of("decimal", deep)
        return self.pick(
            f"({one} + {self.leaf('decimal')})", f"({one} - {self.leaf('decimal')})", f"abs({one})", f"(- {one})",
            f"({self.rng.choice(OF_KIND['decimal'])} * {self.rng.choice(OF_KIND['decimal'])})",
            f"({self.leaf('decimal')} * {self.pick('2', 'tiny')})", f"nullif({one}, {self.leaf('decimal')})",
        )

    def text(self, deep):
        one = self.of("text", deep)
        return self.pick(
            f"upper({one})", f"lower({one})", f"trim({one})", f"ltrim({one})", f"rtrim({one}, 'ab')",
            f"({one} || {self.of('text', deep)})", f"substr({one}, {self.rng.randrange(1, 4)}, {self.rng.randrange(0, 4)})",
            f"split_part({one}, {self.pick(chr(39) + ' ' + chr(39), chr(39) + ',' + chr(39))}, {self.rng.randrange(1, 3)})",
            f"replace({one}, 'a', 'xy')", f"concat({one}, {self.of('text', deep)})",
            f"CAST({self.of(self.pick('int', 'date', 'bool'), deep)} AS VARCHAR)", f"CAST({self.leaf('decimal')} AS VARCHAR)",
        )

    def date(self, deep):
        return self.pick(
            f"CAST(date_trunc('{self.pick('year', 'month', 'week', 'quarter', 'day')}', {self.of('date', deep)}) AS DATE)",
            f"CAST({self.of('date', deep)} + INTERVAL '{self.pick('1 month', '3 days', '1 year')}' AS DATE)",
            f"CAST({self.of('date', deep)} - INTERVAL '{self.pick('1 month', '2 weeks')}' AS DATE)",
            f"CAST({self.of('time', deep)} AS DATE)",
        )

    def time(self, deep):
        one = self.of("time", deep)
        return self.pick(
            f"date_trunc('{self.pick('year', 'month', 'week', 'day', 'hour', 'minute', 'second')}', {one})",
            f"({one} {self.pick('+', '-')} INTERVAL '{self.pick('1 month', '36 hours', '90 seconds')}')",
            f"CAST({self.of('date', deep)} AS TIMESTAMP)",
        )

    def bool(self, deep):
        kind = self.pick("int", "float", "decimal", "text", "date", "time")
        one, other = self.of(kind, deep), self.of(kind, deep)
        text = self.of("text", deep)
        pattern = self.pick("'%a%'", "'a_'", "'%'", "'_'", "'x%y'", "'%日%'", "''", "'%''s'", "'a!_%' ESCAPE '!'")
        no = self.pick("", "NOT ")
        return self.pick(
            f"({one} {self.pick('=', '<>', '<', '<=', '>', '>=')} {other})",
            f"({self.of('bool', deep)} AND {self.of('bool', deep)})",
            f"({self.of('bool', deep)} OR {self.of('bool', deep)})",
            f"(NOT {self.of('bool', deep)})", f"({one} IS {no}NULL)", f"({text} {no}LIKE {pattern})",
            f"({text} {no}ILIKE {pattern})", f"({one} {no}BETWEEN {self.leaf(kind)} AND {other})",
            f"({one} {no}IN ({other}, {self.leaf(kind)}))", f"({one} IS {no}DISTINCT FROM {other})",
            f"({self.of('bool', deep)} IS {no}{self.pick('TRUE', 'FALSE')})",
            f"({text} ~ '{self.pick('^[ab]+$', '^.*o.*$', '^[^a]*$', '^$')}')",
            f"contains({text}, {self.pick(chr(39) + 'a' + chr(39), chr(39) * 2, 't')})",
            f"starts_with({text}, {self.leaf('text')})", f"ends_with({text}, {self.leaf('text')})",
            f"({self.leaf('int')} < {self.leaf('float')})", f"({self.leaf('decimal')} >= {self.leaf('int')})",
            f"(odd {self.pick('=', '<', '>=', '<>')} {self.pick('0', '2.5', 'x', 'odd')})",
            "(d >= '2021-06-01')", "(moment < '2022-01-01 00:00:00')", f"(price > {self.pick('0.1', '100', '1e2')})",
        )
