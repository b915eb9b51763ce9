"""Tables, as Markdown, from what the runner measured."""

import statistics

from measure import cases as kinds
from measure import numbers

_MIB = 1024 * 1024

# How far over a goal the upper end of the interval may be.
ALLOWANCE = 0.03


def _table(header, rows):
    cells = [header] + rows
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |"

    return "\n".join(
        [line(header), "| " + " | ".join("-" * w for w in widths) + " |"] + [line(r) for r in rows]
    )


def values(result, key, label):
    return [r["values"][label][key] for r in result["rounds"] if label in r["values"]]


def ratio(result, key, label, base=None):
    """(median, low, high) of a variant's paired ratios to `base`, by default the
    first variant; None without a round in which both took part."""
    base = base or result["variants"][0]
    pairs = [
        r["values"][label][key] / r["values"][base][key]
        for r in result["rounds"]
        if label in r["values"] and base in r["values"] and r["values"][base][key] > 0
    ]
    if not pairs:
        return None
    return (statistics.median(pairs), *numbers.interval(pairs))


def _interval_text(found):
    if found is None:
        return "-"
    middle, low, high = found
    digits = 3 if middle > 0.1 else 4
    return "%.*f (%.*f to %.*f)" % (digits, middle, digits, low, digits, high)


def _ratio_text(result, key, label):
    return "1" if label == result["variants"][0] else _interval_text(ratio(result, key, label))


def judge_goal(result, goal):
    """{"measured", "goal": texts, "upper": of the interval, "met": True, False or
    None (not measured)}."""
    label, base, limit, key = (goal[k] for k in ("label", "base", "limit", "key"))
    name = {"cpu_us": "CPU", "seconds": "start-up", "rss": "memory"}[key]
    out = {"measured": "-", "upper": None, "met": None}
    there = label in result["variants"]
    if not base:
        out["goal"] = "%s at most %g s" % (name, limit)
        found = values(result, key, label) if there else []
        if found:
            low, out["upper"] = numbers.interval(found)
            out["measured"] = "%.2f s (%.2f to %.2f)" % (
                statistics.median(found), low, out["upper"],
            )
            out["met"] = out["upper"] <= limit * (1 + ALLOWANCE)
        return out
    out["goal"] = '%s at most %g of "%s"' % (name, limit, base)
    found = ratio(result, key, label, base) if there and base in result["variants"] else None
    if found is not None:
        out["measured"], out["upper"] = _interval_text(found), found[2]
        out["met"] = found[2] <= limit + ALLOWANCE
    return out


def _met(met):
    return {True: "met", False: "**not met**", None: "not measured"}[met]


def _goal_cell(result, label):
    cells = []
    for goal in result["goals"]:
        if goal["label"] != label:
            continue
        judged = judge_goal(result, goal)
        text = _met(judged["met"])
        # A ratio to the first variant stands in the row already.
        if goal["base"] not in ("", result["variants"][0]) and judged["met"] is not None:
            text = "%s, %s" % (judged["measured"], text)
        cells.append("%s: %s" % (judged["goal"], text))
    return "; ".join(cells)


def _title(result, more=""):
    return "**%s** (`%s`%s)" % (result["title"], result["name"], more)


def _rounds_text(result):
    return "; %d rounds" % len(result["rounds"])


def _notes(result):
    if not result["notes"]:
        return ""
    return "\n\n" + "\n".join(
        "- %s: %s" % (label, note) for label, note in result["notes"].items()
    )


