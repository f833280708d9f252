"""Includes follow common <- storage <- ps and common <- worker; libraries stay where they belong.

    include_direction.py ROOT

- ps and worker never include each other, and nothing includes tests/.
- Boost.Asio and Beast only in common/net, ps/net and worker/net; RocksDB only in storage/; cereal
  only in common/wire/.
- A header outside net/ shows none of them, not even through another header of ours. The exception
  is common/wire/archive.h, which is there to adapt cereal.
- Includes of our own files are rooted at the repository.
"""

from sources import FOLDERS, finish, includes, root_argument, sources

MAY_INCLUDE = {
    "common": {"common"},
    "storage": {"common", "storage"},
    "ps": {"common", "storage", "ps"},
    "worker": {"common", "worker"},
}
NET = ("common/net/", "ps/net/", "worker/net/")
# include prefix: where it may stand
LIBRARIES = {
    "boost/asio": NET,
    "boost/beast": NET,
    "rocksdb/": ("storage/",),
    "cereal/": ("common/wire/",),
}
ADAPTERS = ("common/wire/archive.h",)


def library_of(included):
    return next((library for library in LIBRARIES if included.startswith(library)), None)


def direct(root, path):
    """Complaints about the includes that stand in one file."""
    name = path.as_posix()
    for line, included in includes(root / path):
        where = f"{name}:{line}: includes {included}"
        top = included.split("/")[0]
        if top in (*FOLDERS, "tests") and top not in MAY_INCLUDE[path.parts[0]]:
            yield f"{where}, but {path.parts[0]} must not depend on {top}"
        library = library_of(included)
        if library and not name.startswith(LIBRARIES[library]):
            yield f"{where}, which belongs to {' and '.join(LIBRARIES[library])} alone"
        if (root / path.parent / included).is_file() and not (root / included).is_file():
            yield f"{where}; write it from the root of the repository"


def is_public(path):
    name = path.as_posix()
    return path.suffix == ".h" and not name.startswith(NET) and name not in ADAPTERS


def shown(root, name, cache):
    """The chain of includes from header `name` to one of LIBRARIES; empty where there is none."""
    if name not in cache:
        cache[name] = []
        for _, included in includes(root / name):
            if library_of(included):
                cache[name] = [included]
            elif included not in ADAPTERS and (root / included).is_file():
                chain = shown(root, included, cache)
                cache[name] = [included, *chain] if chain else cache[name]
    return cache[name]


def main():
    root = root_argument()
    files = sources(root, FOLDERS)
    complaints = [complaint for path in files for complaint in direct(root, path)]
    cache = {}
    for path in filter(is_public, files):
        chain = shown(root, path.as_posix(), cache)
        if chain:
            way = " -> ".join(chain)
            complaints.append(f"{path}: a public header that shows {chain[-1]} (by {way})")
    finish("include direction", len(files), complaints)


main()
