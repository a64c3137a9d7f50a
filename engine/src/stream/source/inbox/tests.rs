//! What a reader gives comes out in order, whole, and within its limits.

use super::*;

fn text(received: &mut Received) -> Vec<u8> {
    received.blocks.concat()
}

/// Gives a few bytes at a time.
struct Packets(Vec<u8>, usize);

impl Read for Packets {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.len().min(self.1).min(into.len());
        into[..bytes].copy_from_slice(&self.0[..bytes]);
        self.0.drain(..bytes);
        Ok(bytes)
    }
}

#[test]
fn lines_across_packets_stay_whole() {
    let sent = b"to be\nor not\n\nto be, that\r\nis the question".to_vec();
    for packet in 1..sent.len() + 1 {
        let inbox = Inbox::new(Wake::default(), 1 << 20, 7);
        inbox.receive(Packets(sent.clone(), packet)).unwrap();
        let mut received = inbox.take(&EpochLimits::default()).unwrap().unwrap();
        let mut expected = sent.clone();
        expected.push(b'\n');
        assert_eq!(text(&mut received), expected);
        let end = 7 + expected.len() as u64;
        assert_eq!(received.range, OffsetRange::numbers(7, end));
        assert!(inbox.take(&EpochLimits::default()).unwrap().is_none());
    }
}

#[test]
fn limits_cut_at_line_ends() {
    let sent = b"a\nbb\nccc\ndddd\n".to_vec();
    for bytes in 1..20 {
        let inbox = Inbox::new(Wake::default(), 1 << 20, 0);
        inbox.receive(sent.as_slice()).unwrap();
        let limits = EpochLimits {
            bytes: Some(bytes),
            ..EpochLimits::default()
        };
        let mut all = Vec::new();
        while let Some(mut received) = inbox.take(&limits).unwrap() {
            let text = text(&mut received);
            assert!(text.ends_with(b"\n"));
            let lines = text.iter().filter(|&&byte| byte == b'\n').count();
            assert!(text.len() as u64 <= bytes || lines == 1, "{bytes}");
            all.extend(text);
        }
        assert_eq!(all, sent);
    }
}

#[test]
fn a_line_that_memory_cannot_hold_is_an_error() {
    let inbox = Inbox::new(Wake::default(), 0, 0);
    let endless = vec![b'x'; 3 * BLOCK_BYTES];
    inbox
        .receive([b"first\n", &endless[..]].concat().as_slice())
        .unwrap();
    let mut received = inbox.take(&EpochLimits::default()).unwrap().unwrap();
    assert_eq!(text(&mut received), b"first\n");
    let error = inbox.take(&EpochLimits::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Capacity);
}

#[test]
fn a_full_inbox_makes_the_connection_wait() {
    let inbox = Inbox::new(Wake::default(), 0, 0);
    let line = [vec![b'x'; BLOCK_BYTES], vec![b'\n']].concat();
    let sender = inbox.clone();
    let sent = line.repeat(8);
    let thread = std::thread::spawn(move || sender.receive(sent.as_slice()));
    let mut taken = 0;
    while taken < 8 * line.len() {
        assert!(inbox.waiting_bytes() as usize <= 2 * BLOCK_BYTES + READ_BYTES + 2);
        if let Some(mut received) = inbox.take(&EpochLimits::default()).unwrap() {
            taken += text(&mut received).len();
        }
    }
    thread.join().unwrap().unwrap();
    assert_eq!(taken, 8 * line.len());
}
