//! Dump, comparison, drawing and verification of trees in memory: no file is needed.

use memh5::tree::{DiffOptions, DumpOptions, Group, PrintOptions, diff, dump, print_tree, verify};
use memh5::{AnyArray, DType, MemGroup, prelude::*};
use ndarray::array;

fn lines(group: &dyn Group, layout: bool) -> Vec<serde_json::Value> {
    let mut out = Vec::new();
    dump(group, &DumpOptions::default().layout(layout), &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn sha(group: &MemGroup, path: &str) -> String {
    lines(group, false).iter().find(|l| l["path"] == path).unwrap()["sha256"].as_str().unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn differences(a: &dyn Group, b: &dyn Group) -> Vec<String> {
    diff(a, b, &DiffOptions::default().max(100)).unwrap().differences.iter().map(ToString::to_string).collect()
}

#[test]
fn digests_are_those_of_the_definition() {
    let root = MemGroup::new();
    root.create_dataset("i").write(vec![1i16, -1]).unwrap();
    assert_eq!(sha(&root, "/i"), hex(&[1, 0, 255, 255]));
    root.create_dataset("be").dtype(DType::I16.with_order(memh5::dtype::Order::Big)).write(vec![1i16, -1]).unwrap();
    assert_eq!(sha(&root, "/be"), sha(&root, "/i"));
    root.create_dataset("text").write(vec!["a", "", "é"]).unwrap();
    assert_eq!(sha(&root, "/text"), hex("a\0\0é\0".as_bytes()));
    root.create_dataset("fixed").dtype(DType::fixed_ascii(3)).write(vec!["a", "bcd"]).unwrap();
    assert_eq!(sha(&root, "/fixed"), hex(b"a\0\0bcd"));
    let blank = DType::FixedString { size: 3, charset: memh5::dtype::Charset::Ascii, padding: memh5::dtype::Padding::SpacePad };
    root.create_dataset("blank").dtype(blank).write(vec!["a", "bcd"]).unwrap();
    assert_eq!(sha(&root, "/blank"), hex(b"a\0\0bcd"));
    let row = DType::compound_aligned([("a", DType::I8), ("b", DType::I32)]).unwrap();
    let rows = AnyArray::from_bytes(row, [1], &[7, 99, 99, 99, 1, 0, 0, 0]).unwrap();
    root.create_dataset("row").write(rows).unwrap();
    assert_eq!(sha(&root, "/row"), hex(&[7, 1, 0, 0, 0]), "padding is no content");
    root.create_dataset("null").dtype(DType::F64).null().create().unwrap();
    assert_eq!(sha(&root, "/null"), hex(&[]));
    let target = root.dataset("i").unwrap().reference().unwrap();
    root.create_dataset("refs").write(AnyArray::from_references([target, memh5::ObjectRef::null()])).unwrap();
    assert_eq!(sha(&root, "/refs"), hex(b"/i\0\0"));
    root.delete("i").unwrap();
    assert_eq!(sha(&root, "/refs"), hex(b"?\0\0"), "a deleted object is in no tree");
}

#[test]
fn a_large_dataset_has_the_digest_of_its_bytes() {
    // More than one block of 64 MiB.
    let root = MemGroup::new();
    let data: Vec<u8> = (0..(80usize << 20)).map(|i| ((i * 31) >> 7) as u8).collect();
    let wanted = hex(&data);
    root.create_dataset("x").shape([80 << 10, 1 << 10]).write(data).unwrap();
    assert_eq!(sha(&root, "/x"), wanted);
}

#[test]
fn names_meet_once_and_links_are_told() {
    let root = MemGroup::new();
    root.create_dataset("b/x").write(1).unwrap();
    root.link_hard("/b/x", "z").unwrap();
    root.link_hard("/b", "b/self").unwrap();
    root.link_soft("b/x", "soft").unwrap();
    root.link_external("o.h5", "/y", "ext").unwrap();
    root.commit_datatype("t", &DType::F32).unwrap();
    let told: Vec<(String, String, String)> = lines(&root, true)
        .iter()
        .map(|l| (l["path"].as_str().unwrap().into(), l["kind"].as_str().unwrap().into(), l["target"].as_str().unwrap_or("").into()))
        .collect();
    let told: Vec<(&str, &str, &str)> = told.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    assert_eq!(
        told,
        [
            ("/", "group", ""),
            ("/b", "group", ""),
            ("/b/self", "hard_link", "/b"),
            ("/b/x", "dataset", ""),
            ("/ext", "external_link", "/y"),
            ("/soft", "soft_link", "b/x"),
            ("/t", "datatype", ""),
            ("/z", "hard_link", "/b/x"),
        ]
    );
    // Below a group, the paths are relative to it.
    let below = lines(&root.group("b").unwrap(), false);
    assert_eq!((below[0]["path"].as_str(), below[2]["path"].as_str()), (Some("/"), Some("/x")));
}

#[test]
fn differences_have_paths_and_indices() {
    let (a, b) = (MemGroup::new(), MemGroup::new());
    for g in [&a, &b] {
        g.create_dataset("same").write(array![[1.0, f64::NAN], [3.0, 4.0]]).unwrap();
        g.create_dataset("kind").write(1).unwrap();
        g.attrs().set("n", 1).unwrap();
    }
    assert_eq!(differences(&a, &b), [""; 0]);
    b.dataset("same").unwrap().write_slice((1, 0), 3.5).unwrap();
    b.delete("kind").unwrap();
    b.create_group("kind").unwrap();
    b.attrs().set("n", 2).unwrap();
    b.attrs().set("more", "x").unwrap();
    a.create_dataset("shape").write(vec![1, 2]).unwrap();
    b.create_dataset("shape").write(vec![1, 2, 3]).unwrap();
    a.create_dataset("type").write(vec![1i32]).unwrap();
    b.create_dataset("type").write(vec![1i64]).unwrap();
    a.link_soft("/same", "link").unwrap();
    b.link_soft("/kind", "link").unwrap();
    a.create_dataset("only/below").write(1).unwrap();
    let found = differences(&a, &b);
    for (found, begins) in found.iter().zip([
        "/ @more: only in the second, a str",
        "/ @n: 1 != 2",
        "/kind: kind dataset != group",
        "/link: kind soft link to /same != soft link to /kind",
        "/only: only in the first, a group",
        "/same [1, 0]: 3",
        "/shape: shape [2] != [3]",
        "/type: dtype <i4 != <i8",
    ]) {
        assert!(found.starts_with(begins), "{found} does not begin with {begins}");
    }
    assert_eq!(found.len(), 8, "{found:#?}");
    let report = diff(&a, &b, &DiffOptions::default().max(0)).unwrap();
    assert!(report.differences.is_empty() && report.count == 8);
}

#[test]
fn tolerances_hold_for_every_kind_of_number_at_any_depth() {
    let (a, b) = (MemGroup::new(), MemGroup::new());
    let row = |x: f32, n: i16| {
        let dtype = DType::compound([("p", DType::compound([("x", DType::F32)]).unwrap()), ("n", DType::I16)]).unwrap();
        let bytes: Vec<u8> = x.to_ne_bytes().into_iter().chain(n.to_ne_bytes()).collect();
        AnyArray::from_bytes(dtype, [1], &bytes).unwrap()
    };
    a.create_dataset("row").write(row(1.0, -5)).unwrap();
    b.create_dataset("row").write(row(1.05, -6)).unwrap();
    a.create_dataset("half").write(vec![half::f16::from_f32(1.0), half::f16::NAN]).unwrap();
    b.create_dataset("half").write(vec![half::f16::from_f32(1.001), -half::f16::NAN]).unwrap();
    a.create_dataset("complex").write(vec![num_complex::Complex::new(1.0, 2.0)]).unwrap();
    b.create_dataset("complex").write(vec![num_complex::Complex::new(1.0, 2.01)]).unwrap();
    a.create_dataset("inf").write(vec![f64::INFINITY, 1.0]).unwrap();
    b.create_dataset("inf").write(vec![f64::NEG_INFINITY, 1.0]).unwrap();
    let found = differences(&a, &b);
    let places: Vec<&str> = found.iter().filter_map(|f| f.split(": ").next()).collect();
    assert_eq!(places, ["/complex [0].i", "/half [0]", "/half [1]", "/inf [0]", "/row [0].p.x", "/row [0].n"]);
    let report = diff(&a, &b, &DiffOptions::default().tolerance(0.1, 0.1)).unwrap();
    let left: Vec<String> = report.differences.iter().map(|d| d.path.clone()).collect();
    assert_eq!(left, ["/inf", "/row"], "an infinity is close to itself only, and -5 is 1 from -6");
    assert!(diff(&a, &a, &DiffOptions::default().tolerance(0.1, 0.5)).unwrap().is_equal());
}

#[test]
fn trees_are_equal_exactly_if_their_dumps_are() {
    let make = |flavour: DType, value: &str| {
        let root = MemGroup::new();
        let target = root.create_dataset("target").write(array![[1, 2], [3, 4]]).unwrap();
        root.create_dataset("text").dtype(flavour).write(vec![value, "x"]).unwrap();
        root.create_dataset("ref").write(AnyArray::from_references([target.reference().unwrap()])).unwrap();
        root
    };
    let utf8 = make(DType::STR, "é");
    let ascii = DType::VarString { charset: memh5::dtype::Charset::Ascii, padding: memh5::dtype::Padding::NullTerm };
    let padded = |padding| DType::FixedString { size: 4, charset: memh5::dtype::Charset::Utf8, padding };
    let trees = [
        utf8,
        make(DType::STR, "é"),
        make(DType::STR, "e"),
        make(ascii, "e"),
        make(padded(memh5::dtype::Padding::SpacePad), "e"),
        make(padded(memh5::dtype::Padding::NullTerm), "e"),
        make(padded(memh5::dtype::Padding::NullPad), "e"),
    ];
    let mut equal = 0;
    for a in &trees {
        for b in &trees {
            assert_eq!(lines(a, false) == lines(b, false), differences(a, b).is_empty());
            equal += usize::from(differences(a, b).is_empty());
        }
    }
    assert_eq!(equal, 2 * 2 + 2 * 2 + 3 * 3);
}

#[test]
fn drawings_show_layouts_links_and_attributes() {
    let root = MemGroup::new();
    root.attrs().set("origin", 7).unwrap();
    root.create_dataset("a").chunks([2]).gzip(4).maxshape([None]).write(vec![1.0, 2.0, 3.0]).unwrap();
    root.create_group("empty\n\x1b[31m").unwrap();
    root.link_hard("/a", "b").unwrap();
    root.link_soft("a", "c").unwrap();
    let draw = |options: &PrintOptions| {
        let mut out = Vec::new();
        print_tree(&root, options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        draw(&PrintOptions::default()),
        "/\n├── a  <f8 [3 of any]  chunks [2], shuffle, gzip 4\n├── b = /a\n├── c -> a\n└── empty\\n\\u{1b}[31m\n"
    );
    assert!(draw(&PrintOptions::default().attrs(true)).contains("│ @origin = 7\n"));
    assert!(draw(&PrintOptions::default().colour(true)).contains("\x1b[32m<f8\x1b[0m"));
}

#[test]
fn verification_follows_references() {
    let root = MemGroup::new();
    let x = root.create_dataset("x").write(vec![1, 2, 3]).unwrap();
    root.create_dataset("refs").write(AnyArray::from_references([x.reference().unwrap(), memh5::ObjectRef::null()])).unwrap();
    root.link_soft("/nowhere", "soft").unwrap();
    root.attrs().set("n", 1).unwrap();
    let report = verify(&root).unwrap();
    assert!(report.is_whole());
    assert_eq!((report.objects, report.attributes, report.references, report.dangling_links), (3, 1, 1, 1));
    drop(x);
    root.delete("x").unwrap();
    let report = verify(&root).unwrap();
    assert_eq!(report.damages.len(), 1);
    assert!(report.damages[0].to_string().starts_with("/refs: 1 of 1 references lead to no object"), "{}", report.damages[0]);
}
