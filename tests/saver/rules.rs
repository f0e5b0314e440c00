//! The rules that are the same for all targets.

use super::targets::{Target, each};
use memh5::saver::*;
use memh5::selection::Item;
use memh5::{AnyArray, Cast, DType, ErrorKind, Filter, Selection};
use ndarray::array;

#[track_caller]
fn holds(t: &Target, wanted: impl Into<AnyArray>) {
    let (found, wanted) = (t.saver.load().unwrap(), wanted.into());
    assert_eq!((found.shape(), &found), (wanted.shape(), &wanted), "{}", t.name);
    // Another saver to the same place sees the same.
    assert_eq!((t.again)(SaveOptions::new()).load().unwrap(), wanted, "{}", t.name);
}

#[track_caller]
fn fails(t: &Target, kind: ErrorKind, result: memh5::Result<()>) {
    let e = result.expect_err(t.name);
    assert_eq!(e.kind(), kind, "{}: {e}", t.name);
}

/// raygent's test_overwrite, of all its savers.
#[test]
fn overwrite() {
    each(|t| {
        t.saver.overwrite(vec![1, 2, 3, 4, 5]).unwrap();
        holds(t, vec![1, 2, 3, 4, 5]);
        t.saver.overwrite(vec![100, 200]).unwrap();
        holds(t, vec![100, 200]);
        // With two saver objects, and then another shape and type.
        (t.again)(SaveOptions::new()).overwrite(vec![7]).unwrap();
        holds(t, vec![7]);
        t.saver.overwrite(array![[0.5, 1.5]]).unwrap();
        holds(t, array![[0.5, 1.5]]);
    });
}

/// raygent's test_append, of all its savers.
#[test]
fn append() {
    each(|t| {
        t.saver.append(vec![1, 2, 3, 4, 5]).unwrap();
        t.saver.append(vec![6, 7]).unwrap();
        holds(t, vec![1, 2, 3, 4, 5, 6, 7]);
        (t.again)(SaveOptions::new()).append(vec![8]).unwrap();
        holds(t, vec![1, 2, 3, 4, 5, 6, 7, 8]);
        t.saver.append(Vec::<i32>::new()).unwrap();
        holds(t, vec![1, 2, 3, 4, 5, 6, 7, 8]);
    });
}

