//! Two queries that write to one place at the same time: one of them ends with an error.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Folder, keymill, text};

/// A query that has stopped at a step of an epoch.
struct Stopped(Child);

impl Stopped {
    fn at(step: &str, mut query: Command) -> Self {
        query.env("KEYMILL_TEST_STOP_AT", step);
        let mut stopped = Self(query.stderr(Stdio::piped()).spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        let stat = format!("/proc/{}/stat", stopped.0.id());
        while !fs::read_to_string(&stat).unwrap().contains(") T ") {
            assert_eq!(stopped.0.try_wait().unwrap(), None, "it has ended");
            assert!(Instant::now() < until, "it does not stop");
            thread::sleep(Duration::from_millis(10));
        }
        stopped
    }

    fn go_on(self) -> Output {
        let process = Pid::from_raw(self.0.id() as i32).unwrap();
        kill_process(process, Signal::CONT).unwrap();
        self.0.wait_with_output().unwrap()
    }
}

/// `query` writes to a place, by its name, with a checkpoint in a folder.
pub(crate) fn one_of_two_ends(query: impl Fn(&Folder, &str) -> Command) {
    // Before the first one writes, and when it is about to commit.
    for step in ["offsets:0", "prepared:0"] {
        let (one, other) = (Folder::new(), Folder::new());
        let place = format!("both-{}", &step[..step.len() - 2]);
        let stopped = Stopped::at(step, query(&one, &place));
        let output = query(&other, &place).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let output = stopped.go_on();
        let says = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{step}: {says}");
        assert!(says.contains("another query"), "{step}: {says}");
        // The other one is not disturbed.
        let output = query(&other, &place).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}

#[test]
fn one_of_two_queries_into_a_folder_ends_with_an_error() {
    let out = Folder::new();
    one_of_two_ends(|folder, place| {
        fs::create_dir_all(folder.path("in")).unwrap();
        fs::write(folder.path("in/words"), "to be or not to be\n").unwrap();
        let from = format!("dir:{}", folder.name("in"));
        let to = format!("files:{}", out.name(place));
        let mut query = keymill();
        query.args(["stream", "--from", &from, "--count", "--available-now"]);
        query.args(["--checkpoint", &folder.name("ck"), "--to", &to]);
        query
    });
}
