//! Files, links, devices and sockets as outputs.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut output = OutputFile::create(path)?;
    output.write_all(bytes).unwrap();
    output.commit()
}

#[test]
fn a_file_changes_at_commit_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    fs::write(&path, "old").unwrap();
    let mut output = OutputFile::create(&path).unwrap();
    output.write_all(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    output.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn a_dropped_output_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = OutputFile::create(&folder.path().join("out")).unwrap();
    output.write_all(b"half").unwrap();
    drop(output);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn errors_about_folders_name_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/out");
    for path in [folder.path(), &missing] {
        let error = OutputFile::create(path).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Sink);
        assert!(error.to_string().contains(&path.display().to_string()));
    }
}

#[test]
fn folder_names_are_refused_before_writing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["new/", "new/.", "new/..", "new//"] {
        let error = OutputFile::create(&folder.path().join(name)).unwrap_err();
        assert!(error.to_string().contains("; name a file: "), "{error}");
        assert_eq!(names(folder.path()), [""; 0], "{name}");
    }
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("new/", &link).unwrap();
        assert!(OutputFile::create(&link).is_err(), "through a link");
        assert_eq!(names(folder.path()), ["link"]);
    }
    write(&folder.path().join("new"), b"x").unwrap();
}

#[cfg(unix)]
#[test]
fn a_symlink_stays_and_its_target_keeps_its_mode() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deep")).unwrap();
    let target = folder.path().join("deep/target");
    let link = folder.path().join("link");
    symlink("deep/target", &link).unwrap();
    for mode in [0o666, 0o604] {
        write(&link, b"through").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"through");
        fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
        write(&link, b"again").unwrap();
        assert_eq!(
            fs::metadata(&target).unwrap().permissions().mode() & 0o777,
            mode
        );
    }
    assert_eq!(names(&folder.path().join("deep")), ["target"]);
}

#[cfg(unix)]
#[test]
fn a_cycle_of_symlinks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("link", &link).unwrap();
    assert!(OutputFile::create(&link).is_err());
}

#[cfg(unix)]
#[test]
fn a_socket_is_written_directly() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    write(&path, b"hello").unwrap();
    let mut received = String::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_string(&mut received)
        .unwrap();
    assert_eq!(received, "hello");
    assert_eq!(names(folder.path()), ["socket"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error_that_names_it() {
    let mut output = OutputFile::create(Path::new("/dev/full")).unwrap();
    let error = output.write_all(b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("/dev/full"));
}

#[cfg(unix)]
#[test]
fn special_bits_are_dropped_and_the_owner_stays() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    fs::write(&path, "old").unwrap();
    // Only root may change the owner. Other users test only the bits.
    let other = chown(&path, Some(4711), Some(4712)).is_ok();
    let owner = fs::metadata(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
    write(&path, b"new").unwrap();
    let found = fs::metadata(&path).unwrap();
    assert_eq!(found.permissions().mode() & 0o7777, 0o755);
    assert_eq!((found.uid(), found.gid()), (owner.uid(), owner.gid()));
    assert!(!other || found.uid() == 4711);
}

/// As on file systems that have no files without a name.
#[test]
fn a_temporary_file_with_a_name_is_renamed_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let named = |bytes: &[u8]| {
        let (mut file, path) = unused_name(&target, |path| new_file(true).open(path)).unwrap();
        file.write_all(bytes).unwrap();
        let temporary = Some(path);
        let replacement = Replacement {
            temporary,
            target: target.clone(),
        };
        OutputFile::to(Out::File(file), &target, Target::Replaced(replacement))
    };
    let dropped = named(b"half");
    assert!(dropped.temporary().unwrap().exists());
    drop(dropped);
    assert_eq!(names(folder.path()), [""; 0]);
    named(b"whole").commit().unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"whole");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn a_file_written_in_place_is_truncated_at_the_first_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    fs::write(&path, "precious").unwrap();
    let open = || {
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        OutputFile::to(Out::File(file), &path, Target::InPlace { is_cut: false })
    };
    drop(open());
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let mut output = open();
    output.write_all(b"new").unwrap();
    output.write_all(b"er").unwrap();
    output.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"newer");
    open().commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
}
