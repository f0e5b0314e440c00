//! Resizing and appending.

use super::*;

#[test]
fn within_the_maxshape_only() -> Test {
    let root = MemGroup::new();
    let x = root.create_dataset("x").shape([2, 3]).maxshape([None, Some(5)]).dtype(DType::I32).fill_value(-1).create()?;
    assert_eq!(x.read::<i32>()?, Array2::from_elem((2, 3), -1).into_dyn());
    x.write(Array2::<i32>::ones((2, 3)))?;
    x.resize([3, 4])?;
    assert_eq!(x.read::<i32>()?, array![[1, 1, 1, -1], [1, 1, 1, -1], [-1, -1, -1, -1]].into_dyn());
    x.resize([1, 2])?;
    x.resize([2, 2])?;
    assert_eq!(x.read::<i32>()?, array![[1, 1], [-1, -1]].into_dyn(), "what was cut off is gone");
    for shape in [vec![2, 6], vec![2], vec![2, 2, 2]] {
        assert_eq!(kind(x.resize(&shape)), ErrorKind::Shape, "{shape:?}");
    }
    let fixed = root.create_dataset("fixed").write(vec![1, 2])?;
    let error = fixed.resize([3]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert!(error.to_string().contains("'/fixed'") && error.to_string().contains(".maxshape("), "{error}");
    assert_eq!(kind(fixed.append(3)), ErrorKind::Shape);
    fixed.resize([2])?;
    assert_eq!(x.maxshape()?, [None, Some(5)]);
    assert_eq!(fixed.maxshape()?, [Some(2)]);
    Ok(())
}

#[test]
fn appends() -> Test {
    let root = MemGroup::new();
    let x = root.create_dataset("x").shape([0, 2]).maxshape([Some(4), Some(2)]).dtype(DType::F32).create()?;
    x.append(vec![1.0f32, 2.0])?;
    x.append(array![[3.0f32, 4.0], [5.0, 6.0]])?;
    x.append(vec![7i16, 8])?; // converted exactly
    assert_eq!(x.read::<f32>()?, array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]].into_dyn());
    assert_eq!(kind(x.append(vec![9.0f32, 9.0])), ErrorKind::Shape);
    assert_eq!(kind(x.append(vec![9.0f32])), ErrorKind::Shape);
    x.resize([3, 2])?;
    assert_eq!(kind(x.append(vec![0.1f64, 0.2])), ErrorKind::Dtype);
    assert_eq!(x.shape()?, [3, 2], "nothing stays of a failed append");
    let text = root.create_dataset("text").shape([0]).maxshape([None]).dtype(DType::STR).create()?;
    for i in 0..50 {
        text.append(format!("line {i}"))?;
    }
    text.append("")?;
    assert_eq!(kind(text.append("a\0b")), ErrorKind::Dtype);
    let lines: Vec<String> = text.read_slice(())?;
    assert_eq!((lines.len(), lines[49].as_str(), lines[50].as_str()), (51, "line 49", ""));
    assert_eq!(kind(root.create_dataset("scalar").write(1)?.append(1)), ErrorKind::Shape);
    Ok(())
}

#[test]
fn snapshots_see_no_appends_and_cost_no_copies() -> Test {
    let root = MemGroup::new();
    let log = root.create_dataset("log").shape([0]).maxshape([None]).dtype(DType::I64).create()?;
    let mut snapshots = Vec::new();
    let mut copies = 0;
    for i in 0..10_000i64 {
        let before = log.read_array()?;
        log.append(i)?;
        let after = log.read_array()?;
        copies += usize::from(i > 0 && !before.shares_memory_with(&after));
        snapshots.push(before);
    }
    assert!(copies < 60, "{copies} of 10,000 appends copied the elements");
    for (i, snapshot) in snapshots.iter().enumerate() {
        assert_eq!(snapshot.len(), i);
        assert!(i == 0 || snapshot.view::<i64>()?[[i - 1]] == i as i64 - 1);
    }
    Ok(())
}

#[test]
fn many_threads_append_every_row() -> Test {
    let root = MemGroup::new();
    let log = root.create_dataset("log").shape([0]).maxshape([Some(3000)]).dtype(DType::I32).create()?;
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for k in 0..4 {
            let (log, refused) = (&log, &refused);
            scope.spawn(move || {
                for i in 0..1000 {
                    if let Err(e) = log.append(k * 1000 + i) {
                        assert_eq!(e.kind(), ErrorKind::Shape);
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(refused.into_inner(), 1000, "the maxshape holds for all of them together");
    let mut rows: Vec<i32> = log.read_slice(())?;
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), 3000);
    Ok(())
}
