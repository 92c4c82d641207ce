# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""The Markdown report: figures, ratios and the targets they are held to."""

import statistics

from .processes import CLIENT_US, SERVER_US
from .speed import PAIRS, POINTS


def span(values, digits=2):
    if not values:
        return "–"
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def verdict(met):
    return "met" if met else "**not met**"


def speed_targets(speed):
    """Limits in µs are for a machine whose floor was the number beside them; so each is a ratio to
    the floor as well."""
    rows = []
    for what, point, limit_us, floor_us, aim in (("1 outstanding", "1", 1.2 * 7.75, 7.75, ""),
                                                 ("32 outstanding", "32", 1.2, 0.26, ", aim 0.8"),
                                                 ("unbatched at 32", "each", 3.3, 2.35, ""),
                                                 ("16 KiB at 32", "16k", 4.5, 2.8, "")):
        for side, metric, slack in (("server", SERVER_US, 1.0), ("client", CLIENT_US, 1.1)):
            at = "answers-each" if (side, point) == ("client", "each") else point
            case, floor = f"{side}/{at}", f"floor/{at}"
            if case not in speed.cases:
                continue
            us, ratio = speed.figures(case, metric), speed.ratios(case, floor, metric)
            most_us, most_ratio = slack * limit_us, slack * limit_us / floor_us
            if us and ratio:
                in_us = statistics.median(us) <= most_us
                in_ratio = statistics.median(ratio) <= most_ratio
                said = (verdict(in_us) if in_us == in_ratio else
                        "met as a ratio, **not in µs**" if in_ratio else
                        "met in µs, **not as a ratio**")
            else:
                said = "**not measured**"
            rows.append([f"CPU, {side}, {what}", f"{span(us)} µs", f"{span(ratio)} × floor",
                         f"≤ {most_us:.2f} µs{aim if side == 'server' else ''}; "
                         f"≤ {most_ratio:.2f} × floor", said])
    for peer, name, point, least, must in (("grpc", "gRPC C++", "32", 10, "≥"),
                                           ("grpc", "gRPC C++", "1", 4, "≥"),
                                           ("java", "Java SOFARPC", "32", 5, "expected ≥")):
        case = f"{peer}/{point}"
        if case in speed.cases:
            ratio = speed.ratios(case, f"both/{point}", SERVER_US)
            met = verdict(statistics.median(ratio) >= least) if ratio else "**not measured**"
            rows.append([f"CPU, {name} server, {point} outstanding",
                         f"{span(speed.figures(case, SERVER_US))} µs", f"{span(ratio)} × Settee",
                         f"{must} {least} × Settee", met])
    return rows


