//! The values of a plot: plain floats, with NaN for what cannot be shown.

use memh5::{AnyArray, Cast, DType, Error, ErrorKind, Result};
use num_complex::Complex;

/// No value is drawn beyond this: the picture needs differences that are finite.
const LARGEST: f64 = 1e300;

/// The values of a plot.
#[derive(Debug)]
pub struct Values {
    shape: Vec<usize>,
    values: Vec<f64>,
    range: (f64, f64),
}

impl Values {
    /// The values of an array of numbers; of complex ones the absolute value.
    pub fn new(array: &AnyArray, log: bool) -> Result<Self> {
        let dtype = array.dtype();
        let floats: Vec<f64> = match dtype {
            DType::Complex(_) => {
                let numbers = array.astype(&DType::C128, Cast::Saturate)?.into_array::<Complex<f64>>()?;
                numbers.iter().map(|z| z.norm()).collect()
            }
            _ if dtype.is_numeric() || matches!(dtype, DType::Enum(_)) => {
                let numbers = match dtype {
                    // By way of its integers.
                    DType::Enum(e) => array.astype(&DType::Int(e.base), Cast::Exact)?,
                    DType::BitField(t) => array.astype(&DType::Int(*t), Cast::Exact)?,
                    _ => array.clone(),
                };
                numbers.astype(&DType::F64, Cast::Saturate)?.into_array::<f64>()?.iter().copied().collect()
            }
            _ => {
                let error = Error::new(ErrorKind::Dtype, format!("elements of type {dtype} are no numbers to plot"));
                return Err(error.remedy("'memh5 show' shows them"));
            }
        };
        let shown = |v: f64| if !v.is_finite() || (log && v <= 0.0) { f64::NAN } else { v.clamp(-LARGEST, LARGEST) };
        let values: Vec<f64> = floats.into_iter().map(shown).collect();
        let range = values.iter().filter(|v| !v.is_nan()).fold(None, |range, v| match range {
            None => Some((*v, *v)),
            Some((low, high)) => Some((f64::min(low, *v), f64::max(high, *v))),
        });
        let Some(range) = range else {
            let what = if log { "positive finite" } else { "finite" };
            return Err(Error::new(ErrorKind::Dtype, format!("there is no {what} number to plot")));
        };
        Ok(Self { shape: array.shape().to_vec(), values, range: if log { wide_log(range) } else { wide(range) } })
    }

    /// One or two lengths.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in C order.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The least and the greatest value, apart enough to draw an axis.
    pub fn range(&self) -> (f64, f64) {
        self.range
    }
}

fn wide((low, high): (f64, f64)) -> (f64, f64) {
    let least = (low.abs().max(high.abs()) * 1e-9).max(1e-300);
    if high - low >= least {
        return (low, high);
    }
    let margin = if low == 0.0 && high == 0.0 { 0.5 } else { (low.abs().max(high.abs()) * 0.05).max(1e-290) };
    (low - margin, high + margin)
}

fn wide_log((low, high): (f64, f64)) -> (f64, f64) {
    let (low, high) = (low.max(1e-300), high.max(1e-300));
    if high / low > 1.01 { (low, high) } else { (low / 2.0, high * 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_can_always_be_drawn() {
        for values in [vec![0.0], vec![1e16, 1e16 + 2.0], vec![f64::MIN, f64::MAX], vec![f64::NAN, 3.0], vec![5e-324], vec![1.0, 2.0]] {
            let (low, high) = Values::new(&AnyArray::from(values.clone()), false).unwrap().range();
            assert!(low < high && (high - low).is_finite(), "{values:?} {low} {high}");
        }
        assert!(Values::new(&AnyArray::from(vec![f64::NAN, f64::INFINITY]), false).is_err());
        assert!(Values::new(&AnyArray::from(vec![-1.0, 0.0]), true).is_err());
        let complex = Values::new(&AnyArray::from(vec![Complex::new(3.0f32, 4.0)]), false).unwrap();
        assert_eq!(complex.values(), [5.0]);
        assert_eq!(Values::new(&AnyArray::from(vec![true, false]), false).unwrap().values(), [1.0, 0.0]);
        assert!(Values::new(&AnyArray::from("text"), false).is_err());
    }
}
