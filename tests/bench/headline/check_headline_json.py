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
    "push_fsync_over_log": 0.5,
    "p99_small_pull": 3,
    "clients_64_over_2": 0.8,
    "rows_50m_over_2m": 0.6,
    "stall_growth_ms": 20,
    "idle_cpu": 0.005,
}
OF_PEERS = {"pull_over_redis": 5, "push_log_over_torch": 4}
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
    machine = headline["machine"]
    assert machine["cpus"] > 0 and machine["cpu"] and machine["file_system"] != "unknown", machine
    assert headline["commit"] == "tested", headline["commit"]
    drawn = path.with_suffix(".svg")
    subprocess.run([sys.executable, "-B", picture, path, drawn], check=True)
    bars = drawn.read_text().count('class="bar"')
    assert bars >= BARS, f"{bars} bars, of {BARS} at least"


main()
