//! The layout of version 1, as the documentation of spine's files has it.

use crate::data::{everything, source};
use memh5::prelude::*;
use memh5::stage::{StageHdf5Writer, StageOptions};

#[test]
fn in_memory() {
    let mut writer = StageHdf5Writer::builder().file_name("a/run_stage.h5").in_memory().build().unwrap();
    let options = StageOptions::new().cfg(&serde_json::json!({"lr": 0.001})).unwrap().attr("tag", "x").unwrap();
    writer.write_stage("everything", &everything(0, &[3, 0]), &options).unwrap();
    writer.write_stage("everything", &everything(2, &[5, 1]), &StageOptions::new()).unwrap();
    writer.finalize_stage("everything").unwrap();
    let caches = writer.caches();
    let root = caches[0].1.clone().unwrap();
    assert_eq!(root.keys().unwrap(), ["info", "source", "stages"]);
    assert_eq!(root.group("source").unwrap().attrs().get::<String>("file_name").unwrap(), source().file_name);
    assert_eq!(root.dataset("stages/everything/events").unwrap().shape().unwrap(), [4]);
    if let Some(out) = std::env::var_os("STAGE_OUT") {
        let mut writer = StageHdf5Writer::builder().file_name(out).build().unwrap();
        writer.write_stage("everything", &everything(0, &[3, 0]), &options).unwrap();
        writer.write_stage("everything", &everything(2, &[5, 1]), &StageOptions::new()).unwrap();
        writer.finalize_stage("everything").unwrap();
    }
}