def count_targets(results):
    rows = []
    limits = {"1": 3.1, "32": 0.2}
    for case, result in results.items():
        kind, _, rest = case.partition("/")
        if kind == "syscalls":
            side, point = rest.split("/")
            floor = results.get(f"syscalls/floor-{side}/{point}")
            most = limits[point] * (1.1 if side == "client" else 1)
            names = ", ".join(f"{name} {count:.3f}" for name, count in
                              sorted(result["by_name"].items(), key=lambda item: -item[1])[:5])
            ours = not side.startswith("floor")
            rows.append([f"Syscalls per call, {side}, {point} outstanding",
                         f"{result['per_call']:.3f} ({names})",
                         f"{result['per_call'] / floor['per_call']:.2f} × floor" if floor else "",
                         f"≤ {most:.2f}" if ours else "",
                         verdict(result["per_call"] <= most) if ours else ""])
        elif kind == "allocations":
            side, point = rest.split("/")
            rows.append([f"Heap allocations per call, {side}, {point} outstanding",
                         f"{result['per_call']:.3f}", "", "≤ 2", verdict(result["per_call"] <= 2)])
        elif kind == "open-loop":
            rows.append(["p99 at 4,950 calls/s with 50/s sleeping 5 ms beside them, none rejected",
                         f"{span(result['p99_us_with'], 0)} µs, without them "
                         f"{span(result['p99_us_without'], 0)} µs",
                         f"{span(result['ratio'])} × without", "≤ 2 × without",
                         verdict(statistics.median(result["ratio"]) <= 2)])
        elif kind == "idle-memory":
            for key, what in (("opened_bytes", "opened only"),
                              ("used_bytes", "after one call each")):
                rows.append([f"Server memory per idle connection, {what}",
                             f"{result[key] / 1024:.2f} KiB", "", "aim ≤ 4 KiB",
                             verdict(result[key] <= 4096)])
        elif kind == "soak":
            growth = result["rss_10m"] - result["rss_1m"]
            rows.append([f"{rest.capitalize()} memory from 1 to 10 million calls",
                         f"{result['rss_1m'] / 2**20:.2f} → {result['rss_10m'] / 2**20:.2f} MiB",
                         "", "flat: growth ≤ 1 MiB", verdict(growth <= 2**20)])
        elif kind == "hessian":
            for what, most in (("encode", 250), ("decode", 600)):
                ours = result[f"{what}_ns"]
                rows.append([f"Hessian, {what} User", f"{ours:.0f} ns", "", f"≤ {most} ns",
                             verdict(ours <= most)])
                for peer, least in (("Node", 10), ("Java", 3)):
                    if peer in result["peers"]:
                        theirs = result["peers"][peer][f"{what}_ns"]
                        rows.append([f"Hessian, {what} User, {peer}", f"{theirs:.0f} ns",
                                     f"{theirs / ours:.1f} × Settee", f"≥ {least} × Settee",
                                     verdict(theirs / ours >= least)])
    return rows


def speed_rows(speed):
    rows = []
    for case in speed.cases:
        pair, point = case.split("/")
        cells = [PAIRS[pair][0], POINTS[point][2]]
        for metric in (SERVER_US, CLIENT_US):
            cells.append(span(speed.figures(case, metric)))
            ratio = speed.ratios(case, f"floor/{point}", metric)
            cells.append("" if pair == "floor" else span(ratio))
        rate = speed.figures(case, "rate")
        cells.append(f"{statistics.median(rate):,.0f}" if rate else "–")
        cells.append("/".join(f"{statistics.median(speed.figures(case, metric)):.0f}"
                              for metric in ("p50_us", "p99_us", "p999_us")) if rate else "–")
        rows.append([f"`{case}`", *cells])
    return rows


def noise(speed):
    spreads = {case: max(values) / min(values) for case in speed.cases if case.startswith("floor/")
               if len(values := speed.figures(case, SERVER_US)) > 1}
    if not spreads:
        return []
    worst = max(spreads, key=spreads.get)
    line = (f"The floor itself varied between rounds by up to {spreads[worst]:.2f} × (`{worst}`, "
            "server CPU, largest to smallest).")
    if spreads[worst] > 1.5:
        line += (" **That is a noisy machine: trust the ratios before the µs, and repeat with "
                 "more rounds before drawing a conclusion.**")
    return [line, ""]


def markdown(conditions, speed, results, failures):
    lines = ["# Benchmark report", ""]
    lines += [*(f"- {key}: {value}" for key, value in conditions.items()), ""]
    if failures:
        lines += ["## Failed", "", *(f"- `{case}`: {why}" for case, why in failures.items()), ""]
    targets = speed_targets(speed) + count_targets(results)
    if targets:
        lines += ["## Figures and targets", ""]
        lines += table(["figure", "measured, median (min–max)", "as a ratio", "target", "verdict"],
                       targets)
    if speed.cases:
        lines += ["## CPU µs per call", "",
                  "Medians (min–max) over the rounds; × floor is to `floor` at the same point of "
                  "the same round, for the same side. Both ends share the one core that the rate "
                  "is of.", ""]
        lines += table(["case", "programs", "load", "server µs", "× floor", "client µs", "× floor",
                        "calls/s", "p50/p99/p99.9 µs"], speed_rows(speed))
        lines += noise(speed)
    if "hessian" in results:
        lines += [f"Hessian peer not run: {why}." for why in results["hessian"]["not_run"]] + [""]
    return "\n".join(lines)
