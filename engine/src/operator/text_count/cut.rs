//! Where a long text may be cut without changing its tokens.

use crate::TokenRule;

/// Gives the length of a first part of `text`, of about `wanted` bytes, that ends where a token
/// cannot go on; all of it when there is no such place behind.
pub(crate) fn cut(rule: &TokenRule, text: &[u8], wanted: usize) -> usize {
    if text.len() <= wanted {
        return text.len();
    }
    let separates = separator(rule);
    let near = text[..wanted].iter().rposition(|&byte| separates(byte));
    let far = || {
        let behind = text[wanted..].iter().position(|&byte| separates(byte));
        behind.map(|place| wanted + place)
    };
    near.or_else(far).map_or(text.len(), |place| place + 1)
}

/// The bytes behind which nothing of a token is left, whatever stands before and after them.
fn separator(rule: &TokenRule) -> fn(u8) -> bool {
    match rule {
        TokenRule::Whitespace | TokenRule::Words => |byte| matches!(byte, b' ' | b'\n'),
        TokenRule::Split(_) | TokenRule::Lines | TokenRule::Field { .. } => |byte| byte == b'\n',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_lies_behind_a_separator_or_at_the_end() {
        let text = b"one two three";
        let cuts: Vec<usize> = (0..15)
            .map(|wanted| cut(&TokenRule::Whitespace, text, wanted))
            .collect();
        assert_eq!(cuts, [4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8, 13, 13]);
        assert_eq!(cut(&TokenRule::Lines, b"a b\nc d\ne", 5), 4);
        assert_eq!(cut(&TokenRule::Lines, b"a b c d e", 5), 9);
    }
}
