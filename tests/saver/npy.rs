//! `.npy` files: what numpy reads and wrote, room, recovery, bad files, faults.

use super::peer;
use memh5::format::npy;
use memh5::publish::{Fault, FaultFileSystem};
use memh5::saver::*;
use memh5::{AnyArray, DType, ErrorKind};
use ndarray::array;
use std::path::Path;

fn numpy(dir: &Path, code: &str) -> Option<String> {
    let python = peer::h5py()?;
    let script = dir.join("script.py");
    std::fs::write(&script, format!("import numpy as np, os, sys\nos.chdir({:?})\n{code}\n", dir.to_str().unwrap())).unwrap();
    Some(peer::run(&python, &script, &[]))
}

#[test]
fn the_path_is_the_exact_one() {
    let dir = tempfile::tempdir().unwrap();
    let saver = NumpySaver::new(dir.path().join("results"));
    saver.append(vec![1.0]).unwrap();
    saver.append(vec![2.0]).unwrap();
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["results"]);
    assert_eq!(saver.load().unwrap(), AnyArray::from(vec![1.0, 2.0]));
}

#[test]
fn an_append_is_in_place_and_writes_only_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    let fs = FaultFileSystem::new();
    let saver = NumpySaver::new(&path).file_system(fs.clone());
    saver.append(vec![0.0; 100_000]).unwrap();
    let identity = |p: &Path| memh5::publish::FileInfo::of(&std::fs::metadata(p).unwrap()).identity;
    let before = identity(&path);
    for _ in 0..20 {
        saver.append(vec![1.0; 10]).unwrap();
    }
    assert_eq!(identity(&path), before, "the file is the same one");
    let (reads, writes) = (fs.count(Some(memh5::publish::Operation::Read)), fs.count(Some(memh5::publish::Operation::Write)));
    assert!(reads < 200 && writes < 200, "{reads} reads, {writes} writes");
    assert_eq!(saver.load().unwrap().shape(), [100_200]);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 128 + 100_200 * 8);
}

#[test]
fn numpy_reads_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| NumpySaver::new(dir.path().join(name));
    let row = DType::compound_aligned([
        ("n", DType::I8),
        ("x", DType::F64),
        ("name", DType::fixed_utf8(12)),
        ("tag", DType::fixed_ascii(4)),
        ("grid", DType::array(DType::I16, [2, 3])),
        ("inner", DType::compound([("ok", DType::Bool), ("z", DType::C128)]).unwrap()),
    ])
    .unwrap();
    at("plain.npy").append(array![[1.5f32, 2.5]]).unwrap();
    at("plain.npy").append(array![[3.5f32, 4.5]]).unwrap();
    at("scalar.npy").overwrite(7u16).unwrap();
    at("empty.npy").append(AnyArray::zeros(DType::C64, [0, 3]).unwrap()).unwrap();
    at("bool.npy").append(vec![true, false]).unwrap();
    at("text.npy").append(vec!["zwölf", "𝄞", ""]).unwrap();
    at("bytes.npy").append(AnyArray::from_bytes(DType::fixed_ascii(2), [2], b"abc\0").unwrap()).unwrap();
    at("time.npy").append(AnyArray::from_bytes(DType::opaque(8, "NUMPY:<M8[s]"), [1], &60i64.to_le_bytes()).unwrap()).unwrap();
    at("big.npy").append(AnyArray::from(vec![1i32, -2]).with_dtype(&">i4".parse().unwrap()).unwrap()).unwrap();
    at("big.npy").append(vec![3i32]).unwrap();
    at("rows.npy").append(AnyArray::zeros(row, [2]).unwrap()).unwrap();
    let Some(said) = numpy(
        dir.path(),
        "for n in ['plain','scalar','empty','bool','text','bytes','time','big','rows']:\n    a=np.load(n+'.npy'); print(n, a.dtype.str if a.dtype.names is None else a.dtype.descr, a.shape, a.tolist() if a.dtype.names is None else [str(f) for f in a.dtype.names])",
    ) else {
        return;
    };
    for wanted in [
        "plain <f4 (2, 2) [[1.5, 2.5], [3.5, 4.5]]",
        "scalar <u2 () 7",
        "empty <c8 (0, 3) []",
        "bool |b1 (2,) [True, False]",
        "text <U5 (3,) ['zwölf', '𝄞', '']",
        "bytes |S2 (2,) [b'ab', b'c']",
        "time <M8[s] (1,) [datetime.datetime(1970, 1, 1, 0, 1)]",
        "big >i4 (3,) [1, -2, 3]",
        "['n', 'x', 'name', 'tag', 'grid', 'inner']",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in\n{said}");
    }
}

