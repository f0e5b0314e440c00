//! `#[derive(H5Type)]` structs of the `hdf5` crate as rows.
//!
//! The derive macro of hdf5-metno asks `Cargo.toml` under which name it is a dependency, so a user who derives needs it as one:
//! `hdf5 = { package = "hdf5-metno", version = "0.15" }` (any name will do), and `#[derive(hdf5::H5Type)]` then works as in its
//! documentation. Elements have the memory layout of the struct, so values are copied field by field; padding is never read.

use crate::array::{AnyArray, Arena, ElementRef, Item, select};
use crate::dtype::layout::{Layout, SlotKind};
use crate::dtype::{Cast, Charset, CompoundType, DType, EnumType, Field, IntType, Order, Padding};
use crate::error::{Result, bail, error};
use hdf5::types::{TypeDescriptor, VarLenArray, VarLenAscii, VarLenUnicode};
use hdf5::{H5Type, types};
use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

impl DType {
    /// The dtype of a type that implements `hdf5::H5Type`: for a struct, a compound with the struct's own offsets, padding included.
    ///
    /// # Errors
    /// `Unsupported` for the reference types of the `hdf5` crate, `Dtype` for a type without bytes.
    pub fn of_h5<T: H5Type>() -> Result<DType> {
        let descriptor = T::type_descriptor();
        let dtype = dtype_of(&descriptor)?;
        dtype.validate()?;
        if dtype.itemsize() != size_of::<T>() || descriptor.size() != size_of::<T>() {
            bail!(Dtype, "the descriptor of {} says {} bytes, and it has {}", std::any::type_name::<T>(), dtype.itemsize(), size_of::<T>());
        }
        Ok(dtype)
    }
}

fn dtype_of(descriptor: &TypeDescriptor) -> Result<DType> {
    let int = |size: types::IntSize, signed: bool| IntType { size: size as u8, signed, order: Order::NATIVE };
    let fixed = |size: usize, charset: Charset| DType::FixedString { size, charset, padding: Padding::NullPad };
    let var = |charset: Charset| DType::VarString { charset, padding: Padding::NullTerm };
    Ok(match descriptor {
        TypeDescriptor::Integer(size) => DType::Int(int(*size, true)),
        TypeDescriptor::Unsigned(size) => DType::Int(int(*size, false)),
        TypeDescriptor::Float(types::FloatSize::U2) => DType::F16,
        TypeDescriptor::Float(types::FloatSize::U4) => DType::F32,
        TypeDescriptor::Float(types::FloatSize::U8) => DType::F64,
        TypeDescriptor::Boolean => DType::Bool,
        TypeDescriptor::Enum(e) => {
            let base = int(e.size, e.signed);
            let value = |v: u64| if e.signed { i128::from(v as i64) } else { i128::from(v) };
            DType::from_enum(EnumType { base, members: e.members.iter().map(|m| (m.name.clone(), value(m.value))).collect() })?
        }
        TypeDescriptor::Compound(c) => {
            let mut fields: Vec<&types::CompoundField> = c.fields.iter().collect();
            fields.sort_by_key(|f| f.index);
            if let [r, i] = fields.as_slice()
                && (r.name.as_str(), i.name.as_str(), r.offset, i.offset) == ("r", "i", 0, r.ty.size())
                && r.ty == i.ty
                && c.size == 2 * r.ty.size()
                && let DType::Float(part) = dtype_of(&r.ty)?
            {
                return Ok(DType::Complex(part));
            }
            let fields = fields
                .into_iter()
                .map(|f| Ok(Field { name: f.name.clone(), dtype: dtype_of(&f.ty)?, offset: f.offset }))
                .collect::<Result<_>>()?;
            DType::Compound(CompoundType::new(fields, c.size)?.into())
        }
        TypeDescriptor::FixedArray(base, n) => match dtype_of(base)? {
            DType::Array { base, shape } => DType::array((*base).clone(), [&[*n], &*shape].concat()),
            base => DType::array(base, [*n]),
        },
        TypeDescriptor::FixedAscii(n) => fixed(*n, Charset::Ascii),
        TypeDescriptor::FixedUnicode(n) => fixed(*n, Charset::Utf8),
        TypeDescriptor::VarLenArray(base) => DType::varseq(dtype_of(base)?),
        TypeDescriptor::VarLenAscii => var(Charset::Ascii),
        TypeDescriptor::VarLenUnicode => var(Charset::Utf8),
        TypeDescriptor::Reference(_) => {
            return Err(error!(Unsupported, "the reference types of the hdf5 crate belong to a file of its own")
                .remedy("use ObjectRef and RegionRef with from_references and from_regions"));
        }
    })
}

