//! Reads the textual form of expressions.

pub(crate) mod call;
mod constant;
mod data_type;
mod dialect;
mod operator;

use std::str::FromStr;

use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer};

pub(crate) use super::display::identifier as named;
use super::node::{Comparison, Logic, Node, Pattern};
use super::{Expr, col};
use crate::{Error, ErrorKind, Result};
use dialect::SqlDialect;

/// How deep an expression may be nested.
const MOST_NESTED: usize = 200;

/// The most tokens of a text, apart from constants and commas. A parsed chain of operators is as deep
/// as it is long, and the depth needs stack.
const MOST_TOKENS: usize = 4000;

/// What names in an expression stand for.
pub(crate) trait Names {
    /// The column that a name stands for.
    fn column(&mut self, name: &ast::Ident) -> Result<Expr> {
        Ok(col(&name.value))
    }

    /// The column that a name with a table in front of it stands for.
    fn qualified(&mut self, parts: &[ast::Ident]) -> Result<Expr> {
        Err(unsupported(&ast::Expr::CompoundIdentifier(parts.to_vec())))
    }

    /// What a call stands for, if it is no function of one row.
    fn call(&mut self, _call: &ast::Function) -> Result<Option<Expr>> {
        Ok(None)
    }
}

/// Names are columns.
pub(crate) struct Columns;

impl Names for Columns {}

/// A parser of a text that is not too long.
pub(crate) fn parser(text: &str) -> Result<Parser<'static>> {
    const DIALECT: &SqlDialect = &SqlDialect;
    let tokens = Tokenizer::new(DIALECT, text).tokenize_with_location();
    let mut tokens = tokens.map_err(|error| unreadable(text, &error.to_string()))?;
    for at in 1..tokens.len() {
        let is_call = tokens[at].token == Token::LParen;
        // `TOP` after SELECT is a clause of other dialects, and `top(x, 3)` an aggregate here.
        if let Token::Word(word) = &mut tokens[at - 1].token
            && is_call
            && word.keyword == Keyword::TOP
        {
            word.keyword = Keyword::NoKeyword;
        }
    }
    let counts = |token: &Token| {
        !matches!(
            token,
            Token::Comma | Token::Number(..) | Token::SingleQuotedString(_) | Token::Whitespace(_)
        )
    };
    if tokens.iter().filter(|token| counts(&token.token)).count() > MOST_TOKENS {
        let message =
            format!("an expression has more than {MOST_TOKENS} operators and names; shorten it");
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(Parser::new(DIALECT).with_tokens_with_locations(tokens))
}

/// The error of a text that is not an expression.
pub(crate) fn unreadable(text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(200).collect();
    Error::new(ErrorKind::Config, format!("cannot read `{shown}`: {why}"))
}

/// The message of the parser.
pub(crate) fn parser_error(text: &str, error: ParserError) -> Error {
    let why = match error {
        ParserError::TokenizerError(why) | ParserError::ParserError(why) => why,
        ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
    };
    unreadable(text, &why)
}

impl FromStr for Expr {
    type Err = Error;

    /// Reads an expression such as `price * 2 > 10 AND site LIKE '%.org'`, with an optional name at its
    /// end: `upper(site) AS name`.
    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::list(text)?;
        match all.len() {
            1 => Ok(all.remove(0)),
            _ => Err(unreadable(text, "these are several expressions")),
        }
    }
}

impl Expr {
    /// Reads expressions separated by commas: `site, upper(site) AS name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a text that is not a list of expressions.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::{Expr, col, lit};
    ///
    /// let all = Expr::list("site, count + 1 AS next")?;
    /// assert_eq!(all, [col("site"), (col("count") + lit(1)).alias("next")]);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn list(text: &str) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for (ast, name) in named_list(text)? {
            let expr = read(&ast, &mut Columns)?;
            all.push(match name {
                Some(name) => expr.alias(name),
                None => expr,
            });
        }
        Ok(all)
    }
}

