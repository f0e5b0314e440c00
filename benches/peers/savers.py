"""The questions of savers.rs, answered by raygent's savers and by zarr-python. One line per question.

raygent is on no package index, and its licence since July 2025 is for non-commercial use; so it is not installed here. Where this Python has it (any version: its
savers never changed), it is used; else its calls are made, as its documentation and a reading of its sources tell them: HDF5 opens the file "a", makes a
dataset with a maxshape, or resizes and assigns; npy loads all, concatenates and saves all; Zarr opens the array of a local store and appends. All of them first
copy the data by numpy.array.
"""

import os
import shutil
import statistics
import tempfile
import time

import h5py
import numpy as np
import zarr

PATH = os.path.join(os.environ.get("MEMH5_BENCH_DIR", tempfile.gettempdir()), f"savers-bench-{os.getpid()}")


try:
    from raygent.savers import HDF5Saver, NumpySaver, ZarrSaver

    whose = "raygent"
    hdf5_append = HDF5Saver(PATH).save
    npy_append = NumpySaver(PATH + ".npy").save
    zarr_append = ZarrSaver(PATH).save
except ImportError:
    whose = "raygent's calls"

    def hdf5_append(data):
        data = np.array(data)
        with h5py.File(PATH, "a") as f:
            if "dataset" not in f:
                f.create_dataset("dataset", data=data, maxshape=(None,))
            else:
                d = f["dataset"]
                old = d.shape[0]
                new = old + data.shape[0]
                d.resize(new, axis=0)
                d[old:new] = data

    def npy_append(data):
        data = np.array(data)
        path = PATH + ".npy"
        if os.path.exists(path):
            data = np.concatenate([np.load(path), data])
        np.save(path, data)

    def zarr_append(data):
        data = np.array(data)
        store = zarr.storage.LocalStore(PATH)
        try:
            zarr.open_array(store, path="dataset").append(data)
        except FileNotFoundError:
            zarr.create_array(store, name="dataset", data=data, overwrite=True)


def hdf5_save(data):
    with h5py.File(PATH, "w") as f:
        f["dataset"] = data


def hdf5_load():
    with h5py.File(PATH, "r") as f:
        return f["dataset"][()]


def zarr_save(data):
    zarr.create_array(zarr.storage.LocalStore(PATH), name="dataset", data=data, chunks=(1 << 17,), compressors=None, overwrite=True)


def remove():
    for path in (PATH, PATH + ".npy"):
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)


def timed(work, *args):
    start = time.perf_counter()
    result = work(*args)
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def appends(name, append, rows, count):
    batch = np.arange(rows) * 0.37
    whole, first, last = [], [], []
    for _ in range(int(os.environ.get("REPEATS_PEER", "1"))):
        remove()
        times = [timed(append, batch) for _ in range(count)]
        whole.append(sum(times))
        first += times[1 : count // 10 + 1]
        last += times[-(count // 10) :]
    remove()
    note = f"{whose}; per call {statistics.median(first) * 1e3:.3f} ms at first, {statistics.median(last) * 1e3:.3f} ms at last"
    print(f"{name} append {rows} rows x {count}\t{statistics.median(whole):.6f}\t{note}", flush=True)


def wholes(name, save, load):
    saves, loads = [], []
    for _ in range(3):
        remove()
        saves.append(timed(save, DATA))
        loads.append(timed(load))
    remove()
    print(f"{name} save 256 MiB\t{statistics.median(saves):.6f}\t", flush=True)
    print(f"{name} load 256 MiB\t{statistics.median(loads):.6f}\t", flush=True)


DATA = np.arange(1 << 25, dtype="f8")
for name, append, save, load in [
    ("npy", npy_append, lambda d: np.save(PATH + ".npy", d), lambda: np.load(PATH + ".npy")),
    ("hdf5", hdf5_append, hdf5_save, hdf5_load),
    ("zarr", zarr_append, zarr_save, lambda: zarr.open_array(zarr.storage.LocalStore(PATH), path="dataset", mode="r")[:]),
]:
    if name not in os.environ.get("MEMH5_BENCH_SAVERS", name).split():
        continue
    appends(name, append, 100, 500)
    appends(name, append, 100_000, 100)
    wholes(name, save, load)