#[test]
fn what_numpy_wrote_is_read_and_grown() {
    let dir = tempfile::tempdir().unwrap();
    let code = r#"
np.save('f8.npy', np.arange(6.).reshape(3, 2))
np.save('fortran.npy', np.asfortranarray(np.arange(6).reshape(3, 2)))
np.save('text.npy', np.array(['abc', 'é']))
np.save('bigtext.npy', np.array(['abc', 'é']).astype('>U3'))
np.save('rows.npy', np.array([(1, 2.5, 'x', (1, 2)), (3, 4.5, 'yz', (3, 4))], dtype=[('a', '>i4'), ('b', 'f8'), ('c', 'U2'), ('d', 'u1', (2,))]))
np.save('padded.npy', np.zeros(2, dtype=np.dtype([('a', 'i1'), ('b', 'f8')], align=True)))
np.save('time.npy', np.array(['2020-01-01'], dtype='M8[D]'))
np.save('half.npy', np.array([0.5, 2], dtype='f2'))
np.save('object.npy', np.array([None, {}], dtype=object), allow_pickle=True)
np.savez('zip.npz', a=np.arange(3))
np.save('long.npy', np.array([1.5], dtype='g'))
np.save('wide.npy', np.zeros(1, dtype=[('field number %d' % i, 'u1') for i in range(4000)]))
np.save('greek.npy', np.zeros(1, dtype=[('α', 'u1')]))
# As an older numpy writes it: no room.
h = b"{'descr': '<i8', 'fortran_order': False, 'shape': (9,), }"
pad = -(10 + len(h) + 1) % 16
open('tight.npy', 'wb').write(b'\x93NUMPY\x01\x00' + (len(h) + pad + 1).to_bytes(2, 'little') + h + b' ' * pad + b'\n' + np.arange(9).tobytes())
"#;
    if numpy(dir.path(), code).is_none() {
        return;
    }
    let at = |name: &str| NumpySaver::new(dir.path().join(name));
    at("f8.npy").append(array![[6.0, 7.0]]).unwrap();
    assert_eq!(at("fortran.npy").load().unwrap(), array![[0i64, 1], [2, 3], [4, 5]].into());
    at("fortran.npy").update(vec![10, 11], (1.., 0)).unwrap();
    assert!(npy::header(dir.path().join("fortran.npy")).unwrap().fortran_order, "an update is in place");
    at("fortran.npy").append(array![[6, 7]]).unwrap();
    at("fortran.npy").append(array![[8, 9]]).unwrap();
    at("text.npy").append(vec!["öäü", ""]).unwrap();
    at("bigtext.npy").append(vec!["öäü", ""]).unwrap();
    assert_eq!(at("text.npy").append(vec!["four"]).unwrap_err().kind(), ErrorKind::Dtype);
    let rows = at("rows.npy").load().unwrap();
    at("rows.npy").append(rows.select(..1).unwrap()).unwrap();
    at("padded.npy").append(at("padded.npy").load().unwrap()).unwrap();
    at("time.npy").append(at("time.npy").load().unwrap()).unwrap();
    at("half.npy").append(vec![1.5]).unwrap();
    at("long.npy").append(vec![2.5]).unwrap();
    at("wide.npy").append(at("wide.npy").load().unwrap()).unwrap();
    at("greek.npy").append(at("greek.npy").load().unwrap()).unwrap();
    at("tight.npy").append(vec![9i64; 100_000]).unwrap();
    let room = npy::header(dir.path().join("tight.npy")).unwrap().data_offset;
    at("tight.npy").append(vec![9i64; 1]).unwrap();
    assert_eq!(npy::header(dir.path().join("tight.npy")).unwrap().data_offset, room, "written anew once");
    for name in ["object.npy", "zip.npz"] {
        let old = std::fs::read(dir.path().join(name)).unwrap();
        assert!(at(name).append(vec![1]).is_err() && at(name).update(1, 0).is_err() && at(name).load().is_err(), "{name}");
        assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), old, "{name} is untouched");
    }
    let check = r"
