//! What h5py writes is read, and what is written h5py reads.

use memh5::dtype::{FloatType, FloatWidth, IntType, Order};
use memh5::prelude::*;
use memh5::tree::{GroupSpec, Node, Region, RegionKind};
use memh5::{AnyArray, DType, Filter, Mode, ObjectRef, RegionRef};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) fn python() -> Option<PathBuf> {
    let path = std::env::var_os("MEMH5_PYTHON").map_or_else(|| PathBuf::from("target/venv/light/bin/python"), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: there is no Python with h5py at {} (MEMH5_PYTHON)", path.display());
    None
}

pub(super) fn run(python: &Path, script: &str, file: &Path) -> String {
    let out = Command::new(python).arg("-c").arg(script).arg(file).output().unwrap();
    assert!(out.status.success(), "{}\n{}", script, String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

const WRITE: &str = r#"
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1], "w", track_order=False)
n = 0
for t in "? i1 <i2 >i2 <i4 >i4 <i8 >i8 u1 <u2 >u2 <u4 >u4 <u8 >u8 <f2 >f2 <f4 >f4 <f8 >f8 <c8 >c8 <c16 >c16 g >g G S7 V5".split():
    a = np.frombuffer(bytes(i % 2 for i in range(6 * np.dtype(t).itemsize)), dtype=t).reshape(2, 3)
    f.create_dataset(f"plain{n}", data=a)
    f.attrs.create(f"plain{n}", a)
    n += 1
rows = np.zeros(3, dtype=np.dtype([("a", "i1"), ("b", ">f8"), ("c", "S3", (2,)), ("d", [("x", "<u2"), ("y", "<c16")])], align=True))
rows["a"] = [1, 2, 3]; rows["b"] = [0.5, 1.5, 2.5]; rows["d"]["y"] = 1 - 2j
f["rows"] = rows
f["text"] = ["a", "", "gr\u00fcn"]
f["vlen"] = np.array([np.arange(3), np.arange(0), np.arange(5)], dtype=object) if False else 0
del f["vlen"]
d = f.create_dataset("vlen", (3,), dtype=h5py.vlen_dtype(">i4"))
d[0] = [1, 2, 3]; d[2] = [-7]
f.create_dataset("enum", data=np.array([0, 42, 1]), dtype=h5py.enum_dtype({"RED": 0, "GREEN": 1, "BLUE": 42}, basetype=">i2"))
f.create_dataset("void", data=np.void(b"hello"))
f["empty"] = h5py.Empty("f4")
f.attrs["empty"] = h5py.Empty("S10")
f.attrs["big"] = "x"
r = f.create_dataset("regions", (3,), dtype=h5py.regionref_dtype)
r[0] = f["rows"].regionref[0:2]
r[1] = f["plain4"].regionref[:, 1]
o = f.create_dataset("objects", (2,), dtype=h5py.ref_dtype)
o[0] = f["rows"].ref
f["compound_ref"] = np.array([(1, f["rows"].ref)], dtype=np.dtype([("n", "i4"), ("r", h5py.ref_dtype)]))
f.create_dataset("zipped", data=np.arange(1000).reshape(10, 100), chunks=(3, 40), compression="gzip", shuffle=True, fletcher32=True)
f.create_dataset("scaled", data=np.arange(100), chunks=(10,), scaleoffset=0)
f.create_dataset("unlimited", data=np.arange(6.).reshape(2, 3), maxshape=(None, 3), fillvalue=-1)
f["named"] = np.dtype([("p", "f4"), ("q", "f4")])
f.create_dataset("of_named", shape=(2,), dtype=f["named"])
g = f.create_group("tracked", track_order=True)
for k in "zyxa":
    g.attrs[k] = 1
    g.create_group(k)
f["soft"] = h5py.SoftLink("/rows")
f["ext"] = h5py.ExternalLink("other.h5", "/there")
layout = h5py.VirtualLayout(shape=(2, 3), dtype="f8")
layout[...] = h5py.VirtualSource(f["unlimited"])
f.create_virtual_dataset("virtual", layout)
import h5py.h5t as T
t = T.STD_I32LE.copy(); t.set_precision(24)
T_id = h5py.h5d.create(f.id, b"odd", t, h5py.h5s.create_simple((4,)))
t = T.enum_create(T.STD_I8BE)
t.enum_insert(b"FALSE", 0); t.enum_insert(b"TRUE", 1)
h5py.h5d.create(f.id, b"bool_of_s390x", t, h5py.h5s.create_simple((2,)))
f["bool_of_s390x"][1] = True
"#;

#[test]
fn what_h5py_writes_is_read() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h5py.h5");
    run(&python, WRITE, &path);
    let root = memh5::format::open(&path, Mode::Read).unwrap();
    let types = "? i1 <i2 >i2 <i4 >i4 <i8 >i8 u1 <u2 >u2 <u4 >u4 <u8 >u8 <f2 >f2 <f4 >f4 <f8 >f8 <c8 >c8 <c16 >c16 g >g G S7 V5";
    for (n, name) in types.split(' ').enumerate() {
        let data = root.dataset(&format!("plain{n}")).unwrap().read_array().unwrap();
        assert_eq!(data.shape(), [2, 3]);
        assert!(!matches!(data.dtype(), DType::Foreign(_)), "{name} became {}", data.dtype());
        assert_eq!(root.attrs().get::<AnyArray>(&format!("plain{n}")).unwrap(), data, "{name}");
        let order = if name.starts_with('>') { Order::Big } else { Order::Little };
        match (name.trim_start_matches(['<', '>']), data.dtype()) {
            ("g", DType::Float(t)) | ("G", DType::Complex(t)) => assert_eq!((t.width, t.order), (FloatWidth::LongDouble, order)),
            ("f2", t) => assert_eq!(t, &DType::Float(FloatType { width: FloatWidth::F16, order })),
            ("i8", t) => assert_eq!(t, &DType::Int(IntType { size: 8, signed: true, order })),
            ("c16", t) => assert_eq!(t, &DType::Complex(FloatType { width: FloatWidth::F64, order })),
            ("?", t) => assert_eq!(t, &DType::Bool),
            _ => {}
        }
    }
    assert_eq!(root.dataset("plain4").unwrap().read::<i32>().unwrap()[[0, 0]], 0x0100_0100);
    assert_eq!(root.dataset("plain5").unwrap().read::<i32>().unwrap()[[0, 0]], 0x0001_0001);
    let rows = root.dataset("rows").unwrap().read_array().unwrap();
    assert_eq!((rows.dtype().fields().len(), rows.dtype().itemsize()), (4, 40 + 8));
    assert_eq!(root.dataset("text").unwrap().read_slice::<Vec<String>>(..).unwrap(), ["a", "", "grün"]);
    assert_eq!(root.dataset("enum").unwrap().read_array().unwrap().as_bytes().unwrap(), [0, 0, 42, 0, 1, 0]);
    assert_eq!(root.dataset("void").unwrap().dtype().unwrap(), DType::opaque(5, ""));
    assert_eq!(root.dataset("empty").unwrap().extent().unwrap(), None);
    assert!(root.attrs().get_array("empty").unwrap().unwrap().is_null());
    let region = root.dataset("regions").unwrap().read_slice::<RegionRef>(1).unwrap();
    assert_eq!(region.target.open().unwrap().name(), "/plain4");
    assert_eq!(region.region.bounds(), Some((vec![0, 1], vec![1, 1])));
    assert_eq!(root.dataset("objects").unwrap().read_slice::<ObjectRef>(0).unwrap().open().unwrap().name(), "/rows");
    assert!(root.dataset("objects").unwrap().read_slice::<ObjectRef>(1).unwrap().is_null());
    assert_eq!(root.dataset("zipped").unwrap().read_slice::<Vec<i64>>((vec![9, 0], 99)).unwrap(), [999, 99]);
    assert_eq!(root.dataset("scaled").unwrap().read::<i64>().unwrap().sum(), 4950);
    assert_eq!(root.dataset("virtual").unwrap().read::<f64>().unwrap().sum(), 15.0);
    assert_eq!(root.dataset("unlimited").unwrap().maxshape().unwrap(), [None, Some(3)]);
    assert_eq!(root.group("tracked").unwrap().keys().unwrap(), ["z", "y", "x", "a"]);
    assert_eq!(root.group("tracked").unwrap().attrs().keys().unwrap(), ["z", "y", "x", "a"]);
    assert_eq!(root.dataset("soft").unwrap().id().unwrap(), root.dataset("rows").unwrap().id().unwrap());
    let Node::Datatype(named) = root.get("named").unwrap() else { panic!("not a type") };
    assert_eq!(named.committed_dtype().unwrap(), root.dataset("of_named").unwrap().dtype().unwrap());
    // A byte has no order, whatever the file says of it.
    assert_eq!(root.dataset("bool_of_s390x").unwrap().dtype().unwrap(), DType::Bool);
    assert_eq!(root.dataset("bool_of_s390x").unwrap().read_slice::<Vec<bool>>(..).unwrap(), [false, true]);
    // A type without counterpart is carried as bytes, and comes back equal.
    let odd = root.dataset("odd").unwrap();
    assert!(matches!(odd.dtype().unwrap(), DType::Foreign(_)), "{}", odd.dtype().unwrap());
    let copy = super::memory();
    copy.create_dataset("odd").write(odd.read_array().unwrap()).unwrap();
    assert_eq!(super::again(&copy).dataset("odd").unwrap().dtype().unwrap(), odd.dtype().unwrap());
}

