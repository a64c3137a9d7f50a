//! Looks at, and replaces, parts of an expression.

use super::Expr;
use super::node::Node;

impl Expr {
    /// The expression without its name.
    pub(crate) fn unaliased(&self) -> &Self {
        match &self.0 {
            Node::Alias(inner, _) => inner,
            _ => self,
        }
    }

    /// The name of the column, if it is one and nothing else.
    pub(crate) fn as_column(&self) -> Option<&str> {
        match &self.0 {
            Node::Column(name) => Some(name),
            _ => None,
        }
    }

    #[cfg(feature = "sql")]
    /// The expression with some of its parts replaced. A part that is replaced is not looked into.
    pub(crate) fn replaced(mut self, by: &mut dyn FnMut(&Self) -> Option<Self>) -> Self {
        self.replace_parts(by);
        self
    }

    fn replace_parts(&mut self, by: &mut dyn FnMut(&Self) -> Option<Self>) {
        match by(self) {
            Some(other) => *self = other,
            None => self.0.parts(&mut |part| part.replace_parts(by)),
        }
    }

    /// Calls a function with the name of each column.
    pub(crate) fn each_column(&self, visit: &mut dyn FnMut(&str)) {
        self.clone().replace_parts(&mut |part| {
            if let Some(name) = part.as_column() {
                visit(name);
            }
            None
        });
    }
}

impl Node {
    /// Calls a function with each part.
    fn parts(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        match self {
            Self::Column(_) | Self::Literal(_) => {}
            Self::Alias(inner, _)
            | Self::Not(inner)
            | Self::Negate(inner)
            | Self::Is(inner, _)
            | Self::Cast { value: inner, .. } => visit(inner),
            Self::Arithmetic(_, left, right)
            | Self::Compare(_, left, right)
            | Self::Match(_, left, right) => {
                visit(left);
                visit(right);
            }
            Self::Logic(_, parts) | Self::Call(_, parts) => parts.iter_mut().for_each(visit),
            Self::InList(value, items) => {
                visit(value);
                items.iter_mut().for_each(visit);
            }
            Self::Case {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    visit(condition);
                    visit(value);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
        }
    }
}
