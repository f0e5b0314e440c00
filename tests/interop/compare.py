"""Compares two HDF5 files by everything that a user can see in them, stored types and region references included.

usage: compare.py A B        prints each difference on a line; exit 0 if there is none, 1 otherwise

Beyond what `dump` shows: stored types by H5Tequal (byte order, character set, padding, offsets, tags), dataspaces with their
maximal sizes, layouts, chunks, filters with their parameters, fill values, tracked orders and the order itself, which names are
hard links of one object, and the whole selections of region references.
"""
import sys

import h5py
import numpy as np
from h5py import h5a, h5d, h5o, h5r, h5s, h5t

try:
    import hdf5plugin  # noqa: F401
except ImportError:
    pass

DIFFERENCES = []


def differ(path, what, a, b):
    DIFFERENCES.append(f"{path}: {what}: {str(a)[:300]} != {str(b)[:300]}")


def address(oid):
    info = h5o.get_info(oid)
    return info.addr if hasattr(info, "addr") else str(info.token)


class Side:
    """A file, with the first path of each object."""

    def __init__(self, name):
        self.file = h5py.File(name, "r")
        self.paths = {address(self.file.id): "/"}
        self.walk(self.file, "")

    def walk(self, group, base):
        for name in sorted(group):
            if isinstance(group.get(name, getlink=True), h5py.HardLink):
                obj = group[name]
                key, path = address(obj.id), f"{base}/{name}"
                if key not in self.paths:
                    self.paths[key] = path
                    if isinstance(obj, h5py.Group):
                        self.walk(obj, path)

    def target(self, reference):
        if not reference:
            return None
        try:
            oid = h5r.dereference(reference, self.file.id)
            return self.paths.get(address(oid)) if oid else None
        except (ValueError, RuntimeError, KeyError, OSError):
            return None  # a copy of a reference to what was deleted is the null reference

    def region(self, reference):
        if not reference:
            return None
        target = self.target(reference)
        if target is None:
            return None
        space = h5r.get_region(reference, self.file.id)
        extent, kind, count = space.get_simple_extent_dims(), space.get_select_type(), space.get_select_npoints()
        if kind == h5s.SEL_POINTS:
            detail = space.get_select_elem_pointlist().tolist()
        elif kind == h5s.SEL_HYPERSLABS:
            # The blocks as HDF5 lists them, and every place: two unions may be cut into blocks in two ways.
            mask = np.zeros(extent, bool)
            for low, high in space.get_select_hyper_blocklist():
                mask[tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high))] = True
            detail = np.argwhere(mask).tolist()
        elif kind == h5s.SEL_ALL:
            detail = "all"
        else:
            detail = "none"
        return (target, extent, int(kind), int(count), detail)


def plain(tid):
    """True if the bytes of an element are its value, but for padding."""
    cls = tid.get_class()
    if cls == h5t.COMPOUND:
        return all(plain(tid.get_member_type(i)) for i in range(tid.get_nmembers()))
    if cls == h5t.ARRAY:
        return plain(tid.get_super())
    return not (cls in (h5t.VLEN, h5t.REFERENCE) or cls == h5t.STRING and tid.is_variable_str())