const CHECK: &str = r#"
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1], "r")
assert f["b"].dtype == bool and f["b"][()].tolist() == [True, False], f["b"][()]
assert f["be"].dtype == ">i4" and f["be"][()].tolist() == [1, -2]
assert f["half"].dtype == "<f2" and f["half"][()].tolist() == [0.5, 1.0]
assert f["c"].dtype == ">c16" and f["c"][0] == 1 - 2j, f["c"][0]
assert f["s"].asstr()[()].tolist() == ["", "gr\u00fcn"]
assert tuple(h5py.check_string_dtype(f["s"].dtype)) == ("utf-8", None)
assert f["fixed"].dtype == "S4" and f["fixed"][()].tolist() == [b"ab", b"abcd"]
assert f["rows"].dtype["y"] == "<f8" and f["rows"]["name"][1] == b"two" and f["rows"].dtype.itemsize == 24
assert [list(x) for x in f["seq"][()]] == [[1, 2], [], [3]]
assert f["nulls"].shape is None and f.attrs["null"] == h5py.Empty("f8")
assert f["grow"].maxshape == (None, 4) and f["grow"].fillvalue == 7 and f["grow"].compression == "gzip" and f["grow"].shuffle
assert f["grow"][()].sum() == 4 * 7
assert len(f.attrs["large"]) == 1 << 20
assert f[f["ref"][0]].name == "/rows"
assert f["reg"][0] and f["rows"][f["reg"][0]]["n"].tolist() == [2]
assert list(f["tracked"]) == ["z", "a"]
assert f.get("soft", getlink=True).path == "/rows" and f.get("ext", getlink=True).filename == "x.h5"
assert f["hard"] == f["be"]
e = h5py.check_enum_dtype(f["enum"].dtype)
assert e == {"RED": 0, "BLUE": 9}, e
assert f["array"].dtype == np.dtype((">u2", (2, 2))) or f["array"].shape == (1, 2, 2), f["array"]
print("ok")
"#;