ok = lambda name, want: (lambda a: None if a.dtype == want.dtype and a.shape == want.shape and (a == want).all() else sys.exit(f'{name}: {a!r} is not {want!r}'))(np.load(name + '.npy'))
ok('f8', np.arange(8.).reshape(4, 2))
ok('fortran', np.array([[0, 1], [10, 3], [11, 5], [6, 7], [8, 9]]))
ok('text', np.array(['abc', 'é', 'öäü', '']))
ok('bigtext', np.array(['abc', 'é', 'öäü', '']).astype('>U3'))
r = [(1, 2.5, 'x', (1, 2)), (3, 4.5, 'yz', (3, 4))]
ok('rows', np.array(r + r[:1], dtype=[('a', '>i4'), ('b', 'f8'), ('c', 'U2'), ('d', 'u1', (2,))]))
p = np.load('padded.npy'); assert p.dtype.itemsize == 16 and p.shape == (4,), p
ok('time', np.array(['2020-01-01'] * 2, dtype='M8[D]'))
ok('half', np.array([0.5, 2, 1.5], dtype='f2'))
ok('long', np.array([1.5, 2.5], dtype='g'))
assert len(np.load('wide.npy', max_header_size=10**7)) == 2 and np.load('greek.npy').dtype.names == ('α',)
ok('tight', np.concatenate([np.arange(9), np.full(100001, 9)]))
";
    numpy(dir.path(), check).unwrap();
}