def mask_of(tid):
    """Which bytes of an element are data."""
    cls, size = tid.get_class(), tid.get_size()
    mask = np.zeros(size, bool)
    if cls == h5t.COMPOUND:
        for i in range(tid.get_nmembers()):
            member = tid.get_member_type(i)
            at = tid.get_member_offset(i)
            mask[at : at + member.get_size()] |= mask_of(member)
    elif cls == h5t.ARRAY:
        base = mask_of(tid.get_super())
        mask[:] = np.tile(base, size // len(base))
    elif cls == h5t.FLOAT and size == 16:
        mask[:10] = True  # the 80 bits of x86
        if tid.get_order() == h5t.ORDER_BE:
            mask = mask[::-1].copy()
    else:
        mask[:] = True
    return mask


def raw(oid, tid, count):
    buffer = np.empty(count, f"V{tid.get_size()}")
    if isinstance(oid, h5a.AttrID):
        oid.read(buffer, mtype=tid)
    else:
        oid.read(h5s.ALL, h5s.ALL, buffer, mtype=tid)
    return np.frombuffer(buffer.tobytes(), "u1").reshape(count, tid.get_size())[:, mask_of(tid)].tobytes()


def flat(value, tid, side, out):
    """The value as a nested list of comparable things."""
    cls = tid.get_class()
    if cls == h5t.COMPOUND and getattr(value, "dtype", None) is not None and value.dtype.names:
        return [flat(value[tid.get_member_name(i).decode()], tid.get_member_type(i), side, out) for i in range(tid.get_nmembers())]
    if cls == h5t.ARRAY:
        return [flat(v, tid.get_super(), side, out) for v in np.asarray(value).reshape((-1,) + (np.asarray(value).shape[len(tid.get_array_dims()) :]))]
    if cls == h5t.VLEN:
        return [flat(v, tid.get_super(), side, out) for v in (value if value is not None else [])]
    if cls == h5t.REFERENCE:
        return side.region(value) if isinstance(value, (h5r.RegionReference,)) else side.target(value)
    if cls == h5t.STRING:
        return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b"" if not value else bytes(value)
    return np.asarray(value).tobytes()


def vlen_raw(oid, tid, shape):
    """Elements as h5py gives them, whole."""
    dt = oid.dtype
    sub = dt.subdtype
    out = np.empty(shape + (sub[1] if sub else ()), sub[0] if sub else dt)
    if isinstance(oid, h5a.AttrID):
        oid.read(out, mtype=h5t.py_create(dt))
    else:
        oid.read(h5s.ALL, h5s.ALL, out, mtype=h5t.py_create(dt))
    return out


def nested(tid):
    """True for sequences of what has no fixed size, which h5py cannot read."""
    cls = tid.get_class()
    if cls == h5t.VLEN:
        return not plain(tid.get_super()) and tid.get_super().get_class() == h5t.VLEN
    return False


def values(path, a, b, sides):
    tid, space = a.get_type(), a.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        return
    count = space.get_simple_extent_npoints()
    if count == 0 or nested(tid):
        return
    if plain(tid):
        if raw(a, tid, count) != raw(b, tid, count):
            differ(path, "values", raw(a, tid, count)[:40].hex(), raw(b, tid, count)[:40].hex())
        return
    shape = space.shape or ()
    lists = []
    for oid, side in ((a, sides[0]), (b, sides[1])):
        got = vlen_raw(oid, tid, shape)
        if tid.get_class() == h5t.ARRAY:
            got = got.reshape((-1,) + tuple(tid.get_array_dims()))
            lists.append([flat(v, tid, side, None) for v in got])
        else:
            lists.append([flat(v, tid, side, None) for v in got.reshape(-1)])
    if lists[0] != lists[1]:
        for i, (x, y) in enumerate(zip(*lists)):
            if x != y:
                differ(path, f"element {i}", x, y)
                break


def same_type(path, a, b):
    if not a.equal(b):
        differ(path, "stored type", h5_text(a), h5_text(b))


def h5_text(t):
    cls = t.get_class()
    names = {getattr(h5t, n): n for n in ("INTEGER", "FLOAT", "STRING", "BITFIELD", "OPAQUE", "COMPOUND", "REFERENCE", "ENUM", "VLEN", "ARRAY")}
    text = f"{names.get(cls, cls)}({t.get_size()}"
    if cls in (h5t.INTEGER, h5t.FLOAT, h5t.BITFIELD):
        text += f", order {t.get_order()}, precision {t.get_precision()}, offset {t.get_offset()}, pad {t.get_pad()}"
    if cls == h5t.INTEGER:
        text += f", sign {t.get_sign()}"
    if cls == h5t.FLOAT:
        text += f", fields {t.get_fields()}, ebias {t.get_ebias()}, norm {t.get_norm()}, inpad {t.get_inpad()}"
    if cls == h5t.STRING:
        text += f", variable {t.is_variable_str()}, cset {t.get_cset()}, strpad {t.get_strpad()}"
    if cls == h5t.OPAQUE:
        text += f", tag {t.get_tag()}"
    if cls == h5t.ENUM:
        text += f", {h5_text(t.get_super())}, " + ", ".join(f"{t.get_member_name(i)}={t.get_member_value(i)}" for i in range(t.get_nmembers()))
    if cls == h5t.COMPOUND:
        text += ", " + ", ".join(f"{t.get_member_name(i)}@{t.get_member_offset(i)}: {h5_text(t.get_member_type(i))}" for i in range(t.get_nmembers()))
    if cls in (h5t.VLEN, h5t.ARRAY):
        text += f", {h5_text(t.get_super())}" + (f", {t.get_array_dims()}" if cls == h5t.ARRAY else "")
    return text + ")"


def same_space(path, a, b):
    key = [(s.get_simple_extent_type(), s.get_simple_extent_dims() if s.get_simple_extent_type() != h5s.NULL else None,
            s.get_simple_extent_dims(maxdims=True) if s.get_simple_extent_type() == h5s.SIMPLE else None) for s in (a, b)]
    if key[0] != key[1]:
        differ(path, "dataspace", *key)
        return False
    return True


def attr_names(oid, tracked):
    names = []
    index = h5py.h5.INDEX_CRT_ORDER if tracked else h5py.h5.INDEX_NAME
    h5a.iterate(oid, lambda name, *rest: names.append(name) and None, index_type=index)
    return names


def attr_order(oid):
    if isinstance(oid, h5t.TypeID):
        return 0
    if isinstance(oid, h5py.h5f.FileID):
        oid = h5py.h5g.open(oid, b"/")
    plist = oid.get_create_plist()
    return plist.get_attr_creation_order() & h5py.h5p.CRT_ORDER_TRACKED


def attributes(path, a, b, sides):
    orders = [attr_order(a.id), attr_order(b.id)]
    if orders[0] != orders[1]:
        differ(path, "attributes keep their order", *orders)
    names = [attr_names(a.id, all(orders)), attr_names(b.id, all(orders))]
    if names[0] != names[1]:
        differ(path, "attributes", *names)
    for name in names[0]:
        if name not in names[1]:
            continue
        x, y = h5a.open(a.id, name), h5a.open(b.id, name)
        at = f"{path}@{name.decode()}"
        same_type(at, x.get_type(), y.get_type())
        if same_space(at, x.get_space(), y.get_space()) and x.get_type().equal(y.get_type()):
            values(at, x, y, sides)


def pipeline(plist):
    # (The first two parameters of bitshuffle are the version of the filter that wrote.)
    found = [plist.get_filter(i) for i in range(plist.get_nfilters())]
    return [(code, values[2:] if code == 32008 else values) for code, _, values, _ in found]


def dataset(path, a, b, sides):
    same_type(path, a.id.get_type(), b.id.get_type())
    if not same_space(path, a.id.get_space(), b.id.get_space()):
        return
    p, q = a.id.get_create_plist(), b.id.get_create_plist()
    if p.get_layout() != q.get_layout():
        differ(path, "layout", p.get_layout(), q.get_layout())
    elif p.get_layout() == h5d.CHUNKED and p.get_chunk() != q.get_chunk():
        differ(path, "chunks", p.get_chunk(), q.get_chunk())
    if pipeline(p) != pipeline(q):
        differ(path, "filters", pipeline(p), pipeline(q))
    if p.fill_value_defined() != q.fill_value_defined():
        differ(path, "fill value defined", p.fill_value_defined(), q.fill_value_defined())
    elif p.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED and plain(a.id.get_type()) and a.id.get_type().equal(b.id.get_type()):
        fills = [np.zeros((), a.id.dtype), np.zeros((), a.id.dtype)]
        p.get_fill_value(fills[0])
        q.get_fill_value(fills[1])
        if fills[0].tobytes() != fills[1].tobytes():
            differ(path, "fill value", *fills)
    attributes(path, a, b, sides)
    if a.id.get_type().equal(b.id.get_type()):
        values(path, a.id, b.id, sides)


def link_names(group):
    gid = h5py.h5g.open(group.id, b".")  # (the list of a file does not tell that of its root)
    names, tracked = [], gid.get_create_plist().get_link_creation_order() & h5py.h5p.CRT_ORDER_TRACKED
    if tracked:
        gid.links.iterate(lambda name, *rest: names.append(name.decode()) and None, idx_type=h5py.h5.INDEX_CRT_ORDER)
    else:
        names = sorted(group)
    return tracked, names


def walk(path, a, b, sides, seen):
    attributes(path or "/", a, b, sides)
    orders = link_names(a), link_names(b)
    if orders[0] != orders[1]:
        differ(path or "/", "names", *orders)
    for name in sorted(set(orders[0][1]) & set(orders[1][1])):
        at = f"{path}/{name}"
        links = [g.get(name, getlink=True) for g in (a, b)]
        if type(links[0]) is not type(links[1]):
            differ(at, "link", *links)
            continue
        if isinstance(links[0], h5py.SoftLink):
            if links[0].path != links[1].path:
                differ(at, "soft link", links[0].path, links[1].path)
            continue
        if isinstance(links[0], h5py.ExternalLink):
            if (links[0].path, links[0].filename) != (links[1].path, links[1].filename):
                differ(at, "external link", links[0].path, links[1].path)
            continue
        x, y = a[name], b[name]
        firsts = [s.paths[address(o.id)] for s, o in zip(sides, (x, y))]
        if firsts[0] != firsts[1]:
            differ(at, "hard link of", *firsts)
            continue
        if firsts[0] != at or at in seen:
            continue
        seen.add(at)
        if type(x) is not type(y):
            differ(at, "kind", type(x), type(y))
        elif isinstance(x, h5py.Group):
            walk(at, x, y, sides, seen)
        elif isinstance(x, h5py.Dataset):
            dataset(at, x, y, sides)
        else:
            same_type(at, x.id, y.id)
            attributes(at, x, y, sides)


def main():
    sides = Side(sys.argv[1]), Side(sys.argv[2])
    seen = set()
    walk("", sides[0].file, sides[1].file, sides, seen)
    for line in DIFFERENCES:
        print(line)
    print(f"{len(seen)} objects compared, {len(DIFFERENCES)} differences", file=sys.stderr)
    sys.exit(1 if DIFFERENCES or not seen else 0)


if __name__ == "__main__":
    main()