/// Expressions separated by commas, each with its name, if it has one.
pub(crate) fn named_list(text: &str) -> Result<Vec<(ast::Expr, Option<String>)>> {
    let failed = |error| parser_error(text, error);
    let mut parser = parser(text)?;
    let mut all = Vec::new();
    loop {
        let expr = parser.parse_expr().map_err(failed)?;
        let name = match parser.parse_keyword(Keyword::AS) {
            true => Some(parser.parse_identifier().map_err(failed)?.value),
            false => None,
        };
        all.push((expr, name));
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    match parser.peek_token().token {
        Token::EOF => Ok(all),
        other => Err(unreadable(text, &format!("`{other}` is not expected here"))),
    }
}

/// The expression that a parsed one stands for.
pub(crate) fn read(ast: &ast::Expr, names: &mut dyn Names) -> Result<Expr> {
    Reader { names, nested: 0 }.read(ast)
}

struct Reader<'a> {
    names: &'a mut dyn Names,
    nested: usize,
}

impl Reader<'_> {
    fn read(&mut self, ast: &ast::Expr) -> Result<Expr> {
        self.nested += 1;
        if self.nested > MOST_NESTED {
            let message =
                format!("an expression is nested more than {MOST_NESTED} deep; simplify it");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let expr = self.read_node(ast);
        self.nested -= 1;
        expr
    }

    fn boxed(&mut self, ast: &ast::Expr) -> Result<Box<Expr>> {
        self.read(ast).map(Box::new)
    }

    fn read_node(&mut self, ast: &ast::Expr) -> Result<Expr> {
        use ast::Expr as A;
        match ast {
            A::Identifier(name) => self.names.column(name),
            A::CompoundIdentifier(parts) => self.names.qualified(parts),
            A::Value(value) => constant::value(&value.value),
            A::TypedString(typed) => constant::typed(typed),
            A::Interval(interval) => constant::interval(interval),
            A::Nested(inner) => self.read(inner),
            A::BinaryOp { left, op, right } => self.binary(ast, left, op, right),
            A::UnaryOp { op, expr } => self.unary(ast, op, expr),
            A::IsNull(inner) => Ok(self.read(inner)?.is_null()),
            A::IsNotNull(inner) => Ok(self.read(inner)?.is_not_null()),
            A::IsTrue(inner) => Ok(self.read(inner)?.is_true()),
            A::IsNotTrue(inner) => Ok(!self.read(inner)?.is_true()),
            A::IsFalse(inner) => Ok(self.read(inner)?.is_false()),
            A::IsNotFalse(inner) => Ok(!self.read(inner)?.is_false()),
            A::IsUnknown(inner) => Ok(self.read(inner)?.is_null()),
            A::IsNotUnknown(inner) => Ok(self.read(inner)?.is_not_null()),
            A::IsDistinctFrom(left, right) => self.distinct(Comparison::Distinct, left, right),
            A::IsNotDistinctFrom(left, right) => {
                self.distinct(Comparison::NotDistinct, left, right)
            }
            A::InList {
                expr,
                list,
                negated,
            } => {
                let items = list.iter().map(|item| self.read(item));
                let items = items.collect::<Result<Vec<_>>>()?;
                Ok(negated_if(*negated, self.read(expr)?.is_in(items)))
            }
            A::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let value = self.read(expr)?;
                let between = value.between(self.read(low)?, self.read(high)?);
                Ok(negated_if(*negated, between))
            }
            A::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like(Pattern::Like, *negated, expr, pattern, escape_char.as_ref()),
            A::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like(
                Pattern::LikeAnyCase,
                *negated,
                expr,
                pattern,
                escape_char.as_ref(),
            ),
            A::RLike {
                negated,
                expr,
                pattern,
                ..
            } => {
                let (value, pattern) = (self.boxed(expr)?, self.boxed(pattern)?);
                let found = Expr(Node::Match(Pattern::Regex, value, pattern));
                Ok(negated_if(*negated, found))
            }
            A::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            A::Cast {
                kind,
                expr,
                data_type,
                array: false,
                format: None,
            } => {
                let to = data_type::read(data_type)?;
                let value = self.read(expr)?;
                Ok(match kind {
                    ast::CastKind::Cast | ast::CastKind::DoubleColon => value.cast(to),
                    ast::CastKind::TryCast | ast::CastKind::SafeCast => value.try_cast(to),
                })
            }
            A::Function(function) => match self.names.call(function)? {
                Some(expr) => Ok(expr),
                None => self.function(function),
            },
            A::Extract { .. }
            | A::Substring { .. }
            | A::Trim { .. }
            | A::Floor { .. }
            | A::Ceil { .. }
            | A::Position { .. } => self.special_call(ast),
            other => Err(unsupported(other)),
        }
    }

    fn distinct(&mut self, of: Comparison, left: &ast::Expr, right: &ast::Expr) -> Result<Expr> {
        let (left, right) = (self.boxed(left)?, self.boxed(right)?);
        Ok(Expr(Node::Compare(of, left, right)))
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
    ) -> Result<Expr> {
        let operand = operand.map(|operand| self.read(operand)).transpose()?;
        let mut branches = Vec::new();
        for ast::CaseWhen { condition, result } in conditions {
            let condition = self.read(condition)?;
            let condition = match &operand {
                Some(operand) => operand.clone().eq(condition),
                None => condition,
            };
            branches.push((condition, self.read(result)?));
        }
        let otherwise = otherwise.map(|it| self.boxed(it)).transpose()?;
        Ok(Expr(Node::Case {
            branches,
            otherwise,
        }))
    }

    fn like(
        &mut self,
        of: Pattern,
        negated: bool,
        value: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::ValueWithSpan>,
    ) -> Result<Expr> {
        let (value, mut pattern) = (self.boxed(value)?, self.boxed(pattern)?);
        if let Some(escape) = escape {
            pattern = Box::new(operator::with_escape(*pattern, &escape.value)?);
        }
        Ok(negated_if(negated, Expr(Node::Match(of, value, pattern))))
    }

    /// `a AND b AND c` is one node. The parser nests it as deep as it is long.
    fn chain(&mut self, of: Logic, ast: &ast::Expr) -> Result<Expr> {
        let op = match of {
            Logic::And => ast::BinaryOperator::And,
            Logic::Or => ast::BinaryOperator::Or,
        };
        let (mut parts, mut rest) = (Vec::new(), ast);
        while let ast::Expr::BinaryOp {
            left,
            op: found,
            right,
        } = rest
        {
            if *found != op {
                break;
            }
            parts.push(self.read(right)?);
            rest = left;
        }
        parts.push(self.read(rest)?);
        parts.reverse();
        let mut flat = Vec::new();
        for part in parts {
            match part.0 {
                Node::Logic(same, inner) if same == of => flat.extend(inner),
                other => flat.push(Expr(other)),
            }
        }
        Ok(Expr(Node::Logic(of, flat)))
    }
}

fn negated_if(negated: bool, expr: Expr) -> Expr {
    match negated {
        true => !expr,
        false => expr,
    }
}

/// The error of a form that is not supported.
fn unsupported(ast: &ast::Expr) -> Error {
    let what = match ast {
        ast::Expr::Subquery(_) | ast::Expr::InSubquery { .. } | ast::Expr::Exists { .. } => {
            "subqueries are not supported; run the inner query first, and write its result here"
        }
        ast::Expr::CompoundIdentifier(_) => {
            "there is one table, so write the column without a table in front of it"
        }
        _ => "this form is not supported; see docs/expressions.md for those that are",
    };
    unreadable(&ast.to_string(), what)
}

/// A text constant.
fn text_of(expr: &Expr) -> Option<&str> {
    match &expr.0 {
        Node::Literal(super::Literal(super::literal::Constant::Text(text))) => Some(text),
        _ => None,
    }
}
