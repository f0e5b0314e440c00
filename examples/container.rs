//! A typed container over memory or disk, in the layout of caput's: datasets with named axes, index maps, a history.
//!
//! Run with `cargo run --example container`. It reads caput's own sample if it finds it (MEMH5_SAMPLES).
use memh5::copy::Json;
use memh5::mem_disk::{LoadOptions, Policy, Registry};
use memh5::{AnyArray, MemDiskGroup, Result, prelude::*};

const TAG: &str = "caput.containers._core.Container";

/// Users of a container see datasets in its root, and nothing else.
#[derive(Debug)]
struct RootOnly;
impl Policy for RootOnly {
    fn group_name_allowed(&self, _: &str) -> bool {
        false
    }
    fn dataset_name_allowed(&self, path: &str) -> bool {
        path.rfind('/') == Some(0)
    }
}

struct Container(MemDiskGroup);

impl Container {
    fn around(group: MemDiskGroup) -> Result<Self> {
        let group = group.with_type_tag(TAG).with_policy(RootOnly);
        for hidden in ["history", "index_map", "reverse_map"] {
            group.storage().require_group(hidden)?;
        }
        Ok(Self(group))
    }
    fn index_map(&self, axis: &str) -> Result<AnyArray> {
        self.0.storage().dataset(&format!("index_map/{axis}"))?.read_array()
    }
    fn add_axis(&self, axis: &str, values: impl IntoArray) -> Result<()> {
        self.0.storage().create_dataset(&format!("index_map/{axis}")).write(values).map(drop)
    }
    fn add_dataset(&self, name: &str, axes: &[&str], data: impl IntoArray) -> Result<()> {
        self.0.create_dataset(name).write(data)?.attrs().set("axis", axes)
    }
    /// The names of the stages, oldest first; stored as the text of a Python list.
    fn history(&self) -> Result<Vec<String>> {
        let group = self.0.storage().group("history")?;
        let order = if group.attrs().contains("order")? { group.attrs().get("order")? } else { String::new() };
        Ok(order.split('\'').skip(1).step_by(2).map(str::to_owned).collect())
    }
    fn add_history(&self, stage: &str, what: &Json) -> Result<()> {
        let (group, mut order) = (self.0.storage().group("history")?, self.history()?);
        group.attrs().set_json(stage, what)?;
        order.push(stage.to_owned());
        group.attrs().set("order", format!("['{}']", order.join("', '")))
    }
}

fn main() -> Result<()> {
    let night = Container::around(MemDiskGroup::new())?;
    night.add_axis("freq", [800.0, 799.6, 799.2, 798.8])?;
    night.add_dataset("vis", &["freq", "time"], ndarray::Array2::<f32>::ones((4, 3)))?;
    night.add_history("calibrate", &r#"{"gain": NaN, "model": "v2"}"#.parse()?)?;
    assert!(night.0.create_group("notes").is_err() && night.0.keys()? == ["vis"]);

    let path = std::env::temp_dir().join(format!("memh5-container-{}.h5", std::process::id()));
    night.0.save(&path)?;
    let mut registry = Registry::new();
    registry.register(TAG, Container::around);
    let part: Container = registry.open(&path, LoadOptions::new().axis("freq", 1..3))?.downcast()?;
    assert_eq!((part.0.dataset("vis")?.shape()?, part.history()?), (vec![2, 3], vec!["calibrate".to_owned()]));
    assert_eq!(part.index_map("freq")?, AnyArray::from(vec![799.6, 799.2]));
    std::fs::remove_file(&path).map_err(|e| memh5::Error::io(e, &path))?;

    let samples = std::env::var("MEMH5_SAMPLES").unwrap_or("../shared/samples".into());
    let sample = std::path::Path::new(&samples).join("caput/container.h5");
    if sample.exists() {
        let caput: Container = registry.open(&sample, LoadOptions::new())?.downcast()?;
        assert_eq!((caput.0.keys()?, caput.history()?), (vec!["a".to_owned()], vec!["test".to_owned()]));
        println!("read caput's own container: freq {}", caput.index_map("freq")?);
    }
    Ok(())
}
