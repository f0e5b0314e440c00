//! Tells the code which HDF5 it is built against, where the C functions differ between versions.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for (variable, cfg) in [
        ("DEP_HDF5_VERSION_1_10_5", "hdf5_1_10_5"),
        ("DEP_HDF5_VERSION_1_12_0", "hdf5_1_12"),
        ("DEP_HDF5_VERSION_1_14_0", "hdf5_1_14"),
        ("DEP_HDF5_VERSION_2_0_0", "hdf5_2_0"),
    ] {
        println!("cargo::rustc-check-cfg=cfg({cfg})");
        println!("cargo::rerun-if-env-changed={variable}");
        if std::env::var_os(variable).is_some() {
            println!("cargo::rustc-cfg={cfg}");
        }
    }
}
