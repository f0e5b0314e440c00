//! How elements of one type become elements of another: decided once for a pair of types, before any element is looked at.

use super::number::{Kernel, Number, kernel};
use crate::dtype::layout::Layout;
use crate::dtype::{Cast, CompoundType, DType, EnumType, IntType, can_cast};
use crate::error::{Result, bail};
use std::collections::HashMap;

/// The way from a type to another.
pub(super) enum Plan {
    /// The same bytes; slots keep what they point to.
    Copy(Layout),
    /// Number to number; a real number becomes the first part of a complex one.
    Number { kernel: Kernel, from: usize, to: usize },
    /// The real part, if the imaginary one is 0.
    RealPart { kernel: Kernel, part: usize, to: usize },
    /// Integers to integers by a table; a value that is not in it is an error.
    Lookup { from: IntType, to: IntType, table: HashMap<i128, i128> },
    /// String to string.
    Text(DType, DType),
    /// A member's name.
    MemberName(IntType, HashMap<i128, String>, DType),
    /// A member by its name.
    MemberOf(DType, HashMap<Vec<u8>, i128>, IntType),
    /// Parts of the element at offsets, each with its name.
    Fields(Vec<(String, usize, usize, Plan)>),
    /// `count` parts, one behind the other.
    Items { count: usize, from: usize, to: usize, plan: Box<Plan> },
    /// Sequences, item by item.
    Sequence(DType),
}

const BYTE: IntType = IntType { size: 1, signed: true, order: crate::dtype::Order::NATIVE };

/// True if the bytes can stay as they are: the same values, and no string changes its character set.
pub(super) fn is_relabelling(from: &DType, to: &DType) -> bool {
    fn same_charsets(from: &DType, to: &DType) -> bool {
        let charset = |t: &DType| match t {
            DType::FixedString { charset, .. } | DType::VarString { charset, .. } => Some(*charset),
            _ => None,
        };
        match (from, to) {
            (DType::Compound(a), DType::Compound(b)) => a.fields().iter().zip(b.fields()).all(|(x, y)| same_charsets(&x.dtype, &y.dtype)),
            (DType::Array { base: a, .. }, DType::Array { base: b, .. }) | (DType::VarSeq(a), DType::VarSeq(b)) => same_charsets(a, b),
            _ => charset(from) == charset(to),
        }
    }
    from.same_values(to) && same_charsets(from, to)
}

