//! What a reader may choose: entries by their numbers and by their runs, fields of fixed size; what products of version 2 say of themselves;
//! where the source was.

use crate::data::{Flash, everything, flash, run_info};
use crate::rules::small;
use memh5::ErrorKind::{self, *};
use memh5::prelude::*;
use memh5::stage::*;
use memh5::tree::GroupRef;

fn cache(version: FormatVersion, first: usize) -> GroupRef {
    let builder = StageHdf5Writer::builder().file_name("run.h5").format_version(version).in_memory().stage("s");
    let mut writer = builder.build().unwrap();
    writer.write(&everything(first, &[3, 0])).unwrap();
    writer.write(&everything(first + 2, &[1])).unwrap();
    writer.finalize().unwrap();
    writer.caches()[0].1.clone().unwrap()
}

fn kind<T>(result: memh5::Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}

#[test]
fn entries_by_run_and_event() {
    let roots = [cache(FormatVersion::V1, 0), cache(FormatVersion::V1, 10)];
    let new = StageReader::builder;
    let open = |b: StageReaderBuilder| b.of_groups(roots.iter().map(|r| &**r));
    let all = open(new()).unwrap();
    assert_eq!(all.run_events().unwrap(), [(1, 2, 0), (1, 2, 1), (1, 2, 2), (1, 2, 10), (1, 2, 11), (1, 2, 12)]);
    assert_eq!(all.run_event_index(1, 2, 11).unwrap(), 4);
    assert_eq!(all.get_run_event(1, 2, 11).unwrap().objects::<crate::data::RunInfo>("run_info").unwrap(), [run_info(11)]);
    assert_eq!(kind(all.run_event_index(1, 2, 3)), NotFound);
    let some = open(new().run_event_list([(1, 2, 12), (1, 2, 0)])).unwrap();
    assert_eq!(some.run_events().unwrap(), [(1, 2, 12), (1, 2, 0)]);
    assert_eq!((some.locate(0).unwrap(), some.run_event_index(1, 2, 0).unwrap()), ((1, 2), 1));
    let rest = open(new().skip_run_event_list([(1, 2, 12), (1, 2, 0)])).unwrap();
    assert_eq!(rest.run_events().unwrap(), [(1, 2, 1), (1, 2, 2), (1, 2, 10), (1, 2, 11)]);
    // One that is not there is a mistake, unless it may be.
    assert_eq!(kind(open(new().run_event_list([(9, 9, 9)]))), Selection);
    assert_eq!(kind(open(new().skip_run_event_list([(9, 9, 9)]))), Selection);
    assert_eq!(open(new().run_event_list([(9, 9, 9), (1, 2, 1)]).allow_missing(true)).unwrap().len(), 1);
    assert_eq!(open(new().skip_run_event_list([(9, 9, 9), (1, 2, 1)]).allow_missing(true)).unwrap().len(), 5);
    assert_eq!(kind(open(new().run_event_list([(1, 2, 1)]).n_entry(1))), InvalidArgument);
    assert_eq!(kind(open(new().run_event_list([(1, 2, 1)]).skip_entry_list([1]))), InvalidArgument);
    // Another product may tell; one without the fields, or that is not read, cannot.
    assert_eq!(kind(open(new().run_info_key("nothing").run_event_list([(1, 2, 1)]))), NotFound);
    assert_eq!(kind(open(new().keys(["tensor"]).run_event_list([(1, 2, 1)]))), NotFound);
    assert_eq!(kind(open(new().run_info_key("tensor")).unwrap().run_events()), Dtype);
    assert_eq!(kind(open(new().run_info_key("loss")).unwrap().run_events()), Dtype);
}

#[test]
fn fields_of_fixed_size_alone() {
    let (first, second) = (cache(FormatVersion::V1, 0), cache(FormatVersion::V2, 0));
    let fixed = |root: &GroupRef| StageReader::builder().fixed_only(true).of_groups([&**root]);
    let e = fixed(&first).unwrap_err();
    assert!(e.kind() == InvalidArgument && e.to_string().contains("version 2"), "{e}");
    let reader = fixed(&second).unwrap();
    let names = |r: &StageReader| {
        let product = r.product("flashes").unwrap();
        product.values().unwrap().dtype().fields().iter().map(|f| f.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&reader), ["id", "in_beam_frame", "time", "center"]);
    assert_eq!(names(&StageReader::of_groups([&*second]).unwrap()).len(), 6);
    // The pools are not even looked at.
    second.delete("stages/s/products/flashes/variables").unwrap();
    assert_eq!(names(&fixed(&second).unwrap()).len(), 4);
    assert!(StageReader::of_groups([&*second]).unwrap().product("flashes").is_err());
    let flashes = reader.get(0).unwrap().objects::<Fixed>("flashes").unwrap();
    assert_eq!(flashes.iter().map(|f| f.id).collect::<Vec<_>>(), [0, 1, 2]);
}

