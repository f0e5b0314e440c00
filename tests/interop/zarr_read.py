"""Says what zarr-python finds in a store: zarr_read.py STORE

One line of JSON for each array: path, shape, dtype, and its elements, as hexadecimal bytes (little-endian, C order) or as texts; and one for the
attributes of every object.
"""
import json
import sys
import warnings

import numpy as np
import zarr

warnings.simplefilter("ignore")
root = zarr.open_group(sys.argv[1], mode="r")


def show(path, node):
    attrs = {k: v for k, v in dict(node.attrs).items() if k != "__memh5_types"}
    line = {"path": path, "attrs": attrs}
    if isinstance(node, zarr.Array):
        values = np.asarray(node[...])
        line |= {"shape": list(values.shape), "dtype": str(node.dtype)}
        if values.dtype.kind in "OTU":
            flat = values.ravel()
            if all(isinstance(v, bytes) for v in flat) and flat.size:
                line["bytes"] = [v.hex() for v in flat]
            else:
                line["texts"] = [str(v) for v in flat]
        else:
            little = values.dtype if values.dtype.kind == "V" else values.dtype.newbyteorder("<")
            line["hex"] = np.ascontiguousarray(values.astype(little)).tobytes().hex()
        if values.dtype.kind in "fc":
            line["fill"] = str(node.fill_value)
    print(json.dumps(line))


show("", root)
for path, node in sorted(root.members(max_depth=None)):
    show(path, node)