/// raygent's test_bad_approach: an unknown approach is an error, and touches nothing.
#[test]
fn bad_approach() {
    assert_eq!("unknown".parse::<Approach>().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(" Append\n".parse::<Approach>().unwrap(), Approach::Append);
    let e = SaveOptions::from_pairs([("approach", "unknown")]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidArgument);
}

/// raygent's test_update and test_update_nonexistent_dataset.
#[test]
fn update() {
    each(|t| {
        fails(t, ErrorKind::NotFound, t.saver.update(vec![99, 99], vec![1, 2]));
        assert_eq!(t.saver.load().unwrap_err().kind(), ErrorKind::NotFound, "an update makes nothing");
        fails(t, ErrorKind::InvalidArgument, t.saver.save(vec![99, 99], Indices::NONE, &SaveOptions::new().approach(Approach::Update)));
        t.saver.overwrite(vec![1, 2, 3, 4, 5]).unwrap();
        t.saver.update(vec![99, 99], vec![1, 2]).unwrap();
        holds(t, vec![1, 99, 99, 4, 5]);
    });
}

/// Every form of indices means what it means to numpy, on every target; index 0 is an index like others.
#[test]
fn indices() {
    let start: Vec<i64> = (0..10).collect();
    type Case = (Indices, AnyArray, Vec<i64>);
    let cases: Vec<Case> = vec![
        (0.into(), 50.into(), vec![50, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ((-1).into(), 50.into(), vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 50]),
        (vec![0].into(), vec![50].into(), vec![50, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ((2..4).into(), vec![50, 51].into(), vec![0, 1, 50, 51, 4, 5, 6, 7, 8, 9]),
        ((2..4).into(), vec![50].into(), vec![0, 1, 50, 50, 4, 5, 6, 7, 8, 9]),
        ((8..20).into(), vec![50, 51].into(), vec![0, 1, 2, 3, 4, 5, 6, 7, 50, 51]),
        (Item::step(1.., 4).into(), vec![50, 51, 52].into(), vec![0, 50, 2, 3, 4, 51, 6, 7, 8, 52]),
        (Item::step(.., -3).into(), vec![50, 51, 52, 53].into(), vec![53, 1, 2, 52, 4, 5, 51, 7, 8, 50]),
        (vec![7, 1, -1].into(), vec![50, 51, 52].into(), vec![0, 51, 2, 3, 4, 5, 6, 50, 8, 52]),
        (vec![3, 3, 3].into(), vec![50, 51, 52].into(), vec![0, 1, 2, 52, 4, 5, 6, 7, 8, 9]),
        (vec![5, 2, 5].into(), 50.into(), vec![0, 1, 50, 3, 4, 50, 6, 7, 8, 9]),
        (
            vec![true, false, false, false, true, false, false, false, false, false].into(),
            vec![50, 51].into(),
            vec![50, 1, 2, 3, 51, 5, 6, 7, 8, 9],
        ),
        ((..).into(), 50.into(), vec![50; 10]),
        (().into(), 50.into(), vec![50; 10]),
        (Vec::<i64>::new().into(), Vec::<i64>::new().into(), start.clone()),
    ];
    each(|t| {
        for (indices, data, wanted) in &cases {
            t.saver.overwrite(start.clone()).unwrap();
            t.saver.update(data, indices.clone()).unwrap_or_else(|e| panic!("{} {indices:?}: {e}", t.name));
            assert_eq!(t.saver.load().unwrap(), AnyArray::from(wanted.clone()), "{} {indices:?}", t.name);
        }
        t.saver.overwrite(start.clone()).unwrap();
        for (indices, data, kind) in [
            (Indices::from(10), AnyArray::from(1), ErrorKind::Selection),
            ((-11).into(), 1.into(), ErrorKind::Selection),
            (vec![0, 99].into(), vec![1, 2].into(), ErrorKind::Selection),
            (vec![true, false].into(), vec![1].into(), ErrorKind::Selection),
            ((0, 0).into(), 1.into(), ErrorKind::Selection),
            (Item::step(.., 0).into(), 1.into(), ErrorKind::Selection),
            ((0..4).into(), vec![1, 2].into(), ErrorKind::Shape),
            ((0..4).into(), vec![1; 9].into(), ErrorKind::Shape),
            (vec![1, 2].into(), vec![1, 2, 3].into(), ErrorKind::Shape),
            (0.into(), 1.5.into(), ErrorKind::Dtype),
            (0.into(), AnyArray::from("1"), ErrorKind::Dtype),
        ] {
            fails(t, kind, t.saver.update(data, indices));
        }
        holds(t, start.clone());
    });
}

#[test]
fn indices_of_several_axes() {
    let start = array![[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]];
    each(|t| {
        t.saver.overwrite(start.clone()).unwrap();
        t.saver.update(array![[0, 0, 0], [1, 1, 1]], vec![2, 0]).unwrap();
        t.saver.update(vec![-1, -2], (1..3, 1)).unwrap();
        t.saver.update(array![[70, 71]], (vec![3], vec![2, 0])).unwrap();
        t.saver.update(5, (1, 2)).unwrap();
        holds(t, array![[1, 1, 1], [4, -1, 5], [0, -2, 0], [71, 11, 70]]);
        let mask = start.mapv(|x| x % 5 == 0);
        t.saver.update(vec![100, 101], Selection::from(mask.into_dyn())).unwrap();
        holds(t, array![[1, 1, 1], [4, 100, 5], [0, -2, 0], [101, 11, 70]]);
        fails(t, ErrorKind::Shape, t.saver.update(array![[1, 2]], 0..1));
        fails(t, ErrorKind::Selection, t.saver.update(1, (0, 0, 0)));
    });
}

/// Arrays of several axes are made and grown by an append.
#[test]
fn append_of_several_axes() {
    each(|t| {
        t.saver.append(ndarray::Array3::<f32>::ones((1, 2, 3))).unwrap();
        t.saver.append(ndarray::Array3::<f32>::zeros((2, 2, 3))).unwrap();
        let all = t.saver.load().unwrap();
        assert_eq!((all.shape(), all.dtype()), (&[3, 2, 3][..], &DType::F32), "{}", t.name);
        assert_eq!(all.view::<f32>().unwrap().sum(), 6.0);
        for bad in [
            AnyArray::zeros(DType::F32, [2, 3]).unwrap(),
            AnyArray::zeros(DType::F32, [1, 2, 4]).unwrap(),
            AnyArray::zeros(DType::F32, [1, 1, 3]).unwrap(),
            AnyArray::zeros(DType::F32, [3]).unwrap(),
            AnyArray::from(1.0f32),
            AnyArray::null(DType::F32),
        ] {
            fails(t, ErrorKind::Shape, t.saver.append(&bad));
        }
        assert_eq!(t.saver.load().unwrap(), all, "a failed append leaves what was there");
        t.saver.append(AnyArray::zeros(DType::F32, [1, 2, 3]).unwrap()).unwrap();
        assert_eq!(t.saver.load().unwrap().shape(), [4, 2, 3]);
    });
}

/// A first append of nothing makes an array of the type that was given, and freezes nothing else.
#[test]
fn a_tiny_first_batch_freezes_nothing() {
    each(|t| {
        fails(t, ErrorKind::Shape, t.saver.append(1.0));
        t.saver.append(AnyArray::zeros(DType::I32, [0, 4]).unwrap()).unwrap();
        t.saver.append(array![[1, 2, 3, 4]]).unwrap();
        assert_eq!(t.saver.load().unwrap().dtype(), &DType::I32);
        holds(t, array![[1, 2, 3, 4]]);
    });
}

#[test]
fn types_stay_unless_told_otherwise() {
    each(|t| {
        t.saver.append(vec![1i8, 2]).unwrap();
        t.saver.append(vec![3i64]).unwrap();
        fails(t, ErrorKind::Dtype, t.saver.append(vec![300]));
        fails(t, ErrorKind::Dtype, t.saver.append(vec![1.5]));
        fails(t, ErrorKind::Dtype, t.saver.append(vec![f64::NAN]));
        fails(t, ErrorKind::Dtype, t.saver.append(vec!["4"]));
        fails(t, ErrorKind::Dtype, t.saver.save(vec![4], Indices::NONE, &SaveOptions::new().cast(Cast::Safe)));
        fails(t, ErrorKind::Dtype, t.saver.save(vec![4], Indices::NONE, &SaveOptions::new().dtype(DType::F64)));
        holds(t, vec![1i8, 2, 3]);
        t.saver.save(vec![300.7, -1e9, 2.5], Indices::NONE, &SaveOptions::new().cast(Cast::Saturate)).unwrap();
        holds(t, vec![1i8, 2, 3, 127, -128, 2]);
        t.saver.save(vec![1, 2], Indices::NONE, &SaveOptions::new().approach(Approach::Overwrite).dtype(DType::F32)).unwrap();
        assert_eq!(t.saver.load().unwrap().dtype(), &DType::F32);
        let big = t.saver.save(vec![1 << 30, (1 << 24) + 1], Indices::NONE, &SaveOptions::new());
        fails(t, ErrorKind::Dtype, big); // one of them is no f32
        holds(t, vec![1f32, 2.0]);
    });
}

#[test]
fn a_failed_overwrite_keeps_the_old() {
    each(|t| {
        t.saver.overwrite(vec![1, 2, 3]).unwrap();
        fails(t, ErrorKind::Shape, t.saver.overwrite(AnyArray::null(DType::I32)));
        let as_i8 = SaveOptions::new().approach(Approach::Overwrite).dtype(DType::I8);
        fails(t, ErrorKind::Dtype, t.saver.save(vec![1000], Indices::NONE, &as_i8));
        fails(t, ErrorKind::InvalidArgument, t.saver.save(vec![1], 0, &SaveOptions::new().approach(Approach::Overwrite)));
        fails(t, ErrorKind::InvalidArgument, t.saver.save(vec![1], 0, &SaveOptions::new().approach(Approach::Append)));
        holds(t, vec![1, 2, 3]);
        // And what was overwritten can be appended to.
        t.saver.overwrite(vec![7]).unwrap();
        t.saver.append(vec![8, 9]).unwrap();
        holds(t, vec![7, 8, 9]);
        // A scalar can be saved, but not grown.
        t.saver.overwrite(2.5).unwrap();
        holds(t, 2.5);
        fails(t, ErrorKind::Shape, t.saver.append(vec![1.0]));
        t.saver.update(3.5, ()).unwrap();
        holds(t, 3.5);
    });
}

#[test]
fn options_are_honoured_or_refused() {
    each(|t| {
        let packed = SaveOptions::from_pairs([("compression", "gzip"), ("shuffle", "1"), ("chunk_bytes", "1000")]).unwrap();
        let saved = t.saver.save(vec![1.0; 10], Indices::NONE, &packed);
        if !t.chunked {
            fails(t, ErrorKind::Unsupported, saved);
            assert!(t.saver.load().is_err(), "nothing was made");
            return;
        }
        saved.unwrap();
        t.saver.save(vec![1.0; 10], Indices::NONE, &packed).unwrap();
        // What contradicts the array that is there is an error, and no option is forgotten.
        for other in [SaveOptions::new().filters([Filter::Gzip(4)]), SaveOptions::new().filters([]), SaveOptions::new().chunks([3])] {
            fails(t, ErrorKind::InvalidArgument, t.saver.save(vec![2.0], Indices::NONE, &other));
        }
        t.saver.save(vec![1.0], Indices::NONE, &SaveOptions::new().chunks([125])).unwrap();
        fails(
            t,
            ErrorKind::InvalidArgument,
            (t.again)(SaveOptions::new().approach(Approach::Overwrite).chunk_bytes(0)).save(vec![1.0], Indices::NONE, &SaveOptions::new()),
        );
        holds(t, vec![1.0; 21]);
    });
}

/// Text and structured rows go through every target.
#[test]
fn text_and_structs() {
    each(|t| {
        t.saver.append(vec!["one", "zwölf", ""]).unwrap();
        t.saver.append(vec!["2"]).unwrap();
        assert_eq!(t.saver.load().unwrap().to_strings().unwrap(), ["one", "zwölf", "", "2"], "{}", t.name);
        t.saver.update("drei", 0).unwrap();
        assert_eq!(t.saver.load().unwrap().to_strings().unwrap()[0], "drei");
        fails(t, ErrorKind::Dtype, t.saver.append(vec![1]));
        let row = DType::compound([("n", DType::I32), ("z", DType::C64), ("s", DType::fixed_ascii(3)), ("b", DType::Bool)]).unwrap();
        let bytes: Vec<u8> = (0..2 * row.itemsize()).map(|k| if k % row.itemsize() == 15 { 1 } else { 65 + k as u8 % 20 }).collect();
        let rows = AnyArray::from_bytes(row.clone(), [2], &bytes).unwrap();
        t.saver.overwrite(&rows).unwrap();
        t.saver.append(rows.select(1..).unwrap()).unwrap();
        t.saver.update(rows.select(0..1).unwrap(), vec![1]).unwrap();
        assert_eq!(t.saver.load().unwrap(), rows.select(vec![0, 0, 1]).unwrap(), "{}", t.name);
        let other = DType::compound([("n", DType::I32), ("q", DType::C64)]).unwrap();
        fails(t, ErrorKind::Dtype, t.saver.append(AnyArray::zeros(other, [1]).unwrap()));
    });
}

#[test]
fn ragged_data_are_refused_before_anything_is_touched() {
    each(|t| {
        fails(t, ErrorKind::Shape, t.saver.append(vec![vec![1, 2], vec![3]]));
        assert!(t.saver.load().is_err(), "nothing was made");
        t.saver.append(vec![vec![1, 2], vec![3, 4]]).unwrap();
        fails(t, ErrorKind::Shape, t.saver.append(vec![vec![5, 6], vec![7, 8, 9]]));
        holds(t, array![[1, 2], [3, 4]]);
    });
}

/// Threads at one target: nobody's rows are lost or torn.
#[test]
fn threads_append_to_one_target() {
    each(|t| {
        let (threads, batches) = (4, 15);
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let saver = (t.again)(SaveOptions::new());
                scope.spawn(move || {
                    for batch in 0..batches {
                        saver.append(vec![thread * 1000 + batch; 3]).unwrap();
                    }
                });
            }
        });
        let all: Vec<i32> = t.saver.load().unwrap().to_array().unwrap().iter().copied().collect();
        assert_eq!(all.len(), (threads * batches * 3) as usize, "{}", t.name);
        let mut heads: Vec<i32> = all.chunks(3).map(|c| if c == [c[0]; 3] { c[0] } else { panic!("{}: torn {c:?}", t.name) }).collect();
        // Each thread's own batches come in order.
        for thread in 0..threads {
            assert!(heads.iter().filter(|h| **h / 1000 == thread).is_sorted());
        }
        heads.sort_unstable();
        heads.dedup();
        assert_eq!(heads.len(), (threads * batches) as usize);
    });
}
