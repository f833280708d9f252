"""check_headline_json.py FILE PICTURE.py: what `rowhouse-bench headline --json FILE` wrote has every figure, and is drawn.

Of a headline with --commit tested; peers that are not installed may be missing.
"""

import json
import subprocess
import sys
from pathlib import Path

TARGETS = {
    "pull_over_bare": 0.85,
    "push_memory_over_bare": 0.7,
    "pull_over_limit": 0.42,
    "push_memory_over_limit": 0.27,
    "push_log_over_memory": 0.8,
    "push_log_over_rocksdb": 20,
    "unix_over_tcp": 1.05,
    "push_log_sustained": 0.5,
    "sustained_disk_growth": 1.5,
    "sustained_unflushed_growth": 1.5,
    "push_fsync_over_log": 0.5,
    "p99_small_pull": 3,
    "clients_64_over_2": 0.8,
    "rows_50m_over_2m": 0.6,
    "stall_growth_ms": 20,
    "idle_cpu": 0.005,
}
OF_PEERS = {"pull_over_redis": 5, "push_log_over_torch": 4}
RATIOS = {
    "push_memory_over_bare": ("push_memory", "bare_push"),
    "push_log_over_memory": ("push_log", "push_memory"),
    "push_log_over_rocksdb": ("push_log", "rocksdb_write"),
    "unix_over_tcp": ("pull_unix", "pull"),
    "clients_64_over_2": ("pull_64_connections", "pull_2_connections"),
}
RATES = {name for of in RATIOS.values() for name in of} | {"limit_raw_pull", "limit_raw_push", "small_capacity", "small_pull_p99"}
# Limit, bare table, Rowhouse, Rowhouse over a Unix socket; the first three, `log` and RocksDB.
BARS = 4 + 5


def main():
    path, picture = Path(sys.argv[1]), sys.argv[2]
    headline = json.loads(path.read_text())
    figures = headline["figures"]
    expected = {**TARGETS, **{name: OF_PEERS[name] for name in OF_PEERS if name in figures}}
    assert set(figures) == set(expected), f"figures: {sorted(set(figures) ^ set(expected))}"
    for name, figure in figures.items():
        assert figure["target"] == expected[name], f"{name}: target {figure['target']}"
        assert figure["min"] <= figure["median"] <= figure["max"], f"{name}: {figure}"
    rates = headline["rates"]
    assert RATES <= set(rates), f"no rates of {sorted(RATES - set(rates))}"
    for name, rate in rates.items():
        assert rate["min"] <= rate["median"] <= rate["max"] and rate["unit"], f"{name}: {rate}"
    for name in RATES:
        assert rates[name]["min"] > 0, f"{name}: {rates[name]}"
    for name, of in RATIOS.items():
        above, below = (rates[part] for part in of)
        low, high = above["min"] / below["max"], above["max"] / below["min"]
        assert low * 0.999 <= figures[name]["median"] <= high * 1.001, f"{name}: {figures[name]} is not of {of}"
    machine = headline["machine"]
    assert machine["cpus"] > 0 and machine["cpu"] and machine["file_system"] != "unknown", machine
    assert headline["commit"] == "tested", headline["commit"]
    drawn = path.with_suffix(".svg")
    subprocess.run([sys.executable, "-B", picture, path, drawn], check=True)
    bars = drawn.read_text().count('class="bar"')
    assert bars >= BARS, f"{bars} bars, of {BARS} at least"


main()
