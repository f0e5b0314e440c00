"""Appends to an array and changes an attribute with zarr-python: zarr_append.py STORE PATH"""
import sys
import warnings

import numpy as np
import zarr

warnings.simplefilter("ignore")
root = zarr.open_group(sys.argv[1], mode="r+")
array = root[sys.argv[2]]
array.append(np.arange(100, 100 + 3 * array.shape[1], dtype=array.dtype).reshape(3, -1))
root.attrs["gain"] = 0.75
root.attrs["count"] = root.attrs["count"]
