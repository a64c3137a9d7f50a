//! The state of a reader of comma-separated values, byte by byte.

use super::QUOTE;

/// Calls `end` with the place of every delimiter and line end outside of quotes, and whether it is a line
/// end. Returns whether the text ends inside quotes.
pub(super) fn scan(text: &[u8], delimiter: u8, mut end: impl FnMut(usize, bool)) -> bool {
    let mut state = State::FieldStart;
    for (at, &byte) in text.iter().enumerate() {
        let is_end = byte == delimiter || byte == b'\n';
        state = match state {
            State::Quoted if byte == QUOTE => State::AfterQuote,
            State::Quoted => State::Quoted,
            State::FieldStart | State::AfterQuote if byte == QUOTE => State::Quoted,
            _ if is_end => {
                end(at, byte == b'\n');
                State::FieldStart
            }
            _ => State::Unquoted,
        };
    }
    state == State::Quoted
}

/// The bytes of a field after its opening quote, without the closing one, and with one quote for two.
pub(super) fn unquoted(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut state = State::Quoted;
    for &byte in field {
        state = match (state, byte) {
            (State::Quoted, QUOTE) => State::AfterQuote,
            (State::AfterQuote, QUOTE) => State::Quoted,
            (State::AfterQuote, _) => State::Unquoted,
            (state, _) => state,
        };
        if state != State::AfterQuote {
            bytes.push(byte);
        }
    }
    bytes
}

#[derive(PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote within quotes: it closes them, or another quote follows.
    AfterQuote,
}
