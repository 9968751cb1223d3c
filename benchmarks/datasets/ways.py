"""One way of one dataset, measured in a process of its own.

Belongs here: what is timed. Reading the frames is not: the figures are of the logic alone.
"""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import polars as pl

from benchmarks.datasets.world import SCOPE
from benchmarks.ways import peak_memory
from cdp_assets.datasets.catalog import DATASETS, tables_of
from cdp_assets.datasets.frames import FRAMES

FOLDERS = {"A": "interactions", "B": "articles", "C": "customers", "D": "timeseries", "E": "reviews"}
"""Letter -> module with the pandas version of all tables of the letter. F is in `benchmarks.datasets.events`."""

MIB = 2**20


@dataclass(frozen=True)
class Figure:
    """One way of one dataset."""

    dataset: str
    way: str
    seconds: float
    rows_in: int
    rows_out: int
    peak_mb: int


def read(folder: Path, names: set[str]) -> dict[str, pl.DataFrame]:
    """The inputs that were written for this run."""
    return {
        name: pl.read_parquet(folder / f"{name}.parquet")
        for name in sorted(names)
        if (folder / f"{name}.parquet").exists()
    }


def reads_of(letter: str) -> set[str]:
    """Inputs of all tables of a letter that come from outside."""
    return {
        name
        for table in tables_of(letter)
        for name in DATASETS[table].reads
        if not FRAMES[name].deps[0].startswith("datasets.")
    }


def ours(folder: Path, letter: str) -> Figure:
    """Every table of the letter that reads canonical frames, built one after the other."""
    inputs = read(folder, reads_of(letter))
    tables = [DATASETS[name] for name in tables_of(letter) if set(DATASETS[name].reads) <= set(inputs)]
    began, rows = perf_counter(), 0
    for dataset in tables:
        previous = {"previous": {}} if dataset.continues else {}
        rows += dataset.build(
            SCOPE, **{name: inputs[name] for name in dataset.reads}, **previous
        ).table.height
    seconds = perf_counter() - began
    return Figure(
        letter, "product", seconds, sum(frame.height for frame in inputs.values()), rows, peak_memory() // MIB
    )


def pandas(folder: Path, letter: str) -> Figure:
    """The pandas version of the same."""
    module = importlib.import_module(f"benchmarks.datasets.{FOLDERS[letter]}")
    inputs = {name: _as_pandas(frame) for name, frame in read(folder, reads_of(letter)).items()}
    rows_in = sum(len(frame) for frame in inputs.values())
    began = perf_counter()
    found = module.pandas_way(inputs, SCOPE)
    seconds = perf_counter() - began
    tables = list(found.values()) if isinstance(found, dict) else [found]
    return Figure(letter, "pandas", seconds, rows_in, sum(map(len, tables)), peak_memory() // MIB)


def _as_pandas(frame: pl.DataFrame):
    """As a data scientist reads it: money as doubles, which is what makes pandas fast."""
    return frame.with_columns(pl.selectors.decimal().cast(pl.Float64)).to_pandas()


def alone(way: Callable[[Path, str], Figure], folder: Path, letter: str) -> Figure:
    """In a process of its own, for its own peak of memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(way, folder, letter).result()