#[test]
fn what_is_written_h5py_reads() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("memh5.h5");
    let root = memh5::format::open(&path, Mode::Truncate).unwrap();
    let be = |size, signed| DType::Int(IntType { size, signed, order: Order::Big });
    root.create_dataset("b").write(vec![true, false]).unwrap();
    root.create_dataset("be").dtype(be(4, true)).write(vec![1, -2]).unwrap();
    root.create_dataset("half").write(vec![half::f16::from_f32(0.5), half::f16::ONE]).unwrap();
    let big = DType::Complex(FloatType { width: FloatWidth::F64, order: Order::Big });
    root.create_dataset("c").dtype(big).write(vec![num_complex::Complex::new(1.0f64, -2.0)]).unwrap();
    root.create_dataset("s").write(vec!["", "grün"]).unwrap();
    root.create_dataset("fixed").write(AnyArray::from_bytes(DType::fixed_ascii(4), [2], b"ab\0\0abcd").unwrap()).unwrap();
    let row = DType::compound_aligned([("n", DType::I8), ("y", DType::F64), ("name", DType::fixed_ascii(5))]).unwrap();
    let mut bytes = vec![0xeeu8; 48];
    for (i, name) in [b"one\0\0", b"two\0\0"].iter().enumerate() {
        bytes[24 * i] = i as u8 + 1;
        bytes[24 * i + 8..24 * i + 16].copy_from_slice(&1.5f64.to_ne_bytes());
        bytes[24 * i + 16..24 * i + 21].copy_from_slice(*name);
    }
    let rows = root.create_dataset("rows").write(AnyArray::from_bytes(row, [2], &bytes).unwrap()).unwrap();
    let seq = |v: Vec<i32>| AnyArray::from(v);
    let sequences = AnyArray::from_sequences(DType::I32, [seq(vec![1, 2]), seq(vec![]), seq(vec![3])]).unwrap();
    root.create_dataset("seq").write(sequences).unwrap();
    root.create_dataset("nulls").null().create().unwrap();
    root.attrs().set("null", AnyArray::null(DType::F64)).unwrap();
    let grow = root.create_dataset("grow").shape([0, 4]).maxshape([None, Some(4)]).dtype(DType::I16).gzip(3).fill_value(7i16);
    grow.create().unwrap().resize([1, 4]).unwrap();
    root.attrs().set("large", vec![1u8; 1 << 20]).unwrap();
    root.create_dataset("ref").write(AnyArray::from_references([rows.reference().unwrap()])).unwrap();
    let region = Region { shape: vec![2], kind: RegionKind::Points(vec![vec![1]]) };
    root.create_dataset("reg").write(AnyArray::from_regions([RegionRef { target: rows.reference().unwrap(), region }])).unwrap();
    let tracked = root.create_group_with("tracked", &GroupSpec::tracked()).unwrap();
    tracked.create_group("z").unwrap();
    tracked.create_group("a").unwrap();
    root.link_soft("/rows", "soft").unwrap();
    root.link_external("x.h5", "/y", "ext").unwrap();
    root.link_hard("be", "hard").unwrap();
    let members = DType::enumeration(be(2, false), [("RED", 0), ("BLUE", 9)]).unwrap();
    root.create_dataset("enum").write(AnyArray::from(vec![9u16, 0]).astype_enum(&members)).unwrap();
    root.create_dataset("array").shape([1]).dtype(DType::array(be(2, false), [2, 2])).create().unwrap();
    root.create_dataset("shuffled").chunks([4]).filter(Filter::Shuffle).write(vec![1u64; 8]).unwrap();
    root.close_tree().unwrap();
    assert_eq!(run(&python, CHECK, &path).trim(), "ok");
    let dump = Command::new("h5dump").arg("-p").arg(&path).output();
    if let Ok(dump) = dump {
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(4).any(|w| w == [0xee; 4]), "padding of rows is in the file");
    } else {
        eprintln!("SKIPPED: there is no h5dump");
    }
}

