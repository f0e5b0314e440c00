"""Describes an HDF5 file with low-level h5py, as JSON: {path: {kind, type, shape, maxshape, chunks, filters, names, attrs}}.

usage: describe.py FILE

Types are spelled with everything that belongs to their storage: byte order, character set, padding, offsets, tags. Names are in the
order of creation where the group tracks it, else by code point. Each object is under the path at which a walk in code-point order
first meets it.
"""
import json
import sys

import h5py
from h5py import h5a, h5d, h5o, h5s, h5t

PADS = {h5t.STR_NULLTERM: "nullterm", h5t.STR_NULLPAD: "nullpad", h5t.STR_SPACEPAD: "spacepad"}


def order(tid):
    return "BE" if tid.get_size() > 1 and tid.get_order() == h5t.ORDER_BE else "LE"


def spelled(tid):
    cls, size = tid.get_class(), tid.get_size()
    if cls == h5t.INTEGER:
        return ["int", size, tid.get_sign() == h5t.SGN_2, order(tid)]
    if cls == h5t.FLOAT:
        return ["float", size, order(tid)]
    if cls == h5t.BITFIELD:
        return ["bits", size, order(tid)]
    if cls == h5t.STRING:
        return ["string", None if tid.is_variable_str() else size, "utf8" if tid.get_cset() == h5t.CSET_UTF8 else "ascii", PADS[tid.get_strpad()]]
    if cls == h5t.OPAQUE:
        return ["opaque", size, tid.get_tag().decode()]
    if cls == h5t.ENUM:
        return ["enum", spelled(tid.get_super()), {tid.get_member_name(i).decode(): int(tid.get_member_value(i)) for i in range(tid.get_nmembers())}]
    if cls == h5t.COMPOUND:
        return ["compound", size, [[tid.get_member_name(i).decode(), tid.get_member_offset(i), spelled(tid.get_member_type(i))] for i in range(tid.get_nmembers())]]
    if cls == h5t.ARRAY:
        return ["array", list(tid.get_array_dims()), spelled(tid.get_super())]
    if cls == h5t.VLEN:
        return ["vlen", spelled(tid.get_super())]
    if cls == h5t.REFERENCE:
        return ["ref"] if tid.equal(h5t.STD_REF_OBJ) else ["regref"]
    return ["unknown", int(cls)]


def shape(space):
    return None if space.get_simple_extent_type() == h5s.NULL else list(space.shape)


def attributes(obj):
    out = {}
    for name in obj.attrs:
        aid = h5a.open(obj.id, name.encode())
        out[name] = [spelled(aid.get_type()), shape(aid.get_space())]
    return out


def names(group):
    gid = h5py.h5g.open(group.id, b".")  # (the list of a file does not tell that of its root)
    if gid.get_create_plist().get_link_creation_order() & h5py.h5p.CRT_ORDER_TRACKED:
        found = []
        gid.links.iterate(lambda name, *rest: found.append(name.decode()) and None, idx_type=h5py.h5.INDEX_CRT_ORDER)
        return found
    return sorted(group)


def dataset(d):
    space, plist = d.id.get_space(), d.id.get_create_plist()
    simple = space.get_simple_extent_type() == h5s.SIMPLE
    maxshape = [None if n == h5s.UNLIMITED else n for n in space.get_simple_extent_dims(maxdims=True)] if simple else shape(space)
    return {
        "kind": "dataset", "type": spelled(d.id.get_type()), "shape": shape(space), "maxshape": maxshape,
        "chunks": list(plist.get_chunk()) if plist.get_layout() == h5d.CHUNKED else None,
        "filters": [plist.get_filter(i)[0] for i in range(plist.get_nfilters())], "attrs": attributes(d),
    }


def walk(group, path, out, seen):
    out[path or "/"] = {"kind": "group", "names": names(group), "attrs": attributes(group)}
    for name in sorted(group):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        obj, at = group[name], f"{path}/{name}"
        info = h5o.get_info(obj.id)
        key = info.addr if hasattr(info, "addr") else str(info.token)
        if key in seen:
            continue
        seen.add(key)
        if isinstance(obj, h5py.Group):
            walk(obj, at, out, seen)
        elif isinstance(obj, h5py.Dataset):
            out[at] = dataset(obj)
        else:
            out[at] = {"kind": "datatype", "type": spelled(obj.id), "attrs": attributes(obj)}


def main():
    with h5py.File(sys.argv[1], "r") as file:
        out = {}
        info = h5o.get_info(file.id)
        walk(file, "", out, {info.addr if hasattr(info, "addr") else str(info.token)})
        json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
