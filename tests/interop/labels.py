"""The names of axes in HDF5 and in Zarr: labels.py make|check DIRECTORY"""
import pathlib
import sys
import warnings

import h5py
import numpy as np
import zarr

warnings.simplefilter("ignore")
what, out = sys.argv[1], pathlib.Path(sys.argv[2])
data = np.arange(6.0).reshape(2, 3)

if what == "make":
    with h5py.File(out / "h5py.h5", "w") as f:
        f["all"] = data
        f["all"].dims[0].label = "time"
        f["all"].dims[1].label = "freq"
        f["some"] = data
        f["some"].dims[1].label = "freq"
        f["none"] = data
    root = zarr.group(store=out / "zarr.zarr", zarr_format=3)
    for name, labels in [("all", ["time", "freq"]), ("some", [None, "freq"]), ("none", None)]:
        root.create_array(name, data=data, dimension_names=labels)
else:
    for name in ("from_h5py.zarr", "from_zarr.zarr"):
        root = zarr.open_group(out / name, mode="r")
        assert root["all"].metadata.dimension_names == ("time", "freq"), (name, root["all"].metadata)
        assert root["some"].metadata.dimension_names == (None, "freq"), (name, root["some"].metadata)
        assert root["none"].metadata.dimension_names is None, (name, root["none"].metadata)
        assert "DIMENSION_LABELS" not in root["all"].attrs, name
    with h5py.File(out / "from_zarr.h5") as f:
        assert [d.label for d in f["all"].dims] == ["time", "freq"]
        assert [d.label for d in f["some"].dims] == ["", "freq"]
        assert [d.label for d in f["none"].dims] == ["", ""]
    root = zarr.open_group(out / "second.zarr", mode="r")
    assert root.metadata.zarr_format == 2
    assert root["all"].attrs["_ARRAY_DIMENSIONS"] == ["time", "freq"], dict(root["all"].attrs)
    assert "_ARRAY_DIMENSIONS" not in root["some"].attrs
