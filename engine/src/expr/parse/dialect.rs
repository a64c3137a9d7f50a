//! The dialect that the parser reads.

use std::any::TypeId;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

/// Standard SQL with the operators that the generic dialect has.
#[derive(Debug)]
pub(super) struct SqlDialect;

impl Dialect for SqlDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_identifier_start(&self, first: char) -> bool {
        first.is_alphabetic() || first == '_'
    }

    fn is_identifier_part(&self, part: char) -> bool {
        part.is_alphanumeric() || part == '_'
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    // These are refused by name.
    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    /// `IS DISTINCT FROM` binds as `IS NULL` does. The parser takes all that follows for its right side.
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        use Keyword::{DISTINCT, FROM, IS, NOT};
        let make = match () {
            () if parser.parse_keywords(&[IS, DISTINCT, FROM]) => Expr::IsDistinctFrom,
            () if parser.parse_keywords(&[IS, NOT, DISTINCT, FROM]) => Expr::IsNotDistinctFrom,
            () => return None,
        };
        let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
        Some(right.map(|right| make(Box::new(left.clone()), Box::new(right))))
    }
}
