"""The questions of memory_tree.rs, answered by h5py's core driver and by a plain dict of numpy arrays.

One line per question: its name, the seconds, a note. Questions that end in _against_dict are answered by the dict (median of several
runs); h5py takes up to minutes for each, so one run, in the first turn, is enough for the ratio.
"""

import itertools
import os
import random
import statistics
import time

import h5py
import numpy as np

N = 100_000
NAMES = [f"dataset{i:06d}" for i in range(N)]
random.Random(1).shuffle(NAMES)
DATA = np.ones(8)


def measure(question, work, note="h5py core driver", repeats=1):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    print(f"{question}\t{statistics.median(times):.6f}\t{note}", flush=True)


FILES = itertools.count()


def memory_file():
    return h5py.File(f"memory{next(FILES)}.h5", "w", driver="core", backing_store=False, libver="latest")


def against_dict():
    table = {name: np.ones(8) for name in NAMES}

    def look_up():
        for name in NAMES:
            table[name]

    measure("lookup_100k_against_dict", look_up, "dict of numpy arrays", repeats=21)


def datasets():
    f = memory_file()

    def create():
        for name in NAMES:
            f.create_dataset(name, data=DATA)

    def look_up():
        for name in NAMES:
            f[name]

    def delete():
        for name in NAMES:
            del f[name]

    measure("create_100k_datasets", create)
    measure("lookup_100k_datasets", look_up)
    measure("lookup_100k_through_trait", look_up)
    measure("iterate_100k_names", lambda: list(f.keys()))
    measure("iterate_100k_datasets", lambda: sum(d.shape[0] for d in f.values()))
    measure("read_100k_datasets", lambda: sum(f[name][...].size for name in NAMES))
    copy = memory_file()
    measure("deep_copy_100k_datasets", lambda: f.copy(f["/"], copy, "copy"))
    copy.close()
    measure("delete_100k_datasets", delete)
    f.close()


def attributes():
    f = memory_file()

    def write():
        for i, name in enumerate(NAMES):
            f.attrs[name] = i

    measure("set_100k_attributes", write)
    measure("get_100k_attributes", lambda: sum(f.attrs[name] for name in NAMES))
    measure("iterate_100k_attributes", lambda: list(f.attrs.items()))
    f.close()


def appends(count):
    f = memory_file()
    log = f.create_dataset("log", shape=(0, 16), maxshape=(None, 16), dtype="f8", chunks=(1024, 16))
    row = np.ones(16)
    for i in range(count):
        log.resize(i + 1, axis=0)
        log[i] = row
    f.close()


against_dict()
if os.environ.get("TURN", "0") != "0":
    raise SystemExit(0)
datasets()
attributes()
measure("append_10k_under_snapshot", lambda: appends(10_000), "h5py core driver, no snapshots")
measure("append_100k_under_snapshot", lambda: appends(100_000), "h5py core driver, no snapshots")
