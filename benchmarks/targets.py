"""The targets of docs/performance.md: each a ratio of two things that one run measures, beside its aim.

Run: ``python benchmarks/targets.py [--runs 3] [--scale 1] [--only graph] [--skip memory] [--out PAGE]``. ``--scale``
multiplies the numbers of messages: aims hold for 1, which takes more than an hour. ``--only`` measures the targets
whose name has this word, ``--skip`` all but those. Times are by the clock, so nothing else should use the machine.
Prints one JSON object and a Markdown table; the other benchmarks print more about each target.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dask_workers
import graph
import late_message
import mongo
from common.chats import write_chats
from common.pages import write_tables
from rich.console import Console

YEAR, MONTH, DECADE, DASK_DAYS = 365, 30, 3_650, 12
Figures = dict[str, dict[str, float]]


class Measurements:
    """Measures what several targets need once for each round.

    Args:
        folder: An empty folder for chats and homes.
        scale: Factor of the numbers of messages.
    """

    def __init__(self, folder: Path, scale: float) -> None:
        self._folder = folder
        self._scale = scale
        self.graph = functools.cache(self._graph)
        self.peak = functools.cache(self._peak)

    def _chats(self, messages: int, days: int) -> Path:
        path = self._folder / f"chats-{messages}-{days}.parquet"
        if not path.exists():
            write_chats(path, messages=max(int(messages * self._scale), 10 * days), days=days)
        return path

    def _graph(self, number: int, messages: int, days: int) -> Figures:
        del number  # the key of the cache
        return graph.measure(self._chats(messages, days))

    def _peak(self, messages: int) -> float:
        """Return the peak memory of a run over a year, of its largest process, in MB."""
        home = self._folder / "memory"
        figures = graph.timed(graph.COMMAND, graph.environment(home, self._chats(messages, YEAR)))
        shutil.rmtree(home)
        return figures["peak_mb"]

    def late(self, days: int) -> float:
        """Return the seconds of a run of one day after a late message in a history of so many days."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            return late_message.measure(Path(folder), max(int(30_000 * self._scale), 2 * days), days)["day"]["seconds"]

    def labelled_per_second(self) -> float:
        """Return messages a processor-second from raw messages to labels, summed over one process a core at once."""
        command = [sys.executable, str(Path(__file__).with_name("labels.py"))]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(os.cpu_count() or 1)]
        found = [json.loads(process.communicate()[0])["resampled"] for process in processes]
        return float(sum(one["messages_per_second_of_one_core"] for one in found))

    def mongo(self) -> float:
        """Return the seconds of writing and checking collections by those of a bare ``insert_many``."""
        rounds, _ = mongo.measure(max(int(20_000 * self._scale), 300), MONTH, runs=1)
        return rounds[0]["product_by_insert_many"]

    def nothing_to_do(self) -> float:
        """Return the seconds of a second run over all tables of a year."""
        with tempfile.TemporaryDirectory(dir=self._folder) as home:
            command = [graph.COMMAND[0], "run"]
            variables = graph.environment(Path(home), self._chats(100_000, YEAR))
            graph.timed(command, variables)
            return graph.timed(command, variables)["seconds"]

    def dask(self) -> float:
        """Return the seconds with one worker by those with two."""
        seconds = []
        for workers in (1, 2):
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                chats, few = self._chats(600_000, DASK_DAYS), self._chats(2_000, DASK_DAYS)
                seconds.append(dask_workers.measure(Path(folder), chats, few, workers)["seconds"])
        return seconds[0] / seconds[1]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and what it should be.

    Attributes:
        name: What is measured.
        aim: Bound of the figure.
        at_most: Whether the aim is the greatest figure allowed; else it is the least.
        measure: Returns the figure, by measurements and the number of the round.
        once: Whether one round is measured, because it takes long.
    """

    name: str
    aim: float
    at_most: bool
    measure: Callable[[Measurements, int], float]
    once: bool = False

    def is_met(self, figure: float) -> bool:
        """Return whether a figure reaches the aim."""
        return figure <= self.aim if self.at_most else figure >= self.aim


def _by_bare(seconds: Figures) -> float:
    return seconds["graph"]["seconds"] / seconds["bare"]["seconds"]


def _day_milliseconds(measurements: Measurements, number: int) -> float:
    """Return what each further day costs a run beyond the bare script."""
    beyond = {}
    for days in (YEAR, MONTH):
        figures = measurements.graph(number, 100_000, days)
        beyond[days] = figures["graph"]["seconds"] - figures["bare"]["seconds"]
    return 1_000 * (beyond[YEAR] - beyond[MONTH]) / (YEAR - MONTH)


def _per_day(figures: Figures) -> float:
    return YEAR * figures["one_day"]["seconds"] / figures["graph"]["seconds"]


TARGETS = (
    Target("graph (raw to analytics) by a bare script on both cores, 1,000,000 messages on 365 days", 1.25, True,
           lambda have, number: _by_bare(have.graph(number, 1_000_000, YEAR)), once=True),
    Target("graph (raw to analytics) by a bare script on both cores, 100,000 messages on 365 days", 1.25, True,
           lambda have, number: _by_bare(have.graph(number, 100_000, YEAR))),
    Target("graph on 365 days by 30 days, 100,000 messages", 1.5, True,
           lambda have, number: have.graph(number, 100_000, YEAR)["graph"]["seconds"]
           / have.graph(number, 100_000, MONTH)["graph"]["seconds"]),
    Target("graph: a day's events, checks and provenance of all tables, ms", 40, True, _day_milliseconds),
    Target("graph: a run for each day by one run, 365 days", 30, False,
           lambda have, number: _per_day(have.graph(number, 100_000, YEAR))),
    Target("raw messages to labels of conversations, messages a second, a process a core", 12_000, False,
           lambda have, _: have.labelled_per_second()),
    Target("MongoDB: writing and checks by a bare insert_many", 1.5, True, lambda have, _: have.mongo()),
    Target("one late message, 3,650 days by 30 days", 1.2, True,
           lambda have, _: have.late(DECADE) / have.late(MONTH), once=True),
    Target("memory: peak of the largest process, 10,000,000 messages by 1,000,000", 1.2, True,
           lambda have, _: have.peak(10_000_000) / have.peak(1_000_000), once=True),
    Target("memory: peak of the largest process, 10,000,000 messages, MB", 2_000, True,
           lambda have, _: have.peak(10_000_000), once=True),
    Target("a run with nothing to do, all tables but MongoDB's on 365 days, seconds", 5, True,
           lambda have, _: have.nothing_to_do()),
    Target("Dask: one one-core worker by two", 1.7, False, lambda have, _: have.dask()),
)  # fmt: skip


def table_of(found: dict[Target, list[float]]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| | aim | median | least to most | reached |", "|---|---:|---:|---:|---|"]
    for target, figures in found.items():
        aim = f"{'at most' if target.at_most else 'at least'} {target.aim:,g}"
        if not figures:
            lines.append(f"| {target.name} | {aim} | | | not measured |")
            continue
        median = statistics.median(figures)
        spread = f"{min(figures):,.2f} to {max(figures):,.2f}" if len(figures) > 1 else "one run"
        reached = "yes" if target.is_met(median) else "no"
        lines.append(f"| {target.name} | {aim} | {median:,.2f} | {spread} | {reached} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the targets, and print figures and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="rounds of what does not take long")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", default="", help="a word of the targets' names")
    parser.add_argument("--skip", help="a word of the names of targets that are not measured")
    parser.add_argument("--out", type=Path, help="a page with the marks of the table")
    options = parser.parse_args()
    if options.out and (options.scale != 1 or options.only):
        parser.error("--out writes the whole table: leave out --scale and --only")
    chosen = [target for target in TARGETS if options.only in target.name]
    found: dict[Target, list[float]] = {}
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        measurements = Measurements(Path(folder), options.scale)
        for place, target in enumerate(chosen, 1):
            skipped = options.skip is not None and options.skip in target.name
            rounds = 0 if skipped else 1 if target.once else options.runs
            with console.status(f"{place} of {len(chosen)}: {target.name}"):
                found[target] = [target.measure(measurements, number) for number in range(rounds)]
            console.print(target.name, *(f"{figure:,.3f}" for figure in found[target]))
    report = {
        target.name: {"aim": target.aim, "at_most": target.at_most, "figures": [round(one, 3) for one in figures]}
        for target, figures in found.items()
    }
    print(json.dumps({"scale": options.scale, "targets": report}, indent=2))
    print(f"\n{table_of(found)}")
    if options.out:
        write_tables(options.out, table_of(found), "targets")


if __name__ == "__main__":
    main()
