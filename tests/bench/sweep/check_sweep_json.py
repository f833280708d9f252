"""check_sweep_json.py FILE: what `rowhouse-bench sweep --json FILE` wrote holds every point and operation.

The points of a sweep with --table-rows-max 100000.
"""

import json
import re
import sys
from pathlib import Path

STICKS = {"limit_raw_pull", "limit_raw_push", "bare_pull", "bare_push"}
ASIO = {"limit_asio_pull", "limit_asio_push"}
IN_MEMORY = {"pull", "push_memory", "mixed"}
ROWHOUSE = IN_MEMORY | {"push_log"}
PEERS = {"redis_mget", "redis_mset", "rocksdb_multiget", "rocksdb_write", "torch_lookup", "torch_step"}
COMPARED = ROWHOUSE - {"mixed"} | {"push_fsync"}
WITHOUT_LATENCY = {"torch_lookup", "torch_step"}

ALONE = STICKS | ASIO | ROWHOUSE
POINTS = {
    **dict.fromkeys(("dim_8", "dim_16", "dim_128", "shards_2", "batch_64", "batch_512", "zipf", "in_flight_1"), ALONE),
    **dict.fromkeys(("clients_2", "clients_8", "clients_64", "unix"), STICKS | ROWHOUSE),
    **dict.fromkeys(("rows_2000", "rows_20000", "rows_100000"), STICKS | ASIO | IN_MEMORY),
    "headline": ALONE | {"push_fsync"} | PEERS,
}


# The same requests, whatever they travel by and however they are divided; and others.
ALIKE = ("headline", "clients_2", "clients_8", "clients_64", "unix", "in_flight_1", "shards_2")
OTHERS = ("headline", "zipf", "batch_64", "batch_512", "dim_8", "dim_16", "dim_128", "rows_2000", "rows_100000")


def check_spread(what, spread):
    assert 0 <= spread["min"] <= spread["median"] <= spread["max"], f"{what}: {spread}"


def check_operation(what, operation):
    name = operation["name"]
    assert operation["rounds"] == 2, f"{what}: {operation['rounds']} rounds"
    assert operation["rows_per_second"]["min"] > 0, f"{what}: no rows"
    for field in ("rows_per_second", "server_cpu_seconds_per_million_rows", "client_cpu_seconds_per_million_rows"):
        check_spread(f"{what} {field}", operation[field])
    for field in ("over_limit", "over_bare"):
        assert (operation[field] is not None) == (name in COMPARED), f"{what}: {field}"
    latency = operation["latency_ms"]
    assert (latency is None) == (name in WITHOUT_LATENCY), f"{what}: latency {latency}"
    assert latency is None or 0 < latency["p50"] <= latency["p99"] <= latency["p99_9"], f"{what}: {latency}"


def check_point(point):
    name = point["name"]
    found = {operation["name"] for operation in point["operations"]}
    assert found == POINTS[name], f"{name}: {found ^ POINTS[name]}"
    assert re.fullmatch("[0-9a-f]{16}", point["answers_hash"]), f"{name}: {point['answers_hash']}"
    for operation in point["operations"]:
        check_operation(f"{name} {operation['name']}", operation)
    # Counted in steps of 10 ms: a short round alone may have none.
    for side in ("server", "client"):
        seconds = [o[f"{side}_cpu_seconds_per_million_rows"]["max"] for o in point["operations"] if o["name"] in ROWHOUSE]
        assert max(seconds) > 0, f"{name}: no processor time of the {side}"
    assert point["resident_bytes_per_row"] > 0, f"{name}: {point['resident_bytes_per_row']} bytes resident"


def main():
    sweep = json.loads(Path(sys.argv[1]).read_text())
    assert sweep["skipped"] == [], sweep["skipped"]
    found = {point["name"] for point in sweep["points"]}
    assert found == set(POINTS), f"points: {found ^ set(POINTS)}"
    for point in sweep["points"]:
        check_point(point)
    hashes = {point["name"]: point["answers_hash"] for point in sweep["points"]}
    assert len({hashes[name] for name in ALIKE}) == 1, hashes
    assert len({hashes[name] for name in OTHERS}) == len(OTHERS), hashes
    assert sweep["machine"]["cpus"] > 0 and sweep["commit"] == "tested"


main()
