//! Objects: compounds as spine stores them, packed and of few kinds of field.

use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};

/// The compounds without padding between their fields.
pub(crate) fn packed(rows: AnyArray) -> Result<AnyArray> {
    let DType::Compound(c) = rows.dtype() else {
        bail!(Dtype, "objects are compounds, and these are of type {}", rows.dtype());
    };
    for field in c.fields() {
        check_field(&field.name, &field.dtype)?;
    }
    if c.is_packed() { Ok(rows) } else { without(&rows, &[]) }
}

/// The compounds without some of their fields, packed.
pub(crate) fn without(rows: &AnyArray, names: &[&str]) -> Result<AnyArray> {
    let fields: Vec<_> = rows.dtype().fields().iter().filter(|f| !names.contains(&f.name.as_str())).collect();
    if fields.is_empty() {
        bail!(Dtype, "an object without fields cannot be stored");
    }
    let dtype = DType::compound(fields.iter().map(|f| (f.name.as_str(), f.dtype.clone())))?;
    let mut out = AnyArray::zeros(dtype, rows.shape().to_vec())?;
    for field in fields {
        out.set_field(&field.name, rows.field(&field.name)?)?;
    }
    Ok(out)
}

fn check_field(name: &str, dtype: &DType) -> Result<()> {
    let bad = |what: String| {
        Err(error!(Dtype, "the field '{name}' {what}, which an object's field cannot")
            .remedy("objects have numbers, bools, enumerations, text, fixed arrays of numbers and sequences of numbers"))
    };
    match dtype {
        d if d.is_numeric() => Ok(()),
        DType::Enum(_) | DType::VarString { .. } | DType::FixedString { .. } => Ok(()),
        DType::Array { base, .. } if base.is_numeric() || matches!(**base, DType::Enum(_)) => Ok(()),
        DType::VarSeq(base) if base.is_numeric() || matches!(**base, DType::Enum(_)) => Ok(()),
        other => bad(format!("is of type {other}")),
    }
}
