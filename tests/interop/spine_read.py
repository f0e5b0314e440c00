"""Reads a cache with spine's own reader and prints each event's products as digests, one JSON line each.

usage: spine_read.py FILE stage STAGE | spine_read.py FILE flat | spine_read.py FILE stages KEY=STAGE..

The lines are those of the expected files among the shared samples: arrays as dtype, shape and the beginning of the SHA-256 of their
little-endian bytes, lists and objects item by item.
"""
import hashlib
import json
import sys

import numpy as np


def digest(array):
    if array.dtype == object:
        return {"list": [told(item) for item in array]}
    little = np.ascontiguousarray(array)
    little = little.astype(little.dtype.newbyteorder("<"), copy=False)
    return {"dtype": little.dtype.str, "shape": list(little.shape), "sha256": hashlib.sha256(little.tobytes()).hexdigest()[:16]}


def told(value):
    if isinstance(value, np.void):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return {"bytes": value.decode("utf-8", "replace")}
    if isinstance(value, float) and value != value:
        return "NaN"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        return digest(value)
    if isinstance(value, (list, tuple)):
        return {"list": [told(item) for item in value]}
    if isinstance(value, dict):
        return {"fields": {name: told(item) for name, item in value.items()}}
    raise SystemExit(f"spine_read: a value of type {type(value)}")


def main():
    file, kind = sys.argv[1:3]
    if kind == "stage":
        from spine.io.read import StageHDF5Reader

        reader = StageHDF5Reader(file_keys=file, stage=sys.argv[3], build_classes=False)
    elif kind == "stages":
        from spine.io.read import StageHDF5Reader

        stages = dict(pair.split("=") for pair in sys.argv[3:])
        reader = StageHDF5Reader(file_keys=file, keys=list(stages), stage_map=stages, build_classes=False)
    else:
        from spine.io.read import HDF5Reader

        reader = HDF5Reader(file, build_classes=False)
    print(json.dumps({"entries": len(reader), "cfg": reader.cfg, "version": reader.version}, sort_keys=True))
    for entry in range(len(reader)):
        products = reader[entry]
        for key in sorted(products):
            print(json.dumps({"entry": entry, "key": key, "value": told(products[key])}, sort_keys=True))
    reader.close()


if __name__ == "__main__":
    main()
