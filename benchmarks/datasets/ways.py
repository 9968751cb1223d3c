"""One way of one dataset, measured in a process of its own.

Belongs here: what is timed: the logic alone, all tables and files of a version. Not timed: reading the frames, and what
a process does once, imports and lexicons, for which each way builds a small world first.
"""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from benchmarks.datasets.world import SCOPE, frames
from benchmarks.ways import peak_memory
from cdp_assets.datasets.catalog import DATASETS, tables_of

FOLDERS = {"A": "interactions", "B": "articles", "C": "customers", "D": "timeseries", "E": "reviews"}
"""Letter -> module with the pandas version of all tables of the letter. F is in `benchmarks.datasets.events`."""

SMALL = (1_000, 5_000)
"""Purchased lines and events of the world that is built before the clock starts."""

MIB = 2**20

Inputs = dict[str, Any]
Way = Callable[[str, Inputs], int]
"""(Letter, inputs) -> rows made."""


@dataclass(frozen=True)
class Figure:
    """One way of one dataset."""

    dataset: str
    way: str
    seconds: float
    rows_in: int
    rows_out: int
    peak_mb: int


def product(letter: str, inputs: Inputs) -> int:
    """Every table of the letter whose inputs are all there, built one after the other."""
    rows = 0
    for dataset in (DATASETS[name] for name in tables_of(letter)):
        if set(dataset.reads) <= set(inputs):
            previous = {"previous": {}} if dataset.continues else {}
            rows += dataset.build(
                SCOPE, **{name: inputs[name] for name in dataset.reads}, **previous
            ).table.height
    return rows


def pandas(letter: str, inputs: Inputs) -> int:
    """The pandas version of the same; of files made on the way nothing is counted."""
    found = importlib.import_module(f"benchmarks.datasets.{FOLDERS[letter]}").pandas_way(inputs, SCOPE)
    tables = (
        {name: found[name] for name in tables_of(letter) if name in found}
        if isinstance(found, dict)
        else {"": found}
    )
    return sum(map(len, tables.values()))


def alone(way: Way, folder: Path, letter: str) -> Figure:
    """In a process of its own, for its own peak of memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, way, folder, letter).result()


def _measured(way: Way, folder: Path, letter: str) -> Figure:
    # what another dataset makes is not in the world, nor built on here
    names = {name for table in tables_of(letter) for name in DATASETS[table].reads}
    small = {name: frame for name, frame in frames(*SMALL).items() if name in names}
    way(letter, _shaped_for(way, small))
    large = {name: pl.read_parquet(folder / f"{name}.parquet") for name in small}
    inputs = _shaped_for(way, large)
    began = perf_counter()
    rows_out = way(letter, inputs)
    seconds = perf_counter() - began
    rows_in = sum(len(frame) for frame in inputs.values())
    return Figure(letter, way.__name__, seconds, rows_in, rows_out, peak_memory() // MIB)


def _shaped_for(way: Way, inputs: dict[str, pl.DataFrame]) -> Inputs:
    return dict(inputs) if way is product else {name: _as_pandas(frame) for name, frame in inputs.items()}


def _as_pandas(frame: pl.DataFrame):
    """As a data scientist reads it: money as doubles, which is what makes pandas fast."""
    return frame.with_columns(pl.selectors.decimal().cast(pl.Float64)).to_pandas()