impl AnyArray {
    /// One element for each value of a type that implements `hdf5::H5Type`, in the layout of the Rust type.
    ///
    /// ```
    /// use memh5::{AnyArray, MemGroup, prelude::*};
    /// #[derive(hdf5::H5Type, Clone, PartialEq, Debug)]
    /// #[repr(C)]
    /// struct Source {
    ///     id: u8,
    ///     flux: f64,
    ///     name: hdf5::types::VarLenUnicode,
    /// }
    /// let sources = [Source { id: 1, flux: 0.5, name: "Cyg A".parse().expect("no NUL") }];
    /// let group = MemGroup::new();
    /// let d = group.create_dataset("sources").write(AnyArray::from_h5(&sources)?)?;
    /// assert_eq!(d.dtype()?.to_string(), "{id: |u1, flux: <f8, name: str}");
    /// assert_eq!(d.read_array()?.to_h5::<Source>()?, sources);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DType::of_h5`].
    pub fn from_h5<T: H5Type>(values: &[T]) -> Result<AnyArray> {
        let dtype = DType::of_h5::<T>()?;
        let heap = Arena::default();
        // SAFETY: T implements H5Type, and so promises that its values are laid out as its descriptor says, of which the dtype is a
        // copy with the same size.
        let bytes = unsafe { gather(values.as_ptr().cast(), values.len(), &Layout::of(&dtype), &heap)? };
        AnyArray::assemble(&dtype, vec![values.len()], &bytes, heap)
    }

    /// One value of a type that implements `hdf5::H5Type` for each element, in C order. Elements of another type are converted
    /// exactly, compounds field by field by name.
    ///
    /// # Errors
    /// As [`DType::of_h5`]; `Dtype` if a value does not fit the Rust type: text that is not UTF-8, an enumeration's value that is no variant.
    pub fn to_h5<T: H5Type>(&self) -> Result<Vec<T>> {
        let dtype = DType::of_h5::<T>()?;
        if self.is_null() {
            bail!(Shape, "a null dataspace has no elements");
        }
        let array = self.astype(&dtype, Cast::Exact)?;
        for (i, element) in array.elements().enumerate() {
            check(&element).map_err(|e| error!(Dtype, "the element {i} is no {}: {}", std::any::type_name::<T>(), e.message()))?;
        }
        let layout = Layout::of(&dtype);
        let mut values: Vec<MaybeUninit<T>> = (0..array.len()).map(|_| MaybeUninit::zeroed()).collect();
        for (element, value) in array.elements().zip(&mut values) {
            // SAFETY: the value has room for an element of the layout, whose every field check has found valid.
            unsafe { scatter(&array, element.bytes(), value.as_mut_ptr().cast(), &layout) };
        }
        // SAFETY: every field of every value is written, with a value that its type has.
        Ok(values.into_iter().map(|v| unsafe { v.assume_init() }).collect())
    }
}

/// The layout of every `VarLenArray`, whatever its items are.
#[repr(C)]
struct VarLen {
    len: usize,
    items: *const u8,
}

/// The elements behind a pointer: data bytes and slots; padding is left zero.
///
/// # Safety
/// `from` points to `count` values of the layout.
unsafe fn gather(from: *const u8, count: usize, layout: &Layout, heap: &Arena) -> Result<Vec<u8>> {
    let mut bytes = vec![0u8; count * layout.itemsize];
    for (i, element) in bytes.chunks_exact_mut(layout.itemsize.max(1)).enumerate() {
        // SAFETY: i is below count.
        let value = unsafe { from.add(i * layout.itemsize) };
        for run in &layout.runs {
            let to = &mut element[run.offset..run.offset + run.len];
            // SAFETY: the run lies within the value, and is made of fields, so its bytes are initialised.
            unsafe { std::ptr::copy_nonoverlapping(value.add(run.offset), to.as_mut_ptr(), run.len) };
        }
        for slot in &layout.slots {
            // SAFETY: the slot lies within the value.
            let place = unsafe { value.add(slot.offset) };
            let item = match &slot.kind {
                SlotKind::Str => {
                    // SAFETY: VarLenAscii and VarLenUnicode are one pointer (repr(C)), to a terminated string or null.
                    let text = unsafe { place.cast::<*const c_char>().read_unaligned() };
                    // SAFETY: as above.
                    let text = if text.is_null() { &[] } else { unsafe { CStr::from_ptr(text) }.to_bytes() };
                    (!text.is_empty()).then(|| Item::Str(text.into()))
                }
                SlotKind::Seq(base) => {
                    // SAFETY: VarLenArray is a length and a pointer to as many items (repr(C)).
                    let VarLen { len: n, items } = unsafe { place.cast::<VarLen>().read_unaligned() };
                    if n == 0 || items.is_null() {
                        None
                    } else {
                        let inner = Arena::default();
                        // SAFETY: n values of the base's layout, as the array's own type says.
                        let bytes = unsafe { gather(items, n, &Layout::of(base), &inner)? };
                        Some(Item::Seq(Box::new(AnyArray::assemble(base, vec![n], &bytes, inner)?)))
                    }
                }
                SlotKind::Object | SlotKind::Region => None,
            };
            select::set_slot(element, slot.offset, item.map_or(0, |item| heap.push(item)));
        }
    }
    Ok(bytes)
}

