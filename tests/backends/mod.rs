//! The backends of this build beside memory, each as the contract and the model test want it.

use memh5::contract::Backend;

/// All of them.
pub fn others() -> Vec<Box<dyn Backend>> {
    Vec::new()
}
