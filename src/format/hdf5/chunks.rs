//! The chunk shape where none is given.

use crate::tree::DatasetSpec;

/// The bytes that a chunk has at least and at most; what is aimed at grows slowly between them with the size of the dataset.
const SMALLEST: f64 = 8.0 * 1024.0;
const LARGEST: f64 = 1024.0 * 1024.0;
const USUAL: f64 = 16.0 * 1024.0;
/// The length that is assumed of an axis that is empty now.
const ASSUMED: usize = 1024;

/// A chunk shape of a reasonable size: the axes are halved in turn until it is reached.
pub(super) fn guess(spec: &DatasetSpec) -> Vec<usize> {
    let item = spec.dtype.disk_size().max(1);
    let shape = spec.shape.as_deref().unwrap_or(&[]);
    let limit = |k: usize| spec.maxshape.as_ref().map_or(Some(shape[k]), |m| m[k]).unwrap_or(usize::MAX);
    let mut chunk: Vec<usize> = shape.iter().enumerate().map(|(k, n)| if *n == 0 { ASSUMED.min(limit(k).max(1)) } else { *n }).collect();
    let bytes = |chunk: &[usize]| chunk.iter().fold(item as f64, |n, d| n * *d as f64);
    let aim = (USUAL * 2f64.powf((bytes(&chunk) / LARGEST).max(f64::MIN_POSITIVE).log10())).clamp(SMALLEST, LARGEST);
    for axis in (0..chunk.len()).cycle() {
        let now = bytes(&chunk);
        if now <= aim || chunk.iter().all(|n| *n == 1) || (now / aim - 1.0 < 0.5 && now < LARGEST) {
            break;
        }
        chunk[axis] = chunk[axis].div_ceil(2);
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn chunks_are_of_a_reasonable_size() {
        for shape in [vec![10_000_000], vec![4096, 4096], vec![3], vec![1_000, 0, 7], vec![1, 1, 100_000_000], vec![7; 8]] {
            let spec = DatasetSpec::new(DType::F64, shape.clone());
            let chunk = guess(&spec);
            let bytes: usize = chunk.iter().product::<usize>() * 8;
            assert!(bytes <= 1 << 20, "{shape:?} {chunk:?}");
            assert!(chunk.iter().zip(&shape).all(|(c, n)| *c >= 1 && (*n == 0 || c <= n)));
            assert!(bytes >= 4096 || shape.iter().product::<usize>() * 8 <= 16384, "{shape:?} {chunk:?}");
        }
        let big = DatasetSpec::new(DType::opaque(1 << 22, ""), [5, 5]);
        assert_eq!(guess(&big), [1, 1]);
    }
}