/// Writes an element behind a pointer.
///
/// # Safety
/// `to` points to zeroed room for a value of the layout, and the element has the array's dtype, which is the layout's.
unsafe fn scatter(array: &AnyArray, element: &[u8], to: *mut u8, layout: &Layout) {
    for run in &layout.runs {
        let from = &element[run.offset..run.offset + run.len];
        // SAFETY: the run lies within the value.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.add(run.offset), run.len) };
    }
    for slot in &layout.slots {
        // SAFETY: the slot lies within the value.
        let place = unsafe { to.add(slot.offset) };
        match (&slot.kind, array.item(element, slot.offset)) {
            (SlotKind::Str, item) => {
                let text = match item {
                    Some(Item::Str(text)) => &**text,
                    _ => &[],
                };
                // Both string types are one pointer to memory of one allocator; check has found the text valid for either.
                match std::str::from_utf8(text).ok().and_then(|t| t.parse::<VarLenUnicode>().ok()) {
                    // SAFETY: room for the pointer; it may be unaligned in a packed struct.
                    Some(text) => unsafe { place.cast::<VarLenUnicode>().write_unaligned(text) },
                    // SAFETY: as above. (check leaves no text that is not UTF-8 or holds a NUL.)
                    None => unsafe { place.cast::<VarLenAscii>().write_unaligned(VarLenAscii::new()) },
                }
            }
            (SlotKind::Seq(base), Some(Item::Seq(items))) => {
                let inner = Layout::of(base);
                let mut bytes = vec![0u8; items.len() * inner.itemsize];
                for (from, to) in items.elements().zip(bytes.chunks_exact_mut(inner.itemsize.max(1))) {
                    // SAFETY: `to` is zeroed room for one item.
                    unsafe { scatter(items, from.bytes(), to.as_mut_ptr(), &inner) };
                }
                // The memory that a VarLenArray of the items frees, aligned as malloc does for any type.
                let memory = VarLenArray::<u8>::from_slice(&bytes);
                let pointer = memory.as_ptr();
                std::mem::forget(memory);
                // SAFETY: room for a length and a pointer, the layout of every VarLenArray; the memory is handed over to it.
                unsafe { place.cast::<VarLen>().write_unaligned(VarLen { len: items.len(), items: pointer }) };
            }
            // Zero bytes are the empty array.
            _ => {}
        }
    }
}

/// Checks that the values are ones that a Rust type has.
fn check(element: &ElementRef<'_>) -> Result<()> {
    match element.dtype() {
        DType::Bool if element.as_bool().is_none() => bail!(Dtype, "{element} is no bool"),
        DType::Enum(_) if element.as_member().is_none() => bail!(Dtype, "{element} is no variant of {}", element.dtype()),
        DType::FixedString { charset, .. } | DType::VarString { charset, .. } => match element.as_str() {
            None => bail!(Dtype, "{element} is not UTF-8"),
            Some(text) if *charset == Charset::Ascii && !text.is_ascii() => bail!(Dtype, "{element} is not ASCII"),
            Some(text) if matches!(element.dtype(), DType::VarString { .. }) && text.contains('\0') => {
                bail!(Dtype, "{element} holds a NUL")
            }
            Some(_) => Ok(()),
        },
        DType::Compound(_) => element.fields().try_for_each(|(_, part)| check(&part)),
        DType::Array { base, .. } | DType::VarSeq(base) if !is_unchecked(base) => element.items().try_for_each(|item| check(&item)),
        _ => Ok(()),
    }
}

