//! References of the source, pointed to the copies of their targets.

use super::engine::Engine;
use super::options::OutsideReferences;
use crate::array::AnyArray;
use crate::error::{Result, error};
use crate::tree::{ObjectId, ObjectRef, RegionRef};
use std::cell::RefCell;

/// Why a reference could not be kept.
enum Loss {
    Outside,
    Selected,
}

impl Engine<'_, '_> {
    /// The array with its references pointed to the copies.
    pub(super) fn repoint(&mut self, array: &AnyArray, path: &str) -> Result<AnyArray> {
        let (mut outside, mut selected) = (0usize, 0usize);
        let this = RefCell::new(&mut *self);
        let mut lost = |loss: Loss| match loss {
            Loss::Outside => outside += 1,
            Loss::Selected => selected += 1,
        };
        let lost = RefCell::new(&mut lost);
        let target = |r: &ObjectRef| -> Result<Option<ObjectRef>> {
            let Some(id) = r.id() else { return Ok(Some(ObjectRef::null())) };
            let mut this = this.borrow_mut();
            match this.copy_of(id)? {
                Some(copy) => Ok(Some(copy)),
                // Within one tree a reference to what is not copied stays good.
                None if this.same_tree => Ok(Some(r.clone())),
                None => {
                    (lost.borrow_mut())(Loss::Outside);
                    Ok(None)
                }
            }
        };
        let out = array.map_references(&mut |r| Ok(target(r)?.unwrap_or_default()), &mut |r: &RegionRef| {
            if r.is_null() {
                return Ok(RegionRef::null());
            }
            let is_selected = r.target.id().is_some_and(|id| this.borrow().selections.contains_key(&id));
            if is_selected {
                (lost.borrow_mut())(Loss::Selected);
                return Ok(RegionRef::null());
            }
            Ok(match target(&r.target)? {
                Some(target) => RegionRef { target, region: r.region.clone() },
                None => RegionRef::null(),
            })
        })?;
        for (n, why) in
            [(outside, "to what is not copied, or was deleted"), (selected, "to regions of a dataset of which only a selection is copied")]
        {
            if n == 0 {
                continue;
            }
            let text = format!("{n} reference{} {why}", if n == 1 { "" } else { "s" });
            if self.options.outside == OutsideReferences::Error {
                return Err(error!(InvalidArgument, "there {} {text}", if n == 1 { "is" } else { "are" })
                    .at(path)
                    .remedy("copy a group that holds the targets too, or let them become null references"));
            }
            self.report.lose(path, format!("{text}: null now"));
        }
        Ok(out)
    }

    /// A reference to the copy of an object; `None` if it is not copied.
    fn copy_of(&mut self, id: ObjectId) -> Result<Option<ObjectRef>> {
        if let Some(found) = self.references.get(&id) {
            return Ok(found.clone());
        }
        let made = match self.seen.get(&id) {
            Some(path) => Some(self.open(&self.to.clone(), path)?.object().reference()?),
            None => None,
        };
        self.references.insert(id, made.clone());
        Ok(made)
    }
}
