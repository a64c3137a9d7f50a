//! Queries that are killed, and started again until they end by themselves.
#![cfg(unix)]

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::text;

/// Kills a query at a step of an epoch, such as `delta:1`, and starts it again. Returns whether it came to
/// this step.
#[allow(dead_code, reason = "builds without outside systems do not use it")]
pub(crate) fn killed_at(step: &str, query: impl Fn() -> Command) -> bool {
    let killed = query().env("KEYMILL_TEST_KILL_AT", step).output().unwrap();
    let output = query().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    killed.status.code().is_none()
}

/// How often queries are killed at random moments: `KEYMILL_KILLS=2000` is a long form.
pub(crate) fn wanted(short: u32) -> u32 {
    let wanted = std::env::var("KEYMILL_KILLS").ok();
    wanted.and_then(|it| it.parse().ok()).unwrap_or(short)
}

/// A seeded sequence of moments at which queries are killed.
pub(crate) struct Moments {
    random: u64,
    /// A query is killed within this time.
    within: Duration,
    /// How often queries were killed.
    pub(crate) kills: u32,
}

impl Moments {
    pub(crate) fn new(seed: u64, within: Duration) -> Self {
        Self {
            random: seed,
            within,
            kills: 0,
        }
    }

    /// A random moment, later after each kill, so that a query on a slow machine comes to its end.
    fn next(&mut self, kills: u32) -> Duration {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let within = self.within + self.within / 4 * kills;
        Duration::from_micros((self.random >> 33) % within.as_micros() as u64)
    }

    /// Starts a query and kills it, again and again, until it ends before its moment.
    pub(crate) fn kill_until_done(&mut self, query: impl Fn() -> Command) {
        for kills in 0.. {
            let mut child = query().spawn().unwrap();
            let until = Instant::now() + self.next(kills);
            while Instant::now() < until && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0));
                return;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            self.kills += 1;
        }
    }
}