#[derive(serde::Deserialize)]
struct Fixed {
    id: i64,
}

#[test]
fn objects_of_other_programs_have_other_fields() {
    // More fields than the struct are passed over, as by spine's skip_unknown_attrs; fewer are an error that names one.
    let root = cache(FormatVersion::V1, 0);
    let event = StageReader::of_groups([&*root]).unwrap().get(0).unwrap();
    assert_eq!(event.objects::<Fixed>("flashes").unwrap().len(), 3);
    assert_eq!(event.objects::<Flash>("flashes").unwrap()[1], flash(0, 1));
    #[derive(serde::Deserialize, Debug)]
    #[allow(dead_code)]
    struct More {
        id: i64,
        what_nobody_has: i64,
    }
    let e = event.objects::<More>("flashes").unwrap_err();
    assert!(e.kind() == Dtype && e.to_string().contains("what_nobody_has"), "{e}");
    // Fields with defaults may be missing, as of spine's classes.
    #[derive(serde::Deserialize)]
    struct WithDefault {
        #[serde(default)]
        what_nobody_has: i64,
    }
    assert!(event.objects::<WithDefault>("flashes").unwrap().iter().all(|o| o.what_nobody_has == 0));
}

#[test]
fn products_of_version_2_tell_of_themselves() {
    let root = cache(FormatVersion::V2, 0);
    let product = root.group("stages/s/products/tensor").unwrap();
    product.attrs().set("product_metadata", "product_type: tensor\nschema:\n  feats_only: false\n").unwrap();
    let spans = product.create_group("spans").unwrap();
    spans.attrs().set("kind", "array").unwrap();
    spans.attrs().set("scalar", true).unwrap();
    spans.create_dataset("values").write(vec![3i64, 0, 1]).unwrap();
    spans.create_dataset("event_offsets").write(vec![0i64, 1, 2, 3]).unwrap();
    let reader = StageReader::of_groups([&*root]).unwrap();
    let told = reader.product_metadata(0, "tensor").unwrap().unwrap();
    assert_eq!(told.to_string(), r#"{"product_type": "tensor", "schema": {"feats_only": false}}"#);
    assert_eq!(reader.product_parts(0, "tensor").unwrap(), ["spans"]);
    let part = reader.product_part(0, "tensor", "spans").unwrap();
    assert_eq!(part.values().unwrap(), &memh5::AnyArray::from(vec![3i64, 0, 1]));
    assert_eq!(reader.product("tensor").unwrap().values().unwrap().shape(), [4, 4]);
    assert!(reader.product_metadata(0, "loss").unwrap().is_none() && reader.product_parts(0, "loss").unwrap().is_empty());
    assert_eq!(kind(reader.product_part(0, "tensor", "particles")), NotFound);
    assert_eq!(kind(reader.product_part(0, "tensor", "values")), NotFound);
    assert_eq!(kind(reader.product_metadata(0, "nothing")), NotFound);
    assert_eq!(kind(reader.product_metadata(1, "tensor")), Selection);
    product.attrs().set("product_metadata", "a: [").unwrap();
    assert_eq!(kind(reader.product_metadata(0, "tensor")), Corrupt);
    let first = cache(FormatVersion::V1, 0);
    let reader = StageReader::of_groups([&*first]).unwrap();
    assert!(reader.product_metadata(0, "tensor").unwrap().is_none() && reader.product_parts(0, "tensor").unwrap().is_empty());
}

#[test]
fn where_the_source_was() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("source.root");
    std::fs::write(&file, "abc").unwrap();
    let source = SourceInfo::of_file(&file).unwrap();
    let tree = memh5::MemGroup::new();
    let begin = |digests: bool| {
        let tree = tree.clone();
        let builder = StageHdf5Writer::builder().file_name("run.h5").source_files(["elsewhere/other.root".into(), file.clone()]);
        builder.source_digests(digests).in_groups(move |_| Ok(tree.to_ref())).build().unwrap()
    };
    let batch = Batch::new(1).with_source(&source).unwrap().with("x", vec![1.0]).unwrap();
    let mut writer = begin(false);
    writer.write_stage("a", &batch, &StageOptions::new()).unwrap();
    writer.finalize_stage("a").unwrap();
    let origin = || StageReader::builder().stage("a").of_groups([&tree as &dyn Group]).unwrap().origin(0).unwrap();
    let told = origin().unwrap();
    assert_eq!((told.path.as_str(), told.sha256), (file.to_str().unwrap(), None));
    // A later session adds the digest.
    let mut writer = begin(true);
    writer.write_stage("b", &batch, &StageOptions::new()).unwrap();
    writer.finalize_stage("b").unwrap();
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(origin().unwrap().sha256.as_deref(), Some(sum));
    // Another content of the same length and time is another source.
    let time = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::write(&file, "abd").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let e = begin(true).write_stage("c", &batch, &StageOptions::new()).unwrap_err();
    assert!(e.kind() == InvalidArgument && e.to_string().contains(sum), "{e}");
    begin(false).write_stage("c", &batch, &StageOptions::new()).unwrap();
    // A file that is not the one of the batch is refused before anything is written.
    std::fs::write(&file, "longer").unwrap();
    let before = crate::rules::dump(&tree);
    let e = begin(false).write_stage("d", &batch, &StageOptions::new()).unwrap_err();
    assert!(e.kind() == InvalidArgument && e.to_string().contains("file_size"), "{e}");
    assert_eq!(crate::rules::dump(&tree), before);
    // A source of which no file was told has no path.
    let plain = memh5::MemGroup::new();
    let group = plain.clone();
    let mut writer = StageHdf5Writer::builder()
        .file_name("run.h5")
        .source_files([dir.path().join("another.root")])
        .in_groups(move |_| Ok(group.to_ref()))
        .build()
        .unwrap();
    writer.write_stage("a", &small(1.0), &StageOptions::new()).unwrap();
    assert!(SourceOrigin::read(&plain).unwrap().is_none());
    assert_eq!(SourceInfo::of_file("root://server//store/data/far.root").unwrap(), SourceInfo::remote("far.root").unwrap());
}

