//! One object of an open store, shared by its handles.

use super::document::Document;
use super::plan::Plan;
use super::write::Turns;
use crate::error::Result;
use parking_lot::RwLock;
use std::sync::{Arc, OnceLock};

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// In the store.
    pub(super) key: String,
    /// In the tree; `None` if it was deleted.
    pub(super) path: Option<String>,
}

/// One object.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: u64,
    place: RwLock<Place>,
    pub(super) document: RwLock<Document>,
    plan: OnceLock<Arc<Plan>>,
    /// Held for reading by what writes elements, for writing by what changes the shape.
    pub(super) shaping: RwLock<()>,
    pub(super) turns: Turns,
}

impl Node {
    pub(super) fn new(id: u64, place: Place, document: Document) -> Self {
        Self {
            id,
            place: RwLock::new(place),
            document: RwLock::new(document),
            plan: OnceLock::new(),
            shaping: RwLock::default(),
            turns: Turns::default(),
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place.read().clone()
    }

    pub(super) fn set_place(&self, place: Place) {
        *self.place.write() = place;
    }

    /// How elements get from and to the files.
    pub(super) fn plan(&self) -> Result<Arc<Plan>> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan.clone());
        }
        let plan = Arc::new(Plan::read(&self.document.read())?);
        Ok(self.plan.get_or_init(|| plan).clone())
    }

    /// Takes over a plan that was made before the object.
    pub(super) fn set_plan(&self, plan: Arc<Plan>) {
        let _ = self.plan.set(plan);
    }
}