/// True if all bytes are values.
fn is_unchecked(dtype: &DType) -> bool {
    matches!(dtype, DType::Int(_) | DType::Float(_) | DType::Complex(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdf5::types::{FixedAscii, FixedUnicode};
    use num_complex::Complex;

    #[derive(H5Type, Clone, Copy, PartialEq, Debug)]
    #[repr(i16)]
    enum Colour {
        Red = -1,
        Blue = 300,
    }

    #[derive(H5Type, Clone, Copy, PartialEq, Debug)]
    #[repr(C)]
    struct Inner {
        tag: FixedAscii<3>,
        z: Complex<f32>,
        colour: Colour,
    }

    #[derive(H5Type, Clone, PartialEq, Debug)]
    #[repr(C)]
    struct Row {
        ok: bool,
        id: u64,
        inner: [Inner; 2],
        name: VarLenUnicode,
        ascii: VarLenAscii,
        fixed: FixedUnicode<8>,
        half: half::f16,
        #[hdf5(rename = "samples of it")]
        samples: VarLenArray<i16>,
        nested: VarLenArray<Inner>,
        grid: [[f64; 3]; 2],
    }

    #[derive(H5Type, Clone, Copy, PartialEq, Debug)]
    #[repr(C, packed)]
    struct Packed {
        a: u8,
        b: f64,
    }

    fn row(id: u64) -> Row {
        let inner = |k: f32| Inner {
            tag: FixedAscii::from_ascii(b"ab").unwrap(),
            z: Complex::new(k, -k),
            colour: if k > 1.0 { Colour::Red } else { Colour::Blue },
        };
        Row {
            ok: id > 1,
            id,
            inner: [inner(1.0), inner(2.0)],
            name: format!("é{id}").parse().unwrap(),
            ascii: VarLenAscii::from_ascii("plain").unwrap(),
            fixed: "äb".parse().unwrap(),
            half: half::f16::from_f32(0.5),
            samples: VarLenArray::from_slice(&(0..id as i16).collect::<Vec<_>>()),
            nested: VarLenArray::from_slice(&vec![inner(3.0); id as usize]),
            grid: [[1.0; 3], [id as f64; 3]],
        }
    }

    #[test]
    fn structs_go_there_and_back() {
        let rows: Vec<Row> = (0..4).map(row).collect();
        let a = AnyArray::from_h5(&rows).unwrap();
        assert_eq!(a.dtype().itemsize(), size_of::<Row>());
        assert_eq!(a.element(1).unwrap().field("samples of it").unwrap().to_string(), "[0]");
        assert_eq!(
            a.element(2).unwrap().field("inner").unwrap().to_string(),
            r#"[{tag: "ab", z: 1-1j, colour: Blue}, {tag: "ab", z: 2-2j, colour: Red}]"#
        );
        assert_eq!(a.element(3).unwrap().field("grid").unwrap().to_string(), "[[1.0, 1.0, 1.0], [3.0, 3.0, 3.0]]");
        assert_eq!(a.to_h5::<Row>().unwrap(), rows);
        // From a copy on another heap, and from another layout.
        let part = a.select(1..3).unwrap();
        assert_eq!(part.to_h5::<Row>().unwrap(), rows[1..3]);
        let packed = AnyArray::from_h5(&[Packed { a: 1, b: 2.0 }]).unwrap();
        assert_eq!(packed.dtype(), &DType::compound([("a", DType::U8), ("b", DType::F64)]).unwrap());
        let other = packed.astype(&DType::compound([("b", DType::F32), ("a", DType::I64)]).unwrap(), Cast::Exact).unwrap();
        assert_eq!(other.to_h5::<Packed>().unwrap(), [Packed { a: 1, b: 2.0 }]);
        assert_eq!(AnyArray::from(vec![1.0, 2.0]).to_h5::<f32>().unwrap(), [1.0, 2.0]);
        assert_eq!(DType::of_h5::<Complex<f64>>().unwrap(), DType::C128);
    }

    #[test]
    fn values_that_no_rust_type_has_are_refused() {
        let colour = DType::of_h5::<Colour>().unwrap();
        let bad = AnyArray::from_bytes(colour, [1], &5i16.to_ne_bytes()).unwrap();
        assert!(bad.to_h5::<Colour>().unwrap_err().message().contains("5 is no variant"));
        let bad = AnyArray::from_bytes(DType::Bool, [1], &[7]).unwrap();
        assert!(bad.to_h5::<bool>().unwrap_err().message().contains("7 is no bool"));
        let bad = AnyArray::from_bytes(DType::fixed_utf8(2), [1], &[0xff, 0]).unwrap();
        assert!(bad.to_h5::<FixedUnicode<2>>().unwrap_err().message().contains("not UTF-8"));
        let bad = AnyArray::from_bytes(DType::fixed_ascii(2), [1], &[0xe9, 0]).unwrap();
        assert!(bad.to_h5::<FixedAscii<2>>().is_err());
        assert!(AnyArray::from("é").to_h5::<VarLenAscii>().is_err());
        assert!(AnyArray::from(300).to_h5::<u8>().unwrap_err().message().contains("300"));
        assert_eq!(DType::of_h5::<hdf5::ObjectReference1>().unwrap_err().kind(), crate::ErrorKind::Unsupported);
    }
}