#[test]
fn bad_files_are_refused_and_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npy");
    let saver = NumpySaver::new(&path);
    for content in [&b""[..], b"PK\x03\x04 a zip", b"hello", b"\x93NUMPY\x01\x00\x76\x00{'descr'"] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(saver.append(vec![1]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(saver.update(1, 0).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(saver.load().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(std::fs::read(&path).unwrap(), content);
        // An overwrite replaces nothing that it does not know; an empty file is nothing.
        assert_eq!(saver.overwrite(vec![1]).is_ok(), content.is_empty());
    }
    let folder = NumpySaver::new(dir.path());
    for result in [folder.append(vec![1]), folder.overwrite(vec![1]), folder.update(1, 0), folder.load().map(drop)] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Io);
    }
    let nowhere = NumpySaver::new(dir.path().join("no/such/x.npy"));
    assert_eq!(nowhere.append(vec![1]).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(NumpySaver::new("").append(vec![1]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    std::fs::remove_file(&path).unwrap();
    let references = AnyArray::from_references([memh5::ObjectRef::default()]);
    assert_eq!(saver.append(references).unwrap_err().kind(), ErrorKind::Dtype);
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_cut_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npy");
    let saver = NumpySaver::new(&path);
    saver.append(ndarray::Array2::<f64>::ones((10, 3))).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let offset = npy::header(&path).unwrap().data_offset;
    // Rows that nobody was told are saved.
    std::fs::write(&path, [&whole[..], &[7; 30]].concat()).unwrap();
    assert_eq!(saver.load().unwrap().shape(), [10, 3]);
    let found = npy::recover(&path).unwrap();
    assert_eq!((found.rows_before, found.rows, found.cut), (10, 10, 30));
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    // A power failure has taken some.
    std::fs::write(&path, &whole[..offset + 4 * 24 + 5]).unwrap();
    for result in [saver.load().map(drop), saver.append(array![[1.0, 2.0, 3.0]]), saver.update(1.0, (0, 0))] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let found = npy::recover(&path).unwrap();
    assert_eq!((found.rows_before, found.rows, found.cut), (10, 4, 5));
    saver.append(array![[5.0, 5.0, 5.0]]).unwrap();
    assert_eq!(saver.load().unwrap().shape(), [5, 3]);
    for cut in [0, 5, 20, offset - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(npy::recover(&path).unwrap_err().kind(), ErrorKind::Corrupt, "{cut}");
    }
    assert_eq!(npy::recover(dir.path().join("no.npy")).unwrap_err().kind(), ErrorKind::NotFound);
}

/// Every call fails in turn, and the process dies at every call: what is there is the state before or after the save.
#[test]
fn every_call_fails_in_turn() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npy");
    let rows = AnyArray::from((0..3000).collect::<Vec<i64>>());
    for full in [false, true] {
        let durability = if full { memh5::publish::Durability::Full } else { memh5::publish::Durability::Process };
        for approach in [Approach::Append, Approach::Overwrite, Approach::Update] {
            for fault in [Fault::Io, Fault::NoSpace, Fault::FillsUp, Fault::Short, Fault::Interrupted, Fault::Crash] {
                for n in 1.. {
                    let plain = NumpySaver::new(&path);
                    plain.overwrite(&rows).unwrap();
                    let indices = if approach == Approach::Update { vec![0, 2999, 1500].into() } else { Indices::NONE };
                    let data = AnyArray::from(vec![-1i64, -2, -3]);
                    let faulty = FaultFileSystem::new();
                    let saver = NumpySaver::new(&path).file_system(faulty.clone());
                    faulty.fail_call(n, fault);
                    let options = SaveOptions::new().approach(approach).durability(durability);
                    let result = saver.save_array(&data, &indices, &options);
                    let what = format!("{approach:?} {fault:?} at call {n}: {result:?}");
                    // Another process comes, first one that knows nothing of journals: it sees the old, the new, or that the file is neither.
                    let mut after = rows.clone();
                    match approach {
                        Approach::Append => after.append(&data).unwrap(),
                        Approach::Overwrite => after = data.clone(),
                        Approach::Update => after.assign(vec![0, 2999, 1500], &data).unwrap(),
                    }
                    let alone = elsewhere.path().join("alone.npy");
                    std::fs::copy(&path, &alone).unwrap();
                    match npy::read(&alone) {
                        Ok(found) => assert!(found == rows || found == after, "{what}: torn for plain readers"),
                        Err(e) => assert!(e.kind() == ErrorKind::Corrupt && e.to_string().contains("in part"), "{what}: {e}"),
                    }
                    let found = plain.load().unwrap_or_else(|e| panic!("{what}: {e}"));
                    assert!(found == rows || found == after, "{what}: torn");
                    if result.is_ok() {
                        assert_eq!(found, after, "{what}: an acknowledged save is lost");
                    }
                    plain.append(&data).unwrap_or_else(|e| panic!("{what}, then: {e}"));
                    let left = std::fs::read_dir(dir.path()).unwrap().count();
                    assert_eq!(left, 1, "{what}");
                    if !faulty.has_failed() {
                        break;
                    }
                }
            }
        }
    }
}

/// A header of several pages is changed all at once too.
#[test]
fn a_header_of_many_fields_is_never_torn() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide.npy");
    let fields: Vec<(String, DType)> = (0..400).map(|k| (format!("a field of number {k}"), DType::U8)).collect();
    let row = DType::compound(fields.iter().map(|(n, t)| (n.as_str(), t.clone()))).unwrap();
    let rows = |n: usize| AnyArray::zeros(row.clone(), [n]).unwrap();
    for fault in [Fault::Crash, Fault::FillsUp] {
        for n in 1.. {
            let plain = NumpySaver::new(&path);
            plain.overwrite(rows(9)).unwrap();
            assert!(npy::header(&path).unwrap().data_offset > 2 * 4096);
            let faulty = FaultFileSystem::new();
            faulty.fail_call(n, fault);
            let result = NumpySaver::new(&path).file_system(faulty.clone()).append(rows(1));
            let alone = elsewhere.path().join("alone.npy");
            std::fs::copy(&path, &alone).unwrap();
            match npy::read(&alone) {
                Ok(found) => assert!([9, 10].contains(&found.shape()[0]), "{fault:?} {n}"),
                Err(e) => assert!(e.to_string().contains("in part"), "{fault:?} {n}: {e}"),
            }
            let found = plain.load().unwrap().shape()[0];
            assert!(found == 10 || (found == 9 && result.is_err()), "{fault:?} {n}: {found} rows, {result:?}");
            if !faulty.has_failed() {
                break;
            }
        }
    }
}