#[test]
fn a_large_attribute_on_an_object_of_the_old_format_says_what_to_do() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.h5");
    run(&python, "import sys, h5py; f = h5py.File(sys.argv[1], 'w', libver='earliest'); f['d'] = 1; f.create_group('g')", &path);
    let root = memh5::format::open(&path, Mode::ReadWrite).unwrap();
    root.dataset("d").unwrap().attrs().set("fits", vec![1u8; 60_000]).unwrap();
    let error = root.dataset("d").unwrap().attrs().set("large", vec![1u8; 100_000]).unwrap_err();
    assert_eq!(error.kind(), memh5::ErrorKind::Unsupported, "{error}");
    assert!(error.remedy_text().is_some_and(|r| r.contains("copy")), "{error}");
    // What is made now takes any size, also in that file.
    root.create_group("g/new").unwrap().attrs().set("large", vec![1u8; 100_000]).unwrap();
    root.close_tree().unwrap();
    let read = "import sys, h5py; f = h5py.File(sys.argv[1]); print(len(f['g/new'].attrs['large']), len(f['d'].attrs))";
    assert_eq!(run(&python, read, &path).trim(), "100000 1");
}

trait AsEnum {
    fn astype_enum(self, dtype: &DType) -> AnyArray;
}
impl AsEnum for AnyArray {
    fn astype_enum(self, dtype: &DType) -> AnyArray {
        AnyArray::from_bytes(dtype.clone(), self.shape(), self.as_bytes().unwrap()).unwrap()
    }
}
