//! Links of groups.

use super::attributes::{Names, texts};
use super::compat::{LinkInfo, iterate_links, link_info};
use super::ffi::{c_name, h5, hid_t};
use super::props;
use crate::error::{Error, ErrorKind, Result, bail};
use crate::tree::Link;
use hdf5_sys::h5::{H5_INDEX_CRT_ORDER, H5_INDEX_NAME, H5_ITER_INC, H5_ITER_NATIVE};
use hdf5_sys::h5l::*;
use hdf5_sys::h5p::H5P_DEFAULT;
use std::ffi::{CStr, c_char, c_int, c_void};

unsafe extern "C" fn collect(_: hid_t, name: *const c_char, _: *const LinkInfo, out: *mut c_void) -> c_int {
    // SAFETY: the library hands over a C string, and the vector that names passed in.
    unsafe {
        if let Some(out) = out.cast::<Names>().as_mut() {
            out.push(CStr::from_ptr(name).to_bytes().to_vec());
        }
    }
    0
}

/// The names of a group: in the order in which they were made if it is tracked, else sorted by code point.
pub(super) fn names(group: hid_t, tracked: bool) -> Result<Vec<String>> {
    let mut names = Names::new();
    let (index, order) = if tracked { (H5_INDEX_CRT_ORDER, H5_ITER_INC) } else { (H5_INDEX_NAME, H5_ITER_NATIVE) };
    h5!(iterate_links(group, index, order, std::ptr::null_mut(), Some(collect), (&raw mut names).cast()))?;
    let mut names = texts(names, "a link")?;
    if !tracked {
        names.sort_unstable();
    }
    Ok(names)
}

/// True if the group has a link of that name.
pub(super) fn exists(group: hid_t, name: &str) -> Result<bool> {
    // To the library a dot is the group itself, which is no name that a group can hold.
    if name == "." || name.is_empty() || name.contains('/') {
        return Ok(false);
    }
    let name = c_name(name)?;
    Ok(h5!(H5Lexists(group, name.as_ptr(), H5P_DEFAULT))? > 0)
}

fn info(group: hid_t, name: &CStr) -> Result<(c_int, usize)> {
    // The class is a number that other programs may have registered, so it is read as one.
    let mut info = std::mem::MaybeUninit::<LinkInfo>::zeroed();
    h5!(link_info(group, name.as_ptr(), info.as_mut_ptr(), H5P_DEFAULT))?;
    let at = info.as_mut_ptr();
    // SAFETY: the library has filled the record. The class is read as the number that it is, without making it an enumeration; the length is
    // one of the members of a union that has no invalid values.
    let (class, size) = unsafe { ((&raw const (*at).type_).cast::<c_int>().read(), (&raw const (*at).u).cast::<usize>().read()) };
    Ok((class, size))
}

/// True if the group has a hard link of that name.
pub(super) fn is_hard(group: hid_t, name: &str) -> Result<bool> {
    if name == "." || name.is_empty() || name.contains('/') {
        return Ok(false);
    }
    match info(group, &c_name(name)?) {
        Ok((class, _)) => Ok(class == H5L_type_t::H5L_TYPE_HARD as c_int),
        // Most often it is there; so one look-up instead of two.
        Err(e) => {
            if exists(group, name)? {
                Err(e)
            } else {
                Ok(false)
            }
        }
    }
}

/// What a name of a group is; `None` if there is none.
pub(super) fn read(group: hid_t, name: &str) -> Result<Option<Link>> {
    if !exists(group, name)? {
        return Ok(None);
    }
    let (wanted, hard, soft, external) =
        (c_name(name)?, H5L_type_t::H5L_TYPE_HARD as c_int, H5L_type_t::H5L_TYPE_SOFT as c_int, H5L_type_t::H5L_TYPE_EXTERNAL as c_int);
    let (class, size) = info(group, &wanted)?;
    if class == hard {
        return Ok(Some(Link::Hard));
    }
    if class != soft && class != external {
        bail!(Unsupported, "'{name}' is a link of the class {class}, which some other program has defined");
    }
    let mut value = vec![0u8; size.max(1)];
    h5!(H5Lget_val(group, wanted.as_ptr(), value.as_mut_ptr().cast(), size, H5P_DEFAULT))?;
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        String::from_utf8(bytes[..end].to_vec()).map_err(|e| {
            let told = String::from_utf8_lossy(e.as_bytes()).into_owned();
            Error::new(ErrorKind::Unsupported, format!("the target {told:?} of the link '{name}' is not UTF-8"))
        })
    };
    if class == soft {
        return Ok(Some(Link::Soft { target: text(&value)? }));
    }
    let (mut flags, mut file, mut target) = (0, std::ptr::null(), std::ptr::null());
    h5!(H5Lunpack_elink_val(value.as_ptr().cast(), size, &raw mut flags, &raw mut file, &raw mut target))?;
    // SAFETY: both point into the value, where the library has found a NUL behind each.
    let (file, target) = unsafe { (CStr::from_ptr(file).to_bytes(), CStr::from_ptr(target).to_bytes()) };
    Ok(Some(Link::External { file: text(file)?, target: text(target)? }))
}

pub(super) fn soft(group: hid_t, name: &CStr, target: &str) -> Result<()> {
    let target = c_name(target)?;
    let list = props::lists()?.link.get();
    h5!(H5Lcreate_soft(target.as_ptr(), group, name.as_ptr(), list, H5P_DEFAULT)).map(drop)
}

pub(super) fn external(group: hid_t, name: &CStr, file: &str, target: &str) -> Result<()> {
    let (file, target) = (c_name(file)?, c_name(target)?);
    let list = props::lists()?.link.get();
    h5!(H5Lcreate_external(file.as_ptr(), target.as_ptr(), group, name.as_ptr(), list, H5P_DEFAULT)).map(drop)
}
