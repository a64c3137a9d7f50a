//! Binds an expression to the columns of a schema, and checks its types before anything is read.

mod arithmetic;
mod call;
mod coerce;
mod types;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::bound::{Bound, CastMode, Step};
use super::literal::Literal;
use super::node::{Comparison, Node, Pattern};
use super::{Expr, no_such_column};
use crate::{Error, ErrorKind, Result};
use coerce::{boolean, compared, one_type, plain, refused, same_type};

/// How deep an expression may be nested.
const MOST_NESTED: usize = 200;

impl Expr {
    /// The expression over the columns of a schema.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a column that does not exist and for types that do not fit.
    pub(crate) fn bind(&self, schema: &Schema) -> Result<Bound> {
        Binder { schema }.bind(self, MOST_NESTED)
    }

    /// A condition over the columns of a schema.
    pub(crate) fn bind_condition(&self, schema: &Schema) -> Result<Bound> {
        let bound = plain(self.bind(schema)?)?;
        boolean(bound, &self.to_string())
    }

    /// The name of the column that the expression gives.
    pub(crate) fn output_name(&self) -> String {
        match &self.0 {
            Node::Alias(_, name) | Node::Column(name) => name.clone(),
            _ => self.to_string(),
        }
    }

    /// The field that the expression gives for batches of this schema.
    pub(crate) fn field(&self, schema: &Schema) -> Result<Field> {
        if let Node::Column(name) = &self.0 {
            let field = schema.field_with_name(name);
            return field.cloned().map_err(|_| no_such_column(name, schema));
        }
        let of = self.bind(schema)?.of;
        Ok(Field::new(self.output_name(), of, true))
    }
}

struct Binder<'a> {
    schema: &'a Schema,
}

impl Binder<'_> {
    fn bind(&self, expr: &Expr, nested: usize) -> Result<Bound> {
        let Some(nested) = nested.checked_sub(1) else {
            let message =
                format!("an expression is nested more than {MOST_NESTED} deep; simplify it");
            return Err(Error::new(ErrorKind::Config, message));
        };
        let text = expr.to_string();
        let plainly = |expr: &Expr| plain(self.bind(expr, nested)?);
        let condition = |expr: &Expr| boolean(plainly(expr)?, &text);
        let (step, of) = match &expr.0 {
            Node::Alias(inner, _) => return self.bind(inner, nested),
            Node::Column(name) => self.column(name)?,
            Node::Literal(Literal(constant)) => {
                let array = constant.array();
                let of = array.data_type().clone();
                (Step::Constant(array), of)
            }
            Node::Arithmetic(of, left, right) => {
                return arithmetic::bind(*of, plainly(left)?, plainly(right)?, text);
            }
            Node::Negate(inner) => return arithmetic::negate(plainly(inner)?, text),
            Node::Compare(of, left, right) => {
                let (left, right) = compared(plainly(left)?, plainly(right)?, &text)?;
                return compare(*of, left, right, text);
            }
            Node::Logic(of, parts) => {
                let parts = parts.iter().map(condition).collect::<Result<_>>()?;
                (Step::Logic(*of, parts), DataType::Boolean)
            }
            Node::Not(inner) => (Step::Not(condition(inner)?.into()), DataType::Boolean),
            Node::Is(inner, truth) => {
                let inner = match truth {
                    super::node::Truth::Null => self.bind(inner, nested)?,
                    _ => condition(inner)?,
                };
                (Step::Is(inner.into(), *truth), DataType::Boolean)
            }
            Node::InList(value, items) => {
                let values = [&**value].into_iter().chain(items);
                let mut all = one_type(values.map(plainly).collect::<Result<_>>()?, &text)?;
                let value = all.remove(0);
                (Step::InList(value.into(), all), DataType::Boolean)
            }
            Node::Match(of, value, pattern) => {
                let (value, pattern) = (plainly(value)?, plainly(pattern)?);
                return matching(*of, value, pattern, text);
            }
            Node::Case {
                branches,
                otherwise,
            } => {
                let null = super::lit(None::<bool>);
                let otherwise = otherwise.as_deref().unwrap_or(&null);
                let values = branches.iter().map(|(_, value)| value).chain([otherwise]);
                let mut values = one_type(values.map(plainly).collect::<Result<_>>()?, &text)?;
                let otherwise = values.pop().unwrap_or(plainly(otherwise)?);
                let of = otherwise.of.clone();
                let conditions = branches.iter().map(|(it, _)| condition(it));
                let branches = conditions.zip(values).map(|(it, value)| Ok((it?, value)));
                let branches = branches.collect::<Result<_>>()?;
                (Step::Case(branches, otherwise.into()), of)
            }
            Node::Cast { value, to, or_null } => {
                return explicit_cast(plainly(value)?, to, *or_null, text);
            }
            Node::Call(function, arguments) => {
                let arguments = arguments.iter().map(plainly).collect::<Result<_>>()?;
                return call::bind(*function, arguments, text);
            }
        };
        Ok(Bound {
            step,
            of,
            text: text.into(),
        })
    }

    fn column(&self, name: &str) -> Result<(Step, DataType)> {
        match self.schema.index_of(name) {
            Ok(number) => {
                let of = self.schema.field(number).data_type().clone();
                Ok((Step::Column(number), of))
            }
            Err(_) => Err(no_such_column(name, self.schema)),
        }
    }
}

