//! The one rule set: what a save will do, decided and checked before anything is touched.

use super::{Approach, Indices, SaveOptions};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::selection::Selection;

/// What is at the target.
#[derive(Debug, Clone)]
pub(super) struct Existing {
    pub dtype: DType,
    /// `None`: a null dataspace.
    pub shape: Option<Vec<usize>>,
    /// How far axis 0 may grow, where somebody has set a limit.
    pub limit: Option<usize>,
}

/// What a save will do. The data have the type of the target, and fit.
#[derive(Debug)]
pub(super) enum Plan {
    /// Make the target with these data.
    Create(AnyArray),
    /// Put these rows behind those that are there.
    Append(AnyArray),
    /// Put these data in the place of those that are there.
    Replace(AnyArray),
    /// Put these data where the selection says; they have its shape.
    Update(Selection, AnyArray),
    /// All is well, and there is nothing to write.
    Nothing,
}

/// Decides and checks.
///
/// # Errors
/// `InvalidArgument` for indices where there can be none or that are missing; `NotFound` if there is nothing to update; `Shape`, `Dtype`,
/// `Selection` if the data or the indices do not fit.
pub(super) fn plan(data: &AnyArray, indices: &Indices, options: &SaveOptions, existing: Option<&Existing>) -> Result<Plan> {
    let approach = options.the_approach();
    match (approach, indices.selection()) {
        (Approach::Append, Some(_)) => {
            return Err(error!(InvalidArgument, "an append goes behind what is there and takes no indices")
                .remedy("leave them out, or update what is there already"));
        }
        (Approach::Overwrite, Some(_)) => {
            return Err(
                error!(InvalidArgument, "an overwrite replaces everything and takes no indices").remedy("leave them out, or update")
            );
        }
        (Approach::Update, None) => {
            return Err(error!(InvalidArgument, "an update needs the indices of what it writes").remedy("give them; .. means everything"));
        }
        _ => {}
    }
    if data.is_null() {
        bail!(Shape, "a null array has no elements to save");
    }
    if let (Some(dtype), Some(there)) = (&options.dtype, existing)
        && approach != Approach::Overwrite
        && !dtype.same_values(&there.dtype)
    {
        return Err(error!(Dtype, "the target holds elements of type {}, and the option 'dtype' says {dtype}", there.dtype)
            .remedy("leave the option out, or overwrite"));
    }
    match (approach, existing) {
        (Approach::Append, None) => {
            if data.is_scalar() {
                return Err(no_axis());
            }
            fresh(data, options).map(Plan::Create)
        }
        (Approach::Append, Some(there)) => append(data, options, there),
        (Approach::Overwrite, None) => fresh(data, options).map(Plan::Create),
        (Approach::Overwrite, Some(_)) => fresh(data, options).map(Plan::Replace),
        (Approach::Update, None) => {
            Err(error!(NotFound, "there is nothing to update").remedy("append or overwrite first; an update never makes the target"))
        }
        (Approach::Update, Some(there)) => update(data, indices.selection().unwrap_or(&Selection::All), options, there),
    }
}

fn no_axis() -> crate::Error {
    error!(Shape, "a scalar has no axis 0, along which to append").remedy("save an array of one element, or overwrite")
}

/// Data for a target that is made.
fn fresh(data: &AnyArray, options: &SaveOptions) -> Result<AnyArray> {
    convert(data, options.dtype.as_ref().unwrap_or(data.dtype()), options)
}

fn convert(data: &AnyArray, dtype: &DType, options: &SaveOptions) -> Result<AnyArray> {
    dtype.validate()?;
    let data = if data.dtype() == dtype { data.clone() } else { data.astype(dtype, options.the_cast())? };
    data.check_storable()?;
    Ok(data)
}

fn append(data: &AnyArray, options: &SaveOptions, there: &Existing) -> Result<Plan> {
    let Some(shape) = &there.shape else { bail!(Shape, "the target has a null dataspace, to which nothing can be appended") };
    let (Some(old), Some(rows)) = (shape.first(), data.shape().first()) else {
        return Err(if shape.is_empty() { error!(Shape, "the target is a scalar, to which nothing can be appended") } else { no_axis() });
    };
    if data.ndim() != shape.len() || data.shape()[1..] != shape[1..] {
        return Err(error!(Shape, "data of shape {:?} cannot be appended to a target of shape {shape:?}", data.shape())
            .remedy("the number of axes and all axes but the first have to be equal"));
    }
    let Some(end) = old.checked_add(*rows) else { bail!(Shape, "axis 0 cannot grow past the address space") };
    crate::array::byte_len(&[&[end], &shape[1..]].concat(), there.dtype.itemsize())?;
    if let Some(limit) = there.limit
        && end > limit
    {
        bail!(Shape, "axis 0 cannot grow from {old} to {end}: its maxshape is {limit}");
    }
    let data = convert(data, &there.dtype, options)?;
    Ok(if data.is_empty() && *rows == 0 { Plan::Nothing } else { Plan::Append(data) })
}