impl Plan {
    /// Finds the way.
    ///
    /// # Errors
    /// `Dtype` if there is none under the policy.
    pub(super) fn new(from: &DType, to: &DType, cast: Cast) -> Result<Plan> {
        if is_relabelling(from, to) {
            return Ok(Self::Copy(Layout::of(from)));
        }
        if cast == Cast::Safe && !can_cast(from, to) {
            bail!(Dtype, "{to} does not hold every value of {from}, and only safe conversions are asked for");
        }
        // The type-level check is all of a safe conversion; numpy's 64-bit integers in an f64 are rounded.
        let exactly = cast == Cast::Exact;
        let number = |a: &DType, b: &DType| Some((Number::of(a)?, Number::of(b)?));
        Ok(match (from, to) {
            (DType::Enum(a), DType::Enum(b)) => {
                let by_name: HashMap<&str, i128> = b.members.iter().map(|(n, v)| (n.as_str(), *v)).collect();
                let table = a.members.iter().filter_map(|(n, v)| Some((*v, *by_name.get(n.as_str())?))).collect();
                Self::Lookup { from: a.base, to: b.base, table }
            }
            (DType::Int(a) | DType::BitField(a), DType::Enum(b)) => Self::into_enum(*a, b),
            (DType::Bool, DType::Enum(b)) => Self::into_enum(BYTE, b),
            (DType::Enum(e), DType::VarString { .. } | DType::FixedString { .. }) => {
                Self::MemberName(e.base, e.members.iter().map(|(n, v)| (*v, n.clone())).collect(), to.clone())
            }
            (DType::Bool, DType::VarString { .. } | DType::FixedString { .. }) => {
                Self::MemberName(BYTE, [(0, "FALSE".to_owned()), (1, "TRUE".to_owned())].into(), to.clone())
            }
            (DType::VarString { .. } | DType::FixedString { .. }, DType::Enum(e)) => {
                Self::MemberOf(from.clone(), e.members.iter().map(|(n, v)| (n.clone().into_bytes(), *v)).collect(), e.base)
            }
            (DType::VarString { .. } | DType::FixedString { .. }, DType::Bool) => {
                Self::MemberOf(from.clone(), [(b"FALSE".to_vec(), 0), (b"TRUE".to_vec(), 1)].into(), BYTE)
            }
            (DType::Enum(_), DType::Int(_) | DType::BitField(_) | DType::Bool)
            | (DType::Bool | DType::Int(_) | DType::Float(_), DType::Bool | DType::Int(_) | DType::Float(_))
            | (DType::Int(_) | DType::BitField(_), DType::Int(_) | DType::BitField(_)) => match number(from, to) {
                Some((a, b)) => Self::Number { kernel: kernel(a, b, exactly), from: a.size(), to: b.size() },
                None => return none(from, to),
            },
            (DType::Bool | DType::Int(_) | DType::Float(_), DType::Complex(t)) => match Number::of(from) {
                Some(a) => {
                    let b = Number::of_float(t.width);
                    Self::Number { kernel: kernel(a, b, exactly), from: a.size(), to: b.size() }
                }
                None => return none(from, to),
            },
            (DType::Complex(a), DType::Complex(b)) => {
                let (a, b) = (Number::of_float(a.width), Number::of_float(b.width));
                let plan = Self::Number { kernel: kernel(a, b, exactly), from: a.size(), to: b.size() };
                Self::Items { count: 2, from: a.size(), to: b.size(), plan: Box::new(plan) }
            }
            (DType::Complex(a), DType::Float(_) | DType::Int(_)) => match (Number::of_float(a.width), Number::of(to)) {
                (a, Some(b)) => Self::RealPart { kernel: kernel(a, b, exactly), part: a.size(), to: b.size() },
                _ => return none(from, to),
            },
            (DType::FixedString { .. } | DType::VarString { .. }, DType::FixedString { .. } | DType::VarString { .. }) => {
                Self::Text(from.clone(), to.clone())
            }
            (DType::Opaque { size: a, .. }, DType::Opaque { size: b, .. }) if a == b => Self::Copy(Layout::of(from)),
            (DType::Compound(a), DType::Compound(b)) => Self::fields(a, b, cast)?,
            (DType::Array { base: a, shape: s }, DType::Array { base: b, shape: t }) if s == t => {
                Self::Items { count: s.iter().product(), from: a.itemsize(), to: b.itemsize(), plan: Box::new(Self::new(a, b, cast)?) }
            }
            (DType::VarSeq(a), DType::VarSeq(b)) => {
                Self::new(a, b, cast)?;
                Self::Sequence((**b).clone())
            }
            _ => return none(from, to),
        })
    }

    fn into_enum(from: IntType, to: &EnumType) -> Self {
        Self::Lookup { from, to: to.base, table: to.members.iter().map(|(_, v)| (*v, *v)).collect() }
    }

    fn fields(from: &CompoundType, to: &CompoundType, cast: Cast) -> Result<Self> {
        let mut fields = Vec::with_capacity(to.fields().len());
        for field in to.fields() {
            let Some(source) = from.field(&field.name) else {
                bail!(Dtype, "the field '{}' is wanted, and the compound to convert has none of that name", field.name);
            };
            let plan = Self::new(&source.dtype, &field.dtype, cast)
                .map_err(|e| crate::error::Error::new(e.kind(), format!("field '{}': {}", field.name, e.message())))?;
            fields.push((field.name.clone(), source.offset, field.offset, plan));
        }
        if cast != Cast::Saturate
            && let Some(extra) = from.fields().iter().find(|f| to.field(&f.name).is_none())
        {
            bail!(Dtype, "the field '{}' would be dropped: the compound to convert to has none of that name", extra.name);
        }
        Ok(Self::Fields(fields))
    }

    /// True if slots get new items, so that the result needs a heap of its own.
    pub(super) fn makes_items(&self) -> bool {
        match self {
            Self::Text(_, to) | Self::MemberName(_, _, to) => matches!(to, DType::VarString { .. }),
            Self::Sequence(_) => true,
            Self::Fields(fields) => fields.iter().any(|(_, _, _, plan)| plan.makes_items()),
            Self::Items { plan, .. } => plan.makes_items(),
            _ => false,
        }
    }
}

fn none(from: &DType, to: &DType) -> Result<Plan> {
    bail!(Dtype, "elements of type {from} cannot be converted to {to}")
}
