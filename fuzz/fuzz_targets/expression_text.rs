//! Any text is an expression or an error, and an expression that is written is read as the same one.
#![no_main]

use keymill::Expr;
use keymill::aggregate::AggregateExpr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(all) = Expr::list(text) {
        for expr in all {
            let written = expr.to_string();
            let read: Expr = written.parse().expect("what is written can be read");
            assert_eq!(read, expr, "{written}");
        }
    }
    drop(AggregateExpr::list(text));
});