#[test]
fn remote_sources_of_one_name_are_told_apart_by_nothing() {
    // Both are (name, -1, -1): one cache, as in spine; the digest of a file would tell, and there is none.
    let far = SourceInfo::remote("far.root").unwrap();
    let mut writer = StageHdf5Writer::builder().file_name("run.h5").in_memory().stage("s").build().unwrap();
    for value in [1.0, 2.0] {
        writer.write(&Batch::new(1).with_source(&far).unwrap().with("x", vec![value]).unwrap()).unwrap();
    }
    assert_eq!(writer.caches().len(), 1);
    // A local one of that name is another source.
    let near = SourceInfo::new("far.root", 10, 1).unwrap();
    let e = writer.write(&Batch::new(1).with_source(&near).unwrap().with("x", vec![1.0]).unwrap()).unwrap_err();
    assert!(e.kind() == InvalidArgument && e.to_string().contains("file_size"), "{e}");
}

#[test]
#[cfg(feature = "hdf5")]
fn files_by_a_list() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b.h5", "a.h5"] {
        crate::round::written(FormatVersion::V1, Some(&dir.path().join(name)));
    }
    let list = dir.path().join("files.txt");
    let (a, b) = (dir.path().join("a.h5"), dir.path().join("b.h5"));
    std::fs::write(&list, format!("{}\n\n  {}\n", b.display(), a.display())).unwrap();
    let reader = StageReader::builder().open_list(&list).unwrap();
    assert_eq!((reader.files(), reader.path(0).unwrap()), (2, Some(a.as_path())));
    assert_eq!(kind(StageReader::builder().open_list(dir.path().join("none.txt"))), NotFound);
    std::fs::write(&list, "\n").unwrap();
    assert_eq!(kind(StageReader::builder().open_list(&list)), NotFound);
    let e = StageReader::open(["root://server//store/a.h5"]).unwrap_err();
    assert!(e.kind() == Unsupported && e.to_string().contains("remote"), "{e}");
}