def _turns(result):
    told = result["request_bytes"]
    requests = result["kind"] == kinds.REQUESTS
    rows = []
    for label in result["variants"]:
        turns = result["turns"][label]
        cpu = [t["cpu_us"] for t in turns]
        digits = 1 if requests else 0
        row = [
            label,
            "%.*f" % (digits, statistics.median(cpu)),
            "%.*f" % (digits, numbers.quantile(cpu, 0.1)),
            _ratio_text(result, "cpu_us", label),
            format(round(statistics.median(t["per_second"] for t in turns)), ","),
            "%.2f" % statistics.median(t["busy"] for t in turns),
        ]
        if told:
            row.append(format(told[label], ",") if label in told else "")
        rows.append(row + [_goal_cell(result, label)])
    header = [
        "", "CPU us, median", "quiet", "ratio (95 %)",
        "requests/s" if requests else "connections/s", "core busy",
    ]
    if told:
        header.append("bytes upstream")
    return _title(result, _rounds_text(result)) + "\n\n" + _table(header + ["goal"], rows)


def _memory(result):
    rows = []
    for label in result["variants"]:
        each = [v / 1024 for v in values(result, "per_connection", label)]
        rows.append(
            [
                label,
                "%.1f" % statistics.median(each),
                "%.1f to %.1f" % (min(each), max(each)),
                _ratio_text(result, "per_connection", label),
                "%.1f" % (statistics.median(values(result, "rss_before", label)) / _MIB),
            ]
        )
    header = ["", "KiB a connection", "least to most", "ratio (95 %)", "RSS MiB before"]
    return _title(result, _rounds_text(result)) + "\n\n" + _table(header, rows)


def _starts(result):
    rows = []
    singles = result["singles"]
    # The servers of one domain are there for their difference only.
    shown = [v for v in result["variants"] if v not in singles.values()]
    for label in shown:
        rss = statistics.median(values(result, "rss", label))
        row = [
            label,
            "%.0f" % (statistics.median(values(result, "seconds", label)) * 1000),
            _ratio_text(result, "seconds", label),
            "%.0f" % (statistics.median(values(result, "cpu_seconds", label)) * 1000),
            "%.1f" % (rss / _MIB),
            _ratio_text(result, "rss", label),
            "%.1f" % (statistics.median(values(result, "peak", label)) / _MIB),
        ]
        if singles:
            one = singles.get(label)
            alone = values(result, "rss", one) if one in result["variants"] else []
            row.append(
                "%.1f" % ((rss - statistics.median(alone)) / (result["domains"] - 1) / 1024)
                if alone else "-"
            )
        rows.append(row + [_goal_cell(result, label), str(len(values(result, "seconds", label)))])
    header = ["", "start ms", "ratio (95 %)", "CPU ms", "RSS MiB", "ratio (95 %)", "peak MiB"]
    if singles:
        header.append("KiB a domain")
    return _title(result) + "\n\n" + _table(header + ["goal", "rounds"], rows)


def _updates(result):
    rows = []
    for label in result["variants"]:
        row = [label]
        for key in ("main_seconds", "other_seconds", "seconds"):
            found = [v * 1000 for v in values(result, key, label)]
            row.append("%.1f" % statistics.median(found))
        rows.append(row + [_ratio_text(result, "main_seconds", label)])
    header = ["", "main thread CPU ms", "other threads CPU ms", "new verdict after ms",
              "main thread, ratio (95 %)"]
    return _title(result, _rounds_text(result) + ", two updates in each") + "\n\n" + _table(
        header, rows
    )


def _defaults(results):
    """One table of all sizes."""
    labels = []
    for result in results:
        labels += [label for label in result["outcomes"] if label not in labels]
    rows = []
    for label in labels:
        row = [label]
        for result in results:
            outcome = result["outcomes"].get(label)
            row.append(
                "-" if outcome is None
                else "%s: %s" % ("**yes**" if outcome["works"] else "no", outcome["what"])
            )
        rows.append(row)
    return _table(["CAs"] + [result["title"] for result in results], rows)


