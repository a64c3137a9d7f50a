//! An expression whose columns and types are known: each step says what it gives.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::node::{Arithmetic, Comparison, Function, Logic, Pattern, Truth};

/// A step with the type of its values.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(super) step: Step,
    pub(super) of: DataType,
    /// The expression as text, for messages about its values.
    pub(super) text: Arc<str>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The column with this number.
    Column(usize),
    /// An array of one value.
    Constant(ArrayRef),
    Cast(Box<Bound>, CastMode),
    Arithmetic(Arithmetic, Box<Bound>, Box<Bound>),
    /// Days between two dates.
    Days(Box<Bound>, Box<Bound>),
    Negate(Box<Bound>),
    Compare(Comparison, Box<Bound>, Box<Bound>),
    Logic(Logic, Vec<Bound>),
    Not(Box<Bound>),
    Is(Box<Bound>, Truth),
    InList(Box<Bound>, Vec<Bound>),
    Match(Pattern, Box<Bound>, Box<Bound>),
    /// Conditions and values; the last value is that of no condition.
    Case(Vec<(Bound, Bound)>, Box<Bound>),
    Coalesce(Vec<Bound>),
    Call(Function, Vec<Bound>),
}

/// What a cast does with a value that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CastMode {
    Fail,
    Null,
    /// Every value fits.
    Widen,
}

impl Bound {
    pub(crate) fn data_type(&self) -> &DataType {
        &self.of
    }

    pub(super) fn is_constant(&self) -> bool {
        matches!(self.step, Step::Constant(_))
    }

    /// Whether some values are an error: then it is evaluated only for the rows that need it.
    pub(super) fn can_fail(&self) -> bool {
        let fails = match &self.step {
            Step::Cast(_, mode) => *mode != CastMode::Widen,
            Step::Arithmetic(..) | Step::Negate(_) | Step::Call(..) => true,
            _ => false,
        };
        let mut any = fails;
        self.parts(&mut |part| any = any || part.can_fail());
        any
    }

    /// Calls a function with each column that it reads, and its type.
    pub(super) fn each_column(&self, visit: &mut dyn FnMut(usize, &DataType)) {
        if let Step::Column(number) = &self.step {
            return visit(*number, &self.of);
        }
        self.parts(&mut |part| part.each_column(visit));
    }

    /// Calls a function with each part of the step.
    fn parts(&self, visit: &mut dyn FnMut(&Self)) {
        match &self.step {
            Step::Column(_) | Step::Constant(_) => {}
            Step::Cast(inner, _) | Step::Negate(inner) | Step::Not(inner) | Step::Is(inner, _) => {
                visit(inner);
            }
            Step::Arithmetic(_, left, right)
            | Step::Days(left, right)
            | Step::Compare(_, left, right)
            | Step::Match(_, left, right) => {
                visit(left);
                visit(right);
            }
            Step::InList(value, items) => {
                visit(value);
                items.iter().for_each(visit);
            }
            Step::Logic(_, parts) | Step::Coalesce(parts) | Step::Call(_, parts) => {
                parts.iter().for_each(visit);
            }
            Step::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    visit(condition);
                    visit(value);
                }
                visit(otherwise);
            }
        }
    }
}
