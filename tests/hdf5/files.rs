//! Files: modes, errors, who holds them, images.

use memh5::format::hdf5::{Hdf5File, Hdf5Format, LibraryBound};
use memh5::format::{self, Format};
use memh5::prelude::*;
use memh5::{ErrorKind, Mode};
use std::fs;
use std::path::PathBuf;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn made(dir: &tempfile::TempDir) -> PathBuf {
    let path = dir.path().join("file.h5");
    let root = format::open(&path, Mode::Truncate).unwrap();
    root.create_dataset("d").write(vec![1, 2, 3]).unwrap();
    root.close_tree().unwrap();
    path
}

fn kind(path: &std::path::Path, mode: Mode) -> ErrorKind {
    let error = Hdf5Format.open(path, mode).unwrap_err();
    println!("{error}");
    assert_eq!(error.file(), Some(path), "{error}");
    error.kind()
}

#[test]
fn modes_do_what_h5py_does() {
    let dir = dir();
    let missing = dir.path().join("missing.h5");
    assert_eq!(kind(&missing, Mode::Read), ErrorKind::NotFound);
    assert_eq!(kind(&missing, Mode::ReadWrite), ErrorKind::NotFound);
    assert_eq!(kind(&dir.path().join("no/such/dir.h5"), Mode::Truncate), ErrorKind::NotFound);
    let path = made(&dir);
    assert_eq!(kind(&path, Mode::CreateNew), ErrorKind::AlreadyExists);
    let root = format::open(&path, Mode::Read).unwrap();
    assert!(!root.location().writable);
    for error in [
        root.create_group("g").unwrap_err(),
        root.delete("d").unwrap_err(),
        root.attrs().set("a", 1).unwrap_err(),
        root.dataset("d").unwrap().write(vec![4, 5, 6]).unwrap_err(),
        root.rename("d", "e").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    }
    root.close_tree().unwrap();
    for mode in [Mode::ReadWrite, Mode::Append] {
        let root = format::open(&path, mode).unwrap();
        root.attrs().set("mode", "w").unwrap();
        assert_eq!(root.keys().unwrap(), ["d"]);
        root.close_tree().unwrap();
    }
    format::open(&path, Mode::Truncate).unwrap().close_tree().unwrap();
    assert!(format::open(&path, Mode::Read).unwrap().is_empty().unwrap());
    format::open(&missing, Mode::Append).unwrap();
    assert!(format::open(&missing, Mode::Read).unwrap().is_empty().unwrap());
}

#[test]
fn what_is_no_hdf5_file_is_said_so() {
    let dir = dir();
    let text = dir.path().join("text.h5");
    fs::write(&text, "this is no HDF5 file").unwrap();
    let empty = dir.path().join("empty.h5");
    fs::write(&empty, "").unwrap();
    for mode in [Mode::Read, Mode::ReadWrite, Mode::Append] {
        assert_eq!(kind(&text, mode), ErrorKind::Corrupt);
        assert_eq!(kind(&empty, mode), ErrorKind::Corrupt);
        assert_eq!(kind(dir.path(), mode), ErrorKind::Io);
    }
    assert_eq!(kind(dir.path(), Mode::Truncate), ErrorKind::Io);
    assert_eq!(fs::read_to_string(&text).unwrap(), "this is no HDF5 file");
    assert!(!Hdf5Format.recognizes(&text).unwrap() && !Hdf5Format.recognizes(dir.path()).unwrap());
    let path = made(&dir);
    assert!(Hdf5Format.recognizes(&path).unwrap());
    let bytes = fs::read(&path).unwrap();
    fs::write(&text, &bytes[..bytes.len() - 100]).unwrap();
    let error = Hdf5Format.open(&text, Mode::Read).unwrap_err();
    assert_eq!((error.kind(), error.message().contains("truncated")), (ErrorKind::Corrupt, true), "{error}");
    let behind: Vec<u8> = std::iter::repeat_n(b'#', 1024).chain(bytes).collect();
    fs::write(&text, behind).unwrap();
    assert!(Hdf5Format.recognizes(&text).unwrap());
    assert_eq!(format::open(&text, Mode::Read).unwrap().keys().unwrap(), ["d"]);
}