/// Whether values of these types can be computed with, and the type of the result: what the kernel gives
/// for no rows.
fn probed(step: Step, text: String, run: impl FnOnce() -> ArrowResult) -> Result<Bound> {
    match run() {
        Ok(array) => Ok(Bound {
            step,
            of: array.data_type().clone(),
            text: text.into(),
        }),
        Err(error) => Err(refused(&text, error)),
    }
}

type ArrowResult = std::result::Result<ArrayRef, ArrowError>;

fn compare(of: Comparison, left: Bound, right: Bound, text: String) -> Result<Bound> {
    if left.of.is_nested() {
        let why = format!("values of the type {} cannot be compared", left.of);
        return Err(refused(&text, why));
    }
    Ok(Bound {
        step: Step::Compare(of, left.into(), right.into()),
        of: DataType::Boolean,
        text: text.into(),
    })
}

fn matching(of: Pattern, value: Bound, pattern: Bound, text: String) -> Result<Bound> {
    let value = match types::is_text(&value.of) {
        true => value,
        false => coerce::text(value, &text)?,
    };
    coerce::text(pattern.clone(), &text)?;
    let (value, pattern) = same_type(value, pattern, &text)?;
    if matches!(of, Pattern::Regex | Pattern::RegexAnyCase) && !pattern.is_constant() {
        return Err(refused(&text, "a regular expression must be a constant"));
    }
    // A regular expression that cannot be read is an error now.
    if let Step::Constant(array) = &pattern.step {
        let none = arrow_array::new_empty_array(&value.of);
        let check = super::eval::matches(of, &none, array);
        check.map_err(|error| refused(&text, error))?;
    }
    Ok(Bound {
        step: Step::Match(of, value.into(), pattern.into()),
        of: DataType::Boolean,
        text: text.into(),
    })
}

fn explicit_cast(value: Bound, to: &DataType, or_null: bool, text: String) -> Result<Bound> {
    let time = matches!(to, DataType::Date32 | DataType::Timestamp(..));
    if time && (value.of.is_numeric() || value.of == DataType::Boolean) {
        let why = format!(
            "`{}` is {}, which is no time; use to_timestamp(seconds)",
            value.text, value.of
        );
        return Err(refused(&text, why));
    }
    if !arrow_cast::can_cast_types(&value.of, to) {
        let why = format!("`{}` is {}, which cannot become {to}", value.text, value.of);
        return Err(refused(&text, why));
    }
    let mode = match or_null {
        true => CastMode::Null,
        false if types::widens(&value.of, to) => CastMode::Widen,
        false => CastMode::Fail,
    };
    let step = Step::Cast(value.into(), mode);
    Ok(Bound {
        step,
        of: to.clone(),
        text: text.into(),
    })
}
