//! Programs of tree operations, drawn at random, that shrink.

use proptest::prelude::*;

/// Few names, so that they meet often.
pub const PATHS: [&str; 22] = [
    "a", "b", "c", "a/b", "a/c", "b/a", "a/b/c", "c/d/e", "/a", "/b/x", "/", "s", "s/x", "t", "a/", "//b//c", "c/d", "b/x/y", "", ".",
    "a/..", "a\0",
];
pub const NAMES: [&str; 6] = ["x", "y", "units", "ünï", "", "a/b"];
pub const SHAPES: [&[usize]; 7] = [&[], &[3], &[2, 3], &[0], &[4, 1, 2], &[6], &[2, 0]];

/// One operation; the numbers choose from the lists above and from the dtypes, and seed the values.
#[derive(Debug, Clone)]
pub enum Op {
    CreateGroup { path: usize, tracked: bool },
    RequireGroup { path: usize },
    CreateDataset { path: usize, dtype: usize, shape: usize, seed: u64, grows: bool, fill: bool, overwrite: bool },
    CreateNull { path: usize, dtype: usize },
    RequireDataset { path: usize, dtype: usize, shape: usize },
    Commit { path: usize, dtype: usize },
    LinkHard { target: usize, path: usize },
    LinkSoft { target: usize, path: usize },
    Delete { path: usize },
    Rename { from: usize, to: usize },
    Write { path: usize, seed: u64, dtype: Option<usize> },
    Resize { path: usize, shape: usize },
    Append { path: usize, seed: u64 },
    SetAttr { path: usize, name: usize, dtype: usize, shape: usize, seed: u64 },
    SetRef { path: usize, target: usize },
    DeleteAttr { path: usize, name: usize },
    Read { path: usize, seed: u64 },
    Look { path: usize },
    Hold { path: usize },
    UseHeld { which: usize },
    WriteHeld { which: usize, seed: u64 },
    Visit,
    Reopen,
}

fn path() -> impl Strategy<Value = usize> {
    // The last ones are wrong; they come seldom.
    prop_oneof![12 => 0..18usize, 1 => 18..PATHS.len()]
}

pub fn op(dtypes: usize) -> impl Strategy<Value = Op> {
    let dtype = move || 0..dtypes;
    let shape = || 0..SHAPES.len();
    let name = || prop_oneof![8 => 0..4usize, 1 => 4..NAMES.len()];
    prop_oneof![
        4 => (path(), any::<bool>()).prop_map(|(path, tracked)| Op::CreateGroup { path, tracked }),
        2 => path().prop_map(|path| Op::RequireGroup { path }),
        6 => (path(), dtype(), shape(), 0..1000u64, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(path, dtype, shape, seed, grows, fill, overwrite)| Op::CreateDataset { path, dtype, shape, seed, grows, fill, overwrite }),
        1 => (path(), dtype()).prop_map(|(path, dtype)| Op::CreateNull { path, dtype }),
        1 => (path(), dtype(), shape()).prop_map(|(path, dtype, shape)| Op::RequireDataset { path, dtype, shape }),
        1 => (path(), dtype()).prop_map(|(path, dtype)| Op::Commit { path, dtype }),
        2 => (path(), path()).prop_map(|(target, path)| Op::LinkHard { target, path }),
        2 => (path(), path()).prop_map(|(target, path)| Op::LinkSoft { target, path }),
        3 => path().prop_map(|path| Op::Delete { path }),
        3 => (path(), path()).prop_map(|(from, to)| Op::Rename { from, to }),
        4 => (path(), 0..1000u64, prop::option::weighted(0.2, dtype())).prop_map(|(path, seed, dtype)| Op::Write { path, seed, dtype }),
        2 => (path(), shape()).prop_map(|(path, shape)| Op::Resize { path, shape }),
        2 => (path(), 0..1000u64).prop_map(|(path, seed)| Op::Append { path, seed }),
        4 => (path(), name(), dtype(), shape(), 0..1000u64)
            .prop_map(|(path, name, dtype, shape, seed)| Op::SetAttr { path, name, dtype, shape, seed }),
        1 => (path(), path()).prop_map(|(path, target)| Op::SetRef { path, target }),
        1 => (path(), name()).prop_map(|(path, name)| Op::DeleteAttr { path, name }),
        3 => (path(), 0..1000u64).prop_map(|(path, seed)| Op::Read { path, seed }),
        3 => path().prop_map(|path| Op::Look { path }),
        2 => path().prop_map(|path| Op::Hold { path }),
        2 => (0..8usize).prop_map(|which| Op::UseHeld { which }),
        1 => (0..8usize, 0..1000u64).prop_map(|(which, seed)| Op::WriteHeld { which, seed }),
        1 => Just(Op::Visit),
        1 => Just(Op::Reopen),
    ]
}

impl Op {
    /// The operation where a tree has neither links nor references, committed types or null datasets: another one in the place of such.
    #[allow(dead_code)] // only a build with Zarr has such a tree
    pub fn without_links(self) -> Self {
        match self {
            Op::CreateNull { path, .. } | Op::Commit { path, .. } => Op::RequireGroup { path },
            Op::LinkHard { target: from, path: to } | Op::LinkSoft { target: from, path: to } => Op::Rename { from, to },
            Op::SetRef { path, .. } => Op::Look { path },
            other => other,
        }
    }
}