#[test]
fn damaged_files_give_errors() {
    let dir = dir();
    let path = made(&dir);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(13).take(60) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        let Ok(root) = memh5::format::hdf5::Hdf5Group::from_bytes(&bad) else { continue };
        // Any result but a crash: checksums guard the metadata, and nothing the numbers.
        let _ = root.dataset("d").and_then(|d| d.read_array());
    }
}

#[test]
fn close_is_final_and_can_be_said_twice() {
    let dir = dir();
    let path = made(&dir);
    let root = format::open(&path, Mode::ReadWrite).unwrap();
    let data = root.dataset("d").unwrap();
    root.close_tree().unwrap();
    root.close_tree().unwrap();
    for error in [
        root.keys().unwrap_err(),
        root.create_group("g").unwrap_err(),
        data.read_array().unwrap_err(),
        data.write(vec![1, 2, 3]).unwrap_err(),
        data.attrs().keys().unwrap_err(),
        data.id().unwrap_err(),
        root.flush().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    drop((data, root));
    // Dropping the last handle closes too.
    let data = format::open(&path, Mode::ReadWrite).unwrap().dataset("d").unwrap();
    data.write(vec![7, 8, 9]).unwrap();
    drop(data);
    let root = format::open(&path, Mode::Truncate).unwrap();
    assert!(root.is_empty().unwrap());
}

#[test]
fn a_file_that_is_open_here_is_not_replaced() {
    let dir = dir();
    let path = made(&dir);
    let root = format::open(&path, Mode::Read).unwrap();
    assert_eq!(kind(&path, Mode::Truncate), ErrorKind::Locked);
    assert_eq!(kind(&path, Mode::ReadWrite), ErrorKind::Locked);
    let second = format::open(&path, Mode::Read).unwrap();
    assert_eq!(root.dataset("d").unwrap().read_slice::<Vec<i32>>(..).unwrap(), [1, 2, 3]);
    root.close_tree().unwrap();
    assert_eq!(second.dataset("d").unwrap().read_slice::<Vec<i32>>(..).unwrap(), [1, 2, 3]);
}

#[test]
fn the_holder_of_a_lock_is_named() {
    let dir = dir();
    let path = made(&dir);
    let mut holder = std::process::Command::new("flock").arg("-x").arg(&path).args(["sleep", "30"]).spawn().unwrap();
    let begin = std::time::Instant::now();
    let error = loop {
        match format::open(&path, Mode::ReadWrite) {
            Err(e) => break e,
            Ok(root) => root.close_tree().unwrap(),
        }
        assert!(begin.elapsed().as_secs() < 10, "the lock never came");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let truncate = format::open(&path, Mode::Truncate).unwrap_err();
    let _ = holder.kill();
    let _ = holder.wait();
    for error in [error, truncate] {
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        assert!(error.remedy_text().is_some() && error.message().contains("process"), "{error}");
        println!("{error}");
    }
    assert!(fs::metadata(&path).unwrap().len() > 100, "the file is as it was");
}

#[test]
fn a_full_disk_is_an_error_and_poisons_the_file() {
    // /dev/full would not take a file; a limit on the size of files does the same.
    let dir = dir();
    let path = dir.path().join("limited.h5");
    let me = std::env::current_exe().unwrap();
    let run = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 200; trap '' XFSZ; exec \"$0\" --exact files::child_that_meets_the_limit --ignored --nocapture"])
        .arg(me)
        .env("MEMH5_LIMITED", &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && text.contains("limit met"), "{text}");
}

