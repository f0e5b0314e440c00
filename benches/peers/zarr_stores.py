"""The questions of zarr_stores.rs, answered by zarr-python: each append opens the array of a local store and appends, as raygent's saver does."""

import os
import shutil
import statistics
import tempfile
import time

import numpy as np
import zarr
import zarr.codecs

PATH = os.path.join(os.environ.get("MEMH5_BENCH_DIR", tempfile.gettempdir()), f"zarr-bench-{os.getpid()}")
MIB = 1 << 17


def wanted(name):
    return os.environ.get("ONLY", "") in name


def timed(work):
    start = time.perf_counter()
    result = work()
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def remove():
    shutil.rmtree(PATH, ignore_errors=True)


def append(data, options):
    data = np.array(data)
    store = zarr.storage.LocalStore(PATH)
    try:
        zarr.open_array(store, path="dataset", mode="r+").append(data, axis=0)
    except FileNotFoundError:
        zarr.create_array(store, name="dataset", data=data, overwrite=True, **options)


def splitmix(n):
    z = n * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / float(1 << 53)


def noise(count):
    """Gaussian noise, the same as ours."""
    i = np.arange(count, dtype="u8")
    return np.sqrt(-2 * np.log(1 - splitmix(i * np.uint64(2)))) * np.cos(2 * np.pi * splitmix(i * np.uint64(2) + np.uint64(1)))


def appends(batch, count, what, **options):
    rows = len(batch)
    name = f"append {rows} rows x {count}{what}"
    if not wanted(name):
        return
    remove()
    print(f"{name}\t{sum(timed(lambda: append(batch, options)) for _ in range(count)):.6f}\t", flush=True)
    remove()


def wholes(data, what, compressors):
    names = [f"save 256 MiB{what}", f"load 256 MiB{what}"]
    if not any(wanted(name) for name in names):
        return

    def save():
        zarr.create_array(zarr.storage.LocalStore(PATH), name="dataset", data=data, chunks=(MIB,), compressors=compressors, overwrite=True)

    def load():
        return zarr.open_array(zarr.storage.LocalStore(PATH), path="dataset", mode="r")[:]

    saves, loads = [], []
    for _ in range(2):
        remove()
        saves.append(timed(save))
        loads.append(timed(load))
    remove()
    for name, times in zip(names, (saves, loads)):
        print(f"{name}\t{statistics.median(times):.6f}\t", flush=True)


for rows, count in [(100, 500), (100_000, 100)]:
    steps = np.arange(rows) * 0.37
    appends(steps, count, ", defaults")
    appends(steps, count, ", chunks of 1 MiB", chunks=(MIB,), compressors=None)
    appends(steps, count, ", chunks of a batch, zstd", chunks=(rows,), compressors=zarr.codecs.ZstdCodec(level=0))
    appends(noise(rows), count, ", chunks of a batch, zstd, noise", chunks=(rows,), compressors=zarr.codecs.ZstdCodec(level=0))
counting = np.arange(1 << 25, dtype="f8")
wholes(counting, "", None)
wholes(counting, ", zstd", zarr.codecs.ZstdCodec(level=1))
del counting
wholes(noise(1 << 25), ", zstd, noise", zarr.codecs.ZstdCodec(level=1))
