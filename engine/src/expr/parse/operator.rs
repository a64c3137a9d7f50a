//! Operators.

use sqlparser::ast::{self, BinaryOperator, UnaryOperator, Value};

use super::{Reader, text_of, unreadable, unsupported};
use crate::Result;
use crate::expr::build::{arithmetic, join};
use crate::expr::literal::{Constant, Literal};
use crate::expr::node::{Arithmetic, Comparison, Logic, Node, Pattern};
use crate::expr::{Expr, lit};

impl Reader<'_> {
    pub(super) fn binary(
        &mut self,
        whole: &ast::Expr,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
    ) -> Result<Expr> {
        use BinaryOperator as B;
        let arithmetic_of = match op {
            B::And => return self.chain(Logic::And, whole),
            B::Or => return self.chain(Logic::Or, whole),
            B::Plus => Some(Arithmetic::Add),
            B::Minus => Some(Arithmetic::Subtract),
            B::Multiply => Some(Arithmetic::Multiply),
            B::Divide => Some(Arithmetic::Divide),
            B::Modulo => Some(Arithmetic::Remainder),
            _ => None,
        };
        let comparison = match op {
            B::Eq => Some(Comparison::Equal),
            B::NotEq => Some(Comparison::NotEqual),
            B::Lt => Some(Comparison::Less),
            B::LtEq => Some(Comparison::LessOrEqual),
            B::Gt => Some(Comparison::Greater),
            B::GtEq => Some(Comparison::GreaterOrEqual),
            B::Spaceship => Some(Comparison::NotDistinct),
            _ => None,
        };
        let pattern = match op {
            B::PGRegexMatch => Some((Pattern::Regex, false)),
            B::PGRegexIMatch => Some((Pattern::RegexAnyCase, false)),
            B::PGRegexNotMatch => Some((Pattern::Regex, true)),
            B::PGRegexNotIMatch => Some((Pattern::RegexAnyCase, true)),
            B::PGLikeMatch => Some((Pattern::Like, false)),
            B::PGNotLikeMatch => Some((Pattern::Like, true)),
            B::PGILikeMatch => Some((Pattern::LikeAnyCase, false)),
            B::PGNotILikeMatch => Some((Pattern::LikeAnyCase, true)),
            _ => None,
        };
        if arithmetic_of.is_none()
            && comparison.is_none()
            && pattern.is_none()
            && *op != B::StringConcat
        {
            return Err(unsupported(whole));
        }
        let (left, right) = (self.read(left)?, self.read(right)?);
        if let Some(of) = arithmetic_of {
            return Ok(arithmetic(of, left, right));
        }
        if let Some(of) = comparison {
            return Ok(Expr(Node::Compare(of, left.into(), right.into())));
        }
        if let Some((of, negated)) = pattern {
            let found = Expr(Node::Match(of, left.into(), right.into()));
            return Ok(super::negated_if(negated, found));
        }
        Ok(join(left, right))
    }

    pub(super) fn unary(
        &mut self,
        whole: &ast::Expr,
        op: &UnaryOperator,
        inner: &ast::Expr,
    ) -> Result<Expr> {
        match op {
            UnaryOperator::Not => Ok(!self.read(inner)?),
            UnaryOperator::Plus => self.read(inner),
            UnaryOperator::Minus => Ok(match (self.read(inner)?.0, inner) {
                (Node::Literal(Literal(Constant::Integer(value))), ast::Expr::Value(_)) => {
                    Expr(Node::Literal(Literal(Constant::Integer(-value))))
                }
                (Node::Literal(Literal(Constant::Float(bits))), ast::Expr::Value(_)) => {
                    lit(-f64::from_bits(bits))
                }
                (other, _) => -Expr(other),
            }),
            _ => Err(unsupported(whole)),
        }
    }
}

/// A pattern whose escape character is `\`, from one with another.
pub(super) fn with_escape(pattern: Expr, escape: &Value) -> Result<Expr> {
    let escape = match escape {
        Value::SingleQuotedString(text) => text.as_str(),
        _ => "",
    };
    let mut chars = escape.chars();
    let (Some(escape), None) = (chars.next(), chars.next()) else {
        return Err(unreadable(
            &pattern.to_string(),
            "ESCAPE takes one character in quotes",
        ));
    };
    let Some(text) = text_of(&pattern) else {
        return Err(unreadable(
            &pattern.to_string(),
            "ESCAPE needs a constant pattern",
        ));
    };
    let (mut escaped, mut rest) = (String::new(), text.chars());
    while let Some(c) = rest.next() {
        match c {
            c if c == escape => {
                escaped.push('\\');
                escaped.extend(rest.next());
            }
            '\\' => escaped.push_str("\\\\"),
            c => escaped.push(c),
        }
    }
    Ok(lit(escaped))
}
