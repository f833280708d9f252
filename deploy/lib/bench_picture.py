"""Draws what `deploy/bench --headline --json FILE` measured: pulls and pushes beside the limit and peers.

bench_picture.py FILE.json FILE.svg: horizontal bars of million rows a second, median with a whisker from the
smallest to the largest round. The picture stands alone and reads on white and on dark backgrounds.
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

# A bar: label, kind (for its colour), the rates that it may show; of several the one with the highest median.
GROUPS = (
    (
        "Pull",
        (
            ("limit: sockets alone", "limit", ("limit_raw_pull", "limit_asio_pull")),
            ("bare table", "limit", ("bare_pull", "bare_pull_whole")),
            ("Rowhouse", "rowhouse", ("pull",)),
            ("Rowhouse, Unix socket", "rowhouse", ("pull_unix",)),
            ("PyTorch look-up, in-process", "peer", ("torch_lookup",)),
            ("Redis MGET", "peer", ("redis_mget",)),
        ),
    ),
    (
        "Push",
        (
            ("limit: sockets alone", "limit", ("limit_raw_push", "limit_asio_push")),
            ("bare table", "limit", ("bare_push",)),
            ("Rowhouse, memory", "rowhouse", ("push_memory",)),
            ("Rowhouse, log", "rowhouse", ("push_log",)),
            ("PyTorch Adagrad, in-process", "peer", ("torch_step",)),
            ("RocksDB WriteBatch, in-process", "peer", ("rocksdb_write",)),
            ("Redis MSET, no log", "peer", ("redis_mset",)),
        ),
    ),
)

# The text's grey has a contrast of 4.5 or more against white and against GitHub's dark page.
COLOURS = {"limit": "#8b949e", "rowhouse": "#2f81f7", "peer": "#d29922"}
TEXT = "#747c85"
WIDTH, LABELS, BARS, PITCH, BAR = 820, 230, 470, 26, 15
TOP, BETWEEN, FOOT = 34, 42, 42


class Malformed(Exception):
    """What was read is no headline."""


def chosen(rates, names):
    """The rate to draw, or None where none was measured."""
    found = [rates[name] for name in names if name in rates]
    return max(found, key=lambda rate: rate["median"], default=None)


def measured_groups(headline):
    """[(title, [(label, kind, rate)])] of what was measured."""
    rates = headline.get("rates")
    if not rates:
        raise Malformed("it holds no rates; it has to be what deploy/bench --headline --json wrote")
    groups = []
    for title, bars in GROUPS:
        drawn = [(label, kind, chosen(rates, names)) for label, kind, names in bars]
        groups.append((title, [bar for bar in drawn if bar[2] is not None]))
    groups = [group for group in groups if group[1]]
    if not groups:
        raise Malformed("no pull and no push was measured; measure the part 'bursts'")
    return groups


def text(x, y, words, anchor="start", weight="normal", size=13):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'font-size="{size}">{escape(words)}</text>'
    )


def bar(y, label, kind, rate, scale):
    """One bar with its label, its whisker and its figure."""
    middle = y + BAR / 2
    least, most = LABELS + rate["min"] * scale, LABELS + rate["max"] * scale
    colour = COLOURS[kind]
    cap = BAR / 4
    return [
        text(LABELS - 10, middle + 4.5, label, "end", "bold" if kind == "rowhouse" else "normal"),
        f'<rect class="bar" x="{LABELS}" y="{y:.1f}" width="{max(1, rate["median"] * scale):.1f}" '
        f'height="{BAR}" rx="2" fill="{colour}"/>',
        f'<path class="whisker" stroke="{TEXT}" stroke-width="1.5" fill="none" d="M{least:.1f} {middle - cap:.1f}'
        f"v{2 * cap:.1f}M{least:.1f} {middle:.1f}H{most:.1f}M{most:.1f} {middle - cap:.1f}v{2 * cap:.1f}\"/>",
        text(max(most, LABELS + 1) + 8, middle + 4.5, f"{rate['median']:.2f}"),
    ]


def picture(headline):
    """The whole SVG."""
    groups = measured_groups(headline)
    most = max(rate["max"] for _, bars in groups for _, _, rate in bars)
    scale = BARS / most if most > 0 else 0
    body, y = [], TOP
    for title, bars in groups:
        body.append(text(LABELS, y - 10, f"{title}, million rows a second", weight="bold", size=14))
        for label, kind, rate in bars:
            body += bar(y, label, kind, rate, scale)
            y += PITCH
        y += BETWEEN
    machine = headline.get("machine", {})
    place = f"{machine.get('cpu', 'unknown processor')}, {machine.get('cpus', '?')} processors"
    kernel = f"Linux {machine.get('kernel', '?')}, commit {headline.get('commit', 'unknown')[:12]}"
    y += FOOT - BETWEEN
    body.append(text(10, y - 14, "Bars: median over rounds; whiskers: smallest to largest.", size=11))
    body.append(text(10, y + 1, f"{place}, {kernel}", size=11))
    height = y + 12
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" font-family="system-ui, sans-serif" fill="{TEXT}">',
            "<title>Rowhouse beside this machine's limit and its peers</title>",
            *body,
            "</svg>",
            "",
        ]
    )


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: bench_picture.py FILE.json FILE.svg")
    source, target = map(Path, sys.argv[1:])
    try:
        target.write_text(picture(json.loads(source.read_text())))
    except (OSError, ValueError, KeyError, Malformed) as error:
        sys.exit(f"bench_picture.py: {source}: cannot be drawn: {error}")


if __name__ == "__main__":
    main()