fn update(data: &AnyArray, selection: &Selection, options: &SaveOptions, there: &Existing) -> Result<Plan> {
    let Some(shape) = &there.shape else { bail!(Shape, "the target has a null dataspace, and no elements to update") };
    let resolved = selection.resolve(shape)?;
    let wanted = resolved.shape();
    let mut data = convert(data, &there.dtype, options)?;
    if data.shape() != wanted {
        data = data.broadcast(&wanted)?;
    }
    Ok(if resolved.count() == 0 { Plan::Nothing } else { Plan::Update(selection.clone(), data) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::dtype::Cast;

    fn kind(r: Result<Plan>) -> ErrorKind {
        r.expect_err("refused").kind()
    }

    #[test]
    fn mistakes_have_one_kind_each() {
        let there = Existing { dtype: DType::I32, shape: Some(vec![4, 3]), limit: Some(5) };
        let (append, update) = (SaveOptions::new(), SaveOptions::new().approach(Approach::Update));
        let rows = |n: usize| AnyArray::zeros(DType::I32, [n, 3]).unwrap();
        let none = Indices::NONE;
        let p = |data: &AnyArray, indices: &Indices, options: &SaveOptions| plan(data, indices, options, Some(&there));
        assert!(matches!(p(&rows(1), &none, &append), Ok(Plan::Append(_))));
        assert!(matches!(p(&rows(0), &none, &append), Ok(Plan::Nothing)));
        assert_eq!(kind(p(&rows(2), &none, &append)), ErrorKind::Shape); // its limit
        assert_eq!(kind(p(&rows(1), &0.into(), &append)), ErrorKind::InvalidArgument);
        assert_eq!(kind(p(&AnyArray::from(vec![1, 2, 3]), &none, &append)), ErrorKind::Shape); // no broadcasting in an append
        assert_eq!(kind(p(&AnyArray::from(1), &none, &append)), ErrorKind::Shape);
        assert_eq!(kind(p(&AnyArray::null(DType::I32), &none, &append)), ErrorKind::Shape);
        let halves = AnyArray::from(ndarray::array![[0.5, 1.0, 2.0]]);
        assert_eq!(kind(p(&halves, &none, &append)), ErrorKind::Dtype);
        assert!(p(&halves, &none, &SaveOptions::new().cast(Cast::Saturate)).is_ok());
        assert_eq!(kind(p(&rows(1), &none, &SaveOptions::new().dtype(DType::F64))), ErrorKind::Dtype);
        assert_eq!(kind(p(&rows(1), &none, &update)), ErrorKind::InvalidArgument);
        assert_eq!(kind(p(&rows(1), &9.into(), &update)), ErrorKind::Selection);
        assert_eq!(kind(p(&rows(3), &(0..2).into(), &update)), ErrorKind::Shape);
        assert_eq!(kind(plan(&rows(1), &0.into(), &update, None)), ErrorKind::NotFound);
        assert_eq!(kind(plan(&AnyArray::from(1), &none, &append, None)), ErrorKind::Shape);
    }

    #[test]
    fn updates_broadcast_as_numpy_does() {
        let there = Existing { dtype: DType::F64, shape: Some(vec![4, 3]), limit: None };
        let update = SaveOptions::new().approach(Approach::Update);
        for (data, indices) in [
            (AnyArray::from(1), Indices::from(0)),
            (AnyArray::from(vec![1, 2, 3]), vec![3, 0, 3].into()),
            (AnyArray::from(vec![1, 2]), (vec![0, 2], 1).into()),
            (AnyArray::from(ndarray::array![[1], [2]]), Indices::from(1..3)),
        ] {
            let Ok(Plan::Update(selection, data)) = plan(&data, &indices, &update, Some(&there)) else { panic!("{indices:?}") };
            assert_eq!(data.shape(), selection.resolve(&[4, 3]).unwrap().shape());
            assert_eq!(data.dtype(), &DType::F64);
        }
        let empty = AnyArray::zeros(DType::F64, [0, 3]).unwrap();
        assert!(matches!(plan(&empty, &Vec::<i64>::new().into(), &update, Some(&there)), Ok(Plan::Nothing)));
    }
}
