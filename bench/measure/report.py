"""Tables, as Markdown, from what the runner measured."""

import statistics

from measure import cases as kinds
from measure import numbers

_MIB = 1024 * 1024


def _table(header, rows):
    cells = [header] + rows
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |"

    return "\n".join(
        [line(header), "| " + " | ".join("-" * w for w in widths) + " |"] + [line(r) for r in rows]
    )


def ratio(result, key, label):
    """(median, low, high) of a variant's paired ratios to the first variant."""
    base = result["variants"][0]
    values = [r[key][label] / r[key][base] for r in result["rounds"]]
    return (statistics.median(values), *numbers.interval(values))


def _ratio_text(result, key, label):
    if label == result["variants"][0]:
        return "1"
    middle, low, high = ratio(result, key, label)
    return "%.*f (%.*f to %.*f)" % (
        (3, middle, 3, low, 3, high) if middle > 0.1 else (4, middle, 4, low, 4, high)
    )


def _rounds_text(result):
    return "; %d rounds" % len(result["rounds"])


def handshakes(result):
    rows = []
    for label in result["variants"]:
        turns = result["turns"][label]
        cpu = [t["cpu_us"] for t in turns]
        rate = [t["per_second"] for t in turns]
        rows.append(
            [
                label,
                "%.0f" % statistics.median(cpu),
                "%.0f" % numbers.quantile(cpu, 0.1),
                _ratio_text(result, "cpu_us", label),
                format(round(statistics.median(rate)), ","),
                "%.2f" % statistics.median(t["busy"] for t in turns),
            ]
        )
    header = ["", "CPU us, median", "quiet", "ratio (95 %)", "connections/s", "core busy"]
    title = "**%s** (`%s`%s)" % (result["title"], result["name"], _rounds_text(result))
    return title + "\n\n" + _table(header, rows)


def starts(result):
    rows = []
    for label in result["variants"]:
        every = result["starts"][label]
        rows.append(
            [
                label,
                "%.0f" % (statistics.median(s["seconds"] for s in every) * 1000),
                "%.0f" % (min(s["seconds"] for s in every) * 1000),
                _ratio_text(result, "seconds", label),
                "%.0f" % (statistics.median(s["cpu_seconds"] for s in every) * 1000),
                "%.1f" % (statistics.median(s["rss"] for s in every) / _MIB),
                _ratio_text(result, "rss", label),
                "%.1f" % (statistics.median(s["peak"] for s in every) / _MIB),
            ]
        )
    header = [
        "", "start ms, median", "least", "ratio (95 %)", "CPU ms", "RSS MiB", "ratio (95 %)",
        "peak MiB",
    ]
    title = "**%s** (`%s`%s, two starts in each)" % (
        result["title"], result["name"], _rounds_text(result),
    )
    return title + "\n\n" + _table(header, rows)


def defaults(result):
    rows = [
        [label, "works" if o["works"] else "no client gets in: " + o["what"]]
        for label, o in result["outcomes"].items()
    ]
    title = "**%s** (`%s`)" % (result["title"], result["name"])
    return title + "\n\n" + _table(["default settings", ""], rows)


def noise(results):
    """What else the server's CPU did, in one paragraph."""
    rounds = [r for result in results for r in result.get("rounds", [])]
    if not rounds:
        return ""
    other = [r["other_load"] for r in rounds]
    disturbed = sum(o > 0.1 for o in other)
    text = (
        "Other work on the server's CPU: %.0f %% of the time in the median round, %.0f %% in the "
        "worst; over 10 %% in %d of %d rounds. Taken by the hypervisor: %.1f %% on average."
        % (
            statistics.median(other) * 100,
            max(other) * 100,
            disturbed,
            len(rounds),
            statistics.fmean(r["stolen"] for r in rounds) * 100,
        )
    )
    if disturbed * 5 > len(rounds):
        text += " **The machine was not idle: only the ratios mean something, and less than usual.**"
    return text


_KINDS = {
    kinds.HANDSHAKES: ("### Server CPU for one connection, and connections a second", handshakes),
    kinds.STARTS: ("### Start-up and memory", starts),
    kinds.DEFAULTS: ("### Large truststores with default settings", defaults),
}


def one(result, before=None):
    """The table of one case, with a heading unless `before`, the case above it,
    is of the same kind."""
    heading, table = _KINDS[result["kind"]]
    same = before is not None and before["kind"] == result["kind"]
    return ("" if same else heading + "\n\n") + table(result) + "\n"
