//! Attributes of objects.

use super::elements::Codec;
use super::ffi::{Id, c_name, h5, hid_t};
use super::object::Handle;
use super::refs::References;
use super::{props, space, types};
use crate::array::AnyArray;
use crate::error::{Error, ErrorKind, Result, bail};
use hdf5_sys::h5::{H5_INDEX_CRT_ORDER, H5_INDEX_NAME, H5_ITER_INC, H5_ITER_NATIVE};
use hdf5_sys::h5a::*;
use hdf5_sys::h5p::H5P_DEFAULT;
use std::ffi::{CStr, c_char, c_int, c_void};

/// Names as bytes, as the callbacks of the library collect them.
pub(super) type Names = Vec<Vec<u8>>;

unsafe extern "C" fn collect(_: hid_t, name: *const c_char, _: *const H5A_info_t, out: *mut c_void) -> c_int {
    // SAFETY: the library hands over a C string, and the vector that names passed in.
    unsafe {
        if let Some(out) = out.cast::<Names>().as_mut() {
            out.push(CStr::from_ptr(name).to_bytes().to_vec());
        }
    }
    0
}

/// Names as text.
///
/// # Errors
/// `Unsupported` for one that is not UTF-8.
pub(super) fn texts(names: Names, what: &str) -> Result<Vec<String>> {
    names
        .into_iter()
        .map(|name| {
            String::from_utf8(name).map_err(|e| {
                Error::new(
                    ErrorKind::Unsupported,
                    format!("the name {:?} of {what} is not UTF-8, and so cannot be used", String::from_utf8_lossy(e.as_bytes())),
                )
                .remedy("rename it with the program that wrote the file")
            })
        })
        .collect()
}

pub(super) fn names(object: &Handle) -> Result<Vec<String>> {
    object.file().reading(|| {
        let mut names = Names::new();
        let tracked = object.tracks_attributes()?;
        let (index, order) = if tracked { (H5_INDEX_CRT_ORDER, H5_ITER_INC) } else { (H5_INDEX_NAME, H5_ITER_NATIVE) };
        h5!(H5Aiterate2(object.id(), index, order, std::ptr::null_mut(), Some(collect), (&raw mut names).cast()))?;
        let mut names = texts(names, "an attribute")?;
        if !tracked {
            names.sort_unstable();
        }
        Ok(names)
    })
}

fn is_there(id: hid_t, name: &CStr) -> Result<bool> {
    Ok(h5!(H5Aexists(id, name.as_ptr()))? > 0)
}

pub(super) fn exists(object: &Handle, name: &str) -> Result<bool> {
    let name = c_name(name)?;
    object.file().reading(|| is_there(object.id(), &name))
}

pub(super) fn read(object: &Handle, name: &str) -> Result<Option<AnyArray>> {
    let name = c_name(name)?;
    object.file().reading(|| {
        let attribute = match h5!(H5Aopen(object.id(), name.as_ptr(), H5P_DEFAULT)) {
            Ok(id) => Id::own(id),
            // Most often it is there; so one look-up instead of two.
            Err(e) => return if is_there(object.id(), &name)? { Err(e) } else { Ok(None) },
        };
        let type_id = Id::own(h5!(H5Aget_type(attribute.get()))?);
        let dtype = types::dtype_of(type_id.get())?;
        let space = Id::own(h5!(H5Aget_space(attribute.get()))?);
        let Some((shape, _)) = space::extent(space.get())? else { return Ok(Some(AnyArray::null(dtype))) };
        let codec = Codec::new(&dtype);
        let mut array = AnyArray::zeros(dtype, shape)?;
        let (out, heap) = array.raw_mut()?;
        let refs = References::new(object.file());
        codec.read(type_id.get(), out, heap.map(|h| &**h), &refs, |to| h5!(H5Aread(attribute.get(), type_id.get(), to)).map(drop))?;
        Ok(Some(array))
    })
}

/// Makes the attribute, or replaces it: the new one is written under another name before the old one goes.
pub(super) fn write(object: &Handle, name: &str, value: &AnyArray) -> Result<()> {
    let wanted = c_name(name)?;
    object.file().writing(|| {
        let id = object.id();
        if !is_there(id, &wanted)? {
            return create(object, &wanted, value);
        }
        let mut temporary = format!(".{name}.new");
        while is_there(id, &c_name(&temporary)?)? {
            temporary.push('+');
        }
        let temporary = c_name(&temporary)?;
        create(object, &temporary, value)?;
        let replaced = h5!(H5Adelete(id, wanted.as_ptr())).and_then(|_| h5!(H5Arename(id, temporary.as_ptr(), wanted.as_ptr())));
        replaced.map(drop).inspect_err(|_| {
            if matches!(is_there(id, &wanted), Ok(true)) {
                let _ = h5!(H5Adelete(id, temporary.as_ptr()));
            }
        })
    })
}

fn create(object: &Handle, name: &CStr, value: &AnyArray) -> Result<()> {
    let type_id = types::library_type(value.dtype())?;
    let codec = Codec::new(value.dtype());
    let (bytes, heap) = value.raw();
    let refs = References::new(object.file());
    // Everything that can be wrong with the value is known before the attribute is made.
    let out = codec.outgoing(bytes, heap.map(|h| &**h), &refs)?;
    let space = space::create(value.extent(), None)?;
    let list = props::lists()?.attribute.get();
    let attribute = h5!(H5Acreate2(object.id(), name.as_ptr(), type_id.get(), space.get(), list, H5P_DEFAULT)).map(Id::own);
    let attribute = attribute.map_err(|e| match e.kind() {
        ErrorKind::Unsupported if value.nbytes() > 60_000 => Error::new(
            ErrorKind::Unsupported,
            format!("an attribute of {} bytes does not fit an object that was made in the format of HDF5 1.6", value.nbytes()),
        )
        .remedy("copy the file into a new one, whose objects take attributes of any size")
        .because(e),
        _ => e,
    })?;
    if out.bytes().is_empty() {
        return Ok(());
    }
    let written = h5!(H5Awrite(attribute.get(), type_id.get(), out.as_ptr())).map(drop);
    written.inspect_err(|_| {
        let _ = h5!(H5Adelete(object.id(), name.as_ptr()));
    })
}

pub(super) fn delete(object: &Handle, name: &str) -> Result<bool> {
    let name = c_name(name)?;
    if name.is_empty() {
        bail!(InvalidName, "an attribute has a name that is not empty");
    }
    object.file().writing(|| {
        if !is_there(object.id(), &name)? {
            return Ok(false);
        }
        h5!(H5Adelete(object.id(), name.as_ptr()))?;
        Ok(true)
    })
}
