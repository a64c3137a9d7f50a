"""Comparison of results."""
import datetime
import decimal
import math


def plain(value):
    """A value that compares and sorts whatever its type is."""
    if isinstance(value, (bool, str, bytes)) or value is None:
        return value
    if isinstance(value, (int, float, decimal.Decimal)):
        return value
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, list):
        return tuple(map(plain, value))
    return value


def same(one, other):
    one, other = plain(one), plain(other)
    if one is None or other is None:
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        one, other = float(one), float(other)
        if one != one or other != other:
            return one != one and other != other
        return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


def order(row):
    """Floats are rounded, so that almost equal ones have one place."""
    def key(value):
        value = plain(value)
        if value is None:
            return ("", 0)
        if isinstance(value, (float, int, decimal.Decimal)) and not isinstance(value, bool):
            exact = 0 if isinstance(value, float) else value
            value = float(value)
            return ("number", (1, 0, 0) if value != value else (0, float(f"{value:.6g}") + 0.0, exact))
        return (type(value).__name__, value)
    return [key(value) for value in row]


def rows_equal(ours, theirs, ordered):
    if len(ours) != len(theirs):
        return False
    if not ordered:
        ours, theirs = sorted(ours, key=order), sorted(theirs, key=order)
    return all(len(a) == len(b) and all(map(same, a, b)) for a, b in zip(ours, theirs))