#[test]
#[ignore = "run by a_full_disk_is_an_error_and_poisons_the_file"]
fn child_that_meets_the_limit() {
    let Some(path) = std::env::var_os("MEMH5_LIMITED") else { return };
    let root = format::open(std::path::Path::new(&path), Mode::Truncate).unwrap();
    root.create_dataset("small").write(vec![1u8; 100]).unwrap();
    let error = root.create_dataset("large").write(vec![1u8; 1 << 20]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    println!("{error}");
    let error = root.create_group("more").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    assert_eq!(root.dataset("small").unwrap().read_slice::<Vec<u8>>(..).unwrap(), vec![1u8; 100]);
    let error = root.close_tree().unwrap_err();
    println!("limit met: {error}");
    assert_eq!(root.create_group("more").unwrap_err().kind(), ErrorKind::Poisoned);
    drop(root);
    // Not seen before the file is closed: the metadata alone meets the limit.
    let root = format::open(std::path::Path::new(&path), Mode::Truncate).unwrap();
    for i in 0..3000 {
        if root.create_group(&format!("a group with quite a long name {i}")).is_err() {
            break;
        }
    }
    let error = root.close_tree().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Poisoned), "{error}");
    println!("{error}");
}

#[test]
fn bounds_and_images() {
    let dir = dir();
    let path = dir.path().join("v110.h5");
    let file = Hdf5File::options().bound(LibraryBound::V110).open(&path, Mode::CreateNew).unwrap();
    file.root().unwrap().create_dataset("d").shape([4]).maxshape([None]).create().unwrap();
    file.flush().unwrap();
    let bytes = file.to_bytes().unwrap();
    file.close().unwrap();
    let image = Hdf5File::from_bytes(&bytes).unwrap();
    assert_eq!(image.root().unwrap().dataset("d").unwrap().shape().unwrap(), [4]);
    image.root().unwrap().create_group("more").unwrap();
    let image = Hdf5File::from_bytes(&image.to_bytes().unwrap()).unwrap();
    assert_eq!(image.root().unwrap().keys().unwrap(), ["d", "more"]);
    assert_eq!(image.root().unwrap().location().file, None);
    for bytes in [&b""[..], b"nothing of the kind", &[0; 4096]] {
        assert_eq!(Hdf5File::from_bytes(bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert_eq!(format::open(&path, Mode::Read).unwrap().keys().unwrap(), ["d"]);
}

/// HDF5 gives a new contiguous dataset the room of a deleted one, and does not fill it.
#[test]
fn elements_that_were_never_written_are_zero_also_in_room_used_before() {
    let dir = tempfile::tempdir().unwrap();
    let file = Hdf5File::open(dir.path().join("a.h5"), Mode::Truncate).unwrap();
    let root = file.root().unwrap();
    root.create_dataset("old").write(vec![u64::MAX; 3_000_000]).unwrap();
    // What lies after it keeps the file from becoming shorter.
    root.create_dataset("after").write(vec![1u8; 100]).unwrap();
    root.delete("old").unwrap();
    root.flush().unwrap();
    for (name, shape) in [("line", vec![2_000_000]), ("table", vec![3, 5, 20]), ("wide", vec![2, 700_000]), ("one", vec![1, 1])] {
        let d = root.create_dataset(name).dtype(memh5::DType::I32).shape(shape.clone()).create().unwrap();
        d.write_slice(0, 7i32).unwrap();
        let read = d.read::<i32>().unwrap();
        for (k, row) in read.outer_iter().enumerate() {
            assert!(row.iter().all(|v| *v == if k == 0 { 7 } else { 0 }), "{name} row {k}");
        }
    }
    let text = root.create_dataset("text").dtype(memh5::DType::STR).shape([2, 1000]).create().unwrap();
    text.write_slice(0, "seven").unwrap();
    assert_eq!(text.read_slice::<Vec<String>>(1).unwrap(), vec![String::new(); 1000]);
    let refs = root.create_dataset("refs").dtype(memh5::DType::ObjectRef).shape([2, 1000]).create().unwrap();
    refs.write_slice(0, root.reference().unwrap()).unwrap();
    assert!(refs.read_slice::<memh5::AnyArray>(1).unwrap().to_references().unwrap().iter().all(|r| r.is_null()));
}
