//! `keymill run` and `keymill validate`.

use std::fs;

use crate::command::{Folder, assert_fails, keymill, stdout_of, text};

#[test]
fn a_job_file_runs_as_flags_do() {
    let folder = Folder::new();
    folder.file("in/1", "a,3\nb,5\n");
    folder.file("in/2", "a|4\nc|1\n");
    let (one, two) = (folder.name("in-1"), folder.name("in-2"));
    for (number, place) in [("1", &one), ("2", &two)] {
        fs::create_dir(place).unwrap();
        fs::rename(folder.path("in").join(number), format!("{place}/x")).unwrap();
    }
    let out = folder.name("out");
    let job = format!(
        "key = 'site'\nagg = 'sum(count)'\navailable-now = true\ncolumns = 'site,count'\n\
         [[source]]\nfrom = 'dir:{one}'\n[[source]]\nfrom = 'dir:{two}'\ndelimiter = '|'\n\
         [[sink]]\nto = 'files:{out}'\nformat = 'csv'\n[[sink]]\nto = 'console:'\ntop = 1\n"
    );
    let job = folder.file("job.toml", job);
    let shown = stdout_of(&["run", &job], b"");
    assert!(text(&shown).contains("only showing top 1 rows"));
    let part = fs::read_to_string(format!("{out}/epoch=00000000/part-00000.csv")).unwrap();
    assert_eq!(part, "site,sum(count)\na,7\nb,5\nc,1\n");
}

#[test]
fn validation_opens_nothing() {
    let folder = Folder::new();
    let (out, checkpoint) = (folder.name("out"), folder.name("ck"));
    for (source, guarantee) in [
        ("tcp://127.0.0.1:1", "does not give again"),
        ("tcp-listen://127.0.0.1:1", "does not give again"),
        ("unix:/nowhere/socket", "does not give again"),
        ("dir:/nowhere/in", "exactly once: `files:"),
    ] {
        let job = format!(
            "from = '{source}'\ncount = true\nto = 'files:{out}'\ncheckpoint = '{checkpoint}'"
        );
        let job = folder.file("job.toml", job);
        let said = stdout_of(&["validate", &job], b"");
        let said = text(&said);
        assert!(said.contains(&format!("source      {source}\n")), "{said}");
        assert!(said.contains(guarantee), "{said}");
        assert_eq!(folder.names(), ["job.toml"]);
    }
}

#[test]
fn wrong_jobs_are_refused() {
    let folder = Folder::new();
    for (job, says) in [
        ("count = true", "name a source"),
        ("from = 'stdin:'", "--count, or --key"),
        (
            "from = 'stdin:'\ncount = true\nmode = 'append'",
            "may always change",
        ),
        ("from = 'stdin:'\nkey = 'k'\ncolumns = 'j'", "no column `k`"),
        (
            "from = 'stdin:'\nkey = 'k'\ncolumns = 'k,v'\nagg = 'sum(v)'\nsort = 'count'",
            "`count`",
        ),
        (
            "from = 'stdin:'\ncount = true\nevery = '1ms'",
            "the shortest is",
        ),
        (
            "from = 'stdin:'\ncuont = true",
            "job.toml:2: there is no key `cuont` here; did you mean `count`?",
        ),
    ] {
        let file = folder.file("job.toml", job);
        for command in ["run", "validate"] {
            assert_fails(&[command, &file], 2, &[says]);
        }
    }
    assert_fails(
        &["run", "/nowhere"],
        1,
        &["cannot read the job file `/nowhere`"],
    );
    let binary = folder.file("job.toml", [0xff, 0xfe]);
    assert_fails(&["validate", &binary], 1, &["cannot read the job file"]);
    let output = keymill().arg("validate").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
