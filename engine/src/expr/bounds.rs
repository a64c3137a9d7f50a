//! Conditions over the bounds of columns, to leave out parts of a file that have no row of interest.
//!
//! ```text
//! condition   day > '2026-01-01' AND n = 3
//! over bounds "max day" > '2026-01-01' AND "nulls day" < "rows day"
//!             AND "min n" <= 3 AND "max n" >= 3 AND "nulls n" < "rows n"
//! ```

use arrow_schema::DataType;

use super::node::{Comparison, Logic, Node, Truth};
use super::{Expr, col, lit, value_type};

/// The names of the columns that [`Expr::over_bounds`] uses.
pub(crate) fn least(column: &str) -> String {
    format!("min {column}")
}

pub(crate) fn largest(column: &str) -> String {
    format!("max {column}")
}

pub(crate) fn nulls(column: &str) -> String {
    format!("nulls {column}")
}

/// The number of rows that the other bounds are of.
pub(crate) fn rows(column: &str) -> String {
    format!("rows {column}")
}

impl Expr {
    /// A condition over bounds, which is false only where this condition is true for no row; `None` if bounds
    /// tell nothing. `type_of` returns the type of a column whose bounds are known. Null bounds are unknown.
    pub(crate) fn over_bounds(&self, type_of: &dyn Fn(&str) -> Option<DataType>) -> Option<Self> {
        match &self.0 {
            Node::Alias(inner, _) => inner.over_bounds(type_of),
            Node::Logic(Logic::And, parts) => {
                let known = parts.iter().filter_map(|part| part.over_bounds(type_of));
                known.reduce(Self::and)
            }
            Node::Logic(Logic::Or, parts) => {
                let known = parts.iter().map(|part| part.over_bounds(type_of));
                known
                    .collect::<Option<Vec<_>>>()?
                    .into_iter()
                    .reduce(Self::or)
            }
            Node::Compare(of, left, right) => match (left.as_column(), right.as_column()) {
                (Some(column), _) if right.is_constant() => compared(*of, column, right, type_of),
                (_, Some(column)) if left.is_constant() => {
                    compared(mirrored(*of), column, left, type_of)
                }
                _ => None,
            },
            Node::InList(value, items) => {
                let column = value.as_column()?;
                let equal = items.iter().map(|item| match item.is_constant() {
                    true => compared(Comparison::Equal, column, item, type_of),
                    false => None,
                });
                equal
                    .collect::<Option<Vec<_>>>()?
                    .into_iter()
                    .reduce(Self::or)
            }
            Node::Is(value, Truth::Null) => {
                let column = value.as_column().filter(|name| type_of(name).is_some())?;
                Some(col(nulls(column)).gt(lit(0)))
            }
            Node::Not(inner) => match &inner.0 {
                Node::Is(value, Truth::Null) => {
                    let column = value.as_column().filter(|name| type_of(name).is_some())?;
                    Some(has_values(column))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it has no column.
    fn is_constant(&self) -> bool {
        let mut has_column = false;
        self.each_column(&mut |_| has_column = true);
        !has_column
    }
}

fn compared(
    of: Comparison,
    column: &str,
    constant: &Expr,
    type_of: &dyn Fn(&str) -> Option<DataType>,
) -> Option<Expr> {
    let is_float = value_type(&type_of(column)?).is_floating();
    let (low, high) = (col(least(column)), col(largest(column)));
    let constant = || constant.clone();
    // Bounds of floats leave NaN out, which is larger than all other values.
    let low_is = |condition: Expr| match is_float {
        true => Some(condition.or(low.clone().eq(lit(f64::NAN)))),
        false => Some(condition),
    };
    let is_within = match of {
        Comparison::Equal if is_float => low_is(low.clone().lt_eq(constant())),
        Comparison::Equal => Some(low.lt_eq(constant()).and(high.gt_eq(constant()))),
        Comparison::Less => low_is(low.clone().lt(constant())),
        Comparison::LessOrEqual => low_is(low.clone().lt_eq(constant())),
        Comparison::Greater if !is_float => Some(high.gt(constant())),
        Comparison::GreaterOrEqual if !is_float => Some(high.gt_eq(constant())),
        _ => None,
    };
    // Where all values are null there are no bounds, and no comparison is true.
    is_within.map(|it| it.and(has_values(column)))
}

/// Whether some value is not null.
fn has_values(column: &str) -> Expr {
    col(nulls(column)).lt(col(rows(column)))
}

/// The comparison with its sides exchanged.
fn mirrored(of: Comparison) -> Comparison {
    match of {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        other => other,
    }
}

#[cfg(all(test, feature = "sql"))]
mod tests {
    use super::*;

    fn over_bounds(text: &str) -> Option<String> {
        let type_of = |name: &str| match name {
            "n" => Some(DataType::Int64),
            "x" => Some(DataType::Float64),
            _ => None,
        };
        let condition: Expr = text.parse().unwrap();
        condition.over_bounds(&type_of).map(|it| it.to_string())
    }

    #[test]
    fn conditions_become_conditions_over_bounds() {
        for (text, wanted) in [
            ("n > 3", r#""max n" > 3 AND SOME"#),
            ("3 >= n", r#""min n" <= 3 AND SOME"#),
            ("n = 3", r#""min n" <= 3 AND "max n" >= 3 AND SOME"#),
            (
                "n BETWEEN 1 AND 2",
                r#""max n" >= 1 AND SOME AND "min n" <= 2 AND SOME"#,
            ),
            ("n IS NULL", r#""nulls n" > 0"#),
            ("n IS NOT NULL", "SOME"),
            ("n > 3 AND s LIKE 'a'", r#""max n" > 3 AND SOME"#),
            (
                "n < 1 OR n > 3",
                r#""min n" < 1 AND SOME OR "max n" > 3 AND SOME"#,
            ),
        ] {
            let wanted = wanted.replace("SOME", r#""nulls n" < "rows n""#);
            assert_eq!(over_bounds(text), Some(wanted), "{text}");
        }
        // Without bounds of every part of an OR nothing is known; NaN may be larger than the bounds.
        for text in [
            "n > 3 OR s = 'a'",
            "n <> 3",
            "NOT n > 3",
            "x > 3",
            "n + 1 > 3",
            "n > n",
            "s IS NULL",
        ] {
            assert_eq!(over_bounds(text), None, "{text}");
        }
    }
}