_KINDS = {
    kinds.CONNECTIONS: ("Server CPU for one connection", _turns),
    kinds.REQUESTS: ("Server CPU for one request on a kept-alive connection", _turns),
    kinds.MEMORY: ("Memory of a connection", _memory),
    kinds.STARTS: ("Start-up and memory", _starts),
    kinds.DEFAULTS: (
        "Does a client get an answer by default settings? Truststores with long names", None
    ),
    kinds.UPDATES: ("Replacing a truststore while clients come", _updates),
}


def one(result):
    """The table of one case."""
    if "failed" in result:
        return "%s: **failed**: %s" % (_title(result), result["failed"].splitlines()[0])
    if result["kind"] == kinds.DEFAULTS:
        return _defaults([result]) + _notes(result)
    return _KINDS[result["kind"]][1](result) + _notes(result)


def _goal_rows(result):
    """One row for each goal; goals that differ in the variant only share one,
    which shows the one that is furthest from it."""
    groups = {}
    for goal in result["goals"]:
        groups.setdefault((goal["base"], goal["limit"], goal["key"]), []).append(goal)
    rows = []
    for group in groups.values():
        judged = [(goal, judge_goal(result, goal)) for goal in group]
        measured = [j for j in judged if j[1]["met"] is not None]
        missing = len(judged) - len(measured)
        goal, worst = max(measured or judged, key=lambda j: j[1]["upper"] or 0)
        label = goal["label"]
        if len(group) > 1 and measured:
            label = "%d variants; most: %s" % (len(measured), label)
        met = _met(worst["met"])
        if measured and missing:
            met += ", %d not measured" % missing
        rows.append(["`%s`" % result["name"], label, worst["goal"], worst["measured"], met])
    if result["kind"] == kinds.DEFAULTS and "Sallyport" in result["outcomes"]:
        outcome = result["outcomes"]["Sallyport"]
        rows.append(
            ["`%s`" % result["name"], "Sallyport", "%s CAs work" % result["title"],
             outcome["what"], _met(outcome["works"])]
        )
    return rows


def goals(results):
    """Every goal in one table, with whether it is met."""
    rows = [row for result in results if "failed" not in result for row in _goal_rows(result)]
    return _table(["case", "", "goal", "measured (95 %)", ""], rows) if rows else ""


def noise(results):
    """What else the server's CPU did, and what the controls read."""
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
    controls = []
    for result in results:
        if result["kind"] in (kinds.CONNECTIONS, kinds.REQUESTS) and "failed" not in result:
            controls += [
                ratio(result, "cpu_us", label)[0]
                for label in result["variants"] if label == kinds.AGAIN
            ]
    if controls:
        text += " The controls (built-in against itself) read %.3f to %.3f." % (
            min(controls), max(controls),
        )
    return text


def machine(facts):
    """What it was measured on, in one sentence."""
    versions = ", ".join(
        "%s %s" % (name, version) for name, version in facts["versions"].items() if version
    )
    return "%s: %s; %s, %d CPUs, %.1f GiB, Linux %s; server on CPU %d, load on CPU %d." % (
        facts["date"], versions, facts["cpu"], facts["cpus"], facts["memory_gib"],
        facts["kernel"], facts["server_cpu"], facts["load_cpu"],
    )


def everything(run):
    """The whole document from what --json wrote."""
    results = run["cases"]
    parts = [machine(run["machine"]), noise(results)]
    if len({r["module"] for r in results}) > 1:
        parts.append("**Not all cases were measured with the same build of the module.**")
    summary = goals(results)
    if summary:
        parts += ["### Goals", summary]
    for kind, (heading, table) in _KINDS.items():
        here = [r for r in results if r["kind"] == kind]
        if not here:
            continue
        parts.append("### " + heading)
        measured = [r for r in here if "failed" not in r]
        if table is None and measured:
            parts.append(_defaults(measured))
            parts += [text for text in (_notes(r).strip() for r in measured[:1]) if text]
            here = [r for r in here if "failed" in r]
        parts += [one(r) for r in here]
    return "\n\n".join(p for p in parts if p) + "\n"
