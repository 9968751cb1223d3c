"""Texts per second of a local model: the product's path against seed 000's loop, and against the machine's limit.

    python -m benchmarks.embedding                    # 1,000 texts, three rounds: about two minutes
    python -m benchmarks.embedding --texts 4000 --json figures.json

(a) is seed 000: sentence-transformers, batches of 64 in the order of arrival, vectors turned into lists. The product
sorts the 512 texts of a claim by length and hands them to the provider in batches of 64, as the worker does. (b), the
limit, is what the machine's matrix multiply reaches on the model's own shapes, for the FLOPs of the same texts. All
ways embed the same texts in turn, round after round; ratios are medians of rounds.
"""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from cdp_assets.demo.vocabulary import OPINIONS
from cdp_assets.embedding.providers import machine
from cdp_assets.embedding.providers.local import LocalProvider
from cdp_assets.embedding.providers.weights import bundled_weights
from cdp_assets.embedding.worker import CLAIM
from cdp_assets.settings import Settings

BATCH = 64
LAYERS, WIDTH, INNER = 6, 384, 1536
"""all-MiniLM-L6-v2."""

Way = Callable[[Sequence[str]], np.ndarray]


def texts(count: int) -> list[str]:
    """Profiles, products and reviews in Vietnamese and English, of 5 to 150 tokens, in no order."""
    dice = random.Random(20260301)
    words = [text for opinions in OPINIONS.values() for opinion in opinions for text in opinion[1:]]
    found = []
    for number in range(count):
        parts = dice.sample(words, dice.randint(2, 8))
        found.append(
            f"{', '.join(parts)}. city: {dice.choice(('Huế', 'Hà Nội', 'Đà Nẵng', 'Paris'))}, item {number}"
        )
    return found


def seed_loop(folder: Path) -> Way:
    """(a)."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")

    def run(batch: Sequence[str]) -> np.ndarray:
        rows: list[list[float]] = []
        for start in range(0, len(batch), BATCH):
            found = model.encode(
                list(batch[start : start + BATCH]),
                batch_size=BATCH,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            rows += found.tolist()
        return np.array(rows, np.float32)

    return run


def product(folder: Path, data_dir: Path, **settings: str) -> Way:
    """The provider, fed as the worker feeds it."""
    provider = LocalProvider(
        bundled_weights().spec, folder, Settings(data_dir=data_dir, _env_file=None, **settings)
    )

    def run(batch: Sequence[str]) -> np.ndarray:
        found = np.empty((len(batch), WIDTH), np.float32)
        for start in range(0, len(batch), CLAIM):
            order = sorted(range(start, min(start + CLAIM, len(batch))), key=lambda row: len(batch[row]))
            for part in range(0, len(order), BATCH):
                rows = order[part : part + BATCH]
                found[rows] = provider.embed([batch[row] for row in rows])
        return found

    return run


def tokens_of(folder: Path, batch: Sequence[str]) -> np.ndarray:
    """Length of each text in tokens, cut off where the model does."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return np.array([len(one) for one in tokenizer.encode_batch(list(batch))])


def flops(tokens: np.ndarray) -> float:
    """Multiply-adds, times two, of the matrices: 2 (4 h^2 + 2 h i) a token and layer, and 4 h n of attention."""
    return float(
        (LAYERS * tokens * (2 * (4 * WIDTH**2 + 2 * WIDTH * INNER) + 4 * WIDTH * tokens))
        .astype(np.float64)
        .sum()
    )


def limit(seconds: float = 1.0) -> float:
    """FLOP/s of float32 matrix multiply in the model's largest shape, 1,024 tokens at once, on all cores."""
    left = np.random.default_rng(1).random((1024, WIDTH), np.float32)
    right = np.random.default_rng(2).random((WIDTH, INNER), np.float32)
    out = left @ right
    done, began = 0, perf_counter()
    while perf_counter() - began < seconds:
        np.matmul(left, right, out=out)
        done += 1
    return 2 * left.size * INNER * done / (perf_counter() - began)


def fidelity(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Lowest cosine to the truth, and the mean share of the ten nearest neighbours that are the same."""

    def nearest(vectors: np.ndarray) -> np.ndarray:
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -2)
        return np.argpartition(-scores, 10, axis=1)[:, :10]

    shared = [
        len(set(ours) & set(theirs)) for ours, theirs in zip(nearest(found), nearest(truth), strict=True)
    ]
    return float((found * truth).sum(axis=1).min()), sum(shared) / len(shared) / 10


@click.command()
@click.option("--texts", "count", default=1_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
def main(count: int, rounds: int, json_file: Path | None) -> None:
    """Measure every way that this machine has, in turn."""
    console = Console(width=110)
    batch, folder = texts(count), bundled_weights().folder
    tokens = tokens_of(folder, batch)
    with TemporaryDirectory(prefix="cdp-bench-") as data:
        ways = {"(a) seed 000": seed_loop(folder), "product (onnx fp32)": product(folder, Path(data))}
        try:
            import openvino  # noqa: F401 - an optional extra
        except ImportError:
            console.print("openvino is left out: it is not installed", style="dim")
        else:
            ways["product (openvino fp32)"] = product(folder, Path(data), embed_backend="openvino")
            if machine.computes_bf16():
                ways["product (openvino bf16)"] = product(
                    folder, Path(data), embed_backend="openvino", embed_precision="reduced"
                )
            else:
                console.print("16 bits are left out: this processor does not compute in them", style="dim")
        vectors = {name: way(batch[:BATCH]) for name, way in ways.items()}  # opened, exported, warm
        taken: dict[str, list[float]] = {name: [] for name in ways}
        peaks = []
        for _ in range(rounds):
            peaks.append(limit())
            for name, way in ways.items():
                began = perf_counter()
                vectors[name] = way(batch)
                taken[name].append(perf_counter() - began)
    table = Table(
        title=f"{count:,} texts of {tokens.mean():.0f} tokens (5 % above {np.quantile(tokens, 0.95):.0f})"
    )
    for heading in ("way", "texts/s", "times (a)", "share of (b)", "lowest cosine", "neighbours@10"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    ideal = [flops(tokens) / peak for peak in peaks]
    figures = {}
    for name, seconds in taken.items():
        cosine, neighbours = fidelity(vectors[name], vectors["(a) seed 000"])
        times = statistics.median(a / own for a, own in zip(taken["(a) seed 000"], seconds, strict=True))
        share = statistics.median(best / own for best, own in zip(ideal, seconds, strict=True))
        figures[name] = {
            "texts_per_second": count / statistics.median(seconds), "times_seed": times, "share_of_limit": share,
            "lowest_cosine": cosine, "neighbours_at_10": neighbours,
        }  # fmt: skip
        table.add_row(
            name, f"{count / statistics.median(seconds):,.0f}", f"{times:.2f}", f"{share:.2f}", f"{cosine:.6f}",
            f"{neighbours:.3f}",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"(b): {statistics.median(peaks) / 1e9:,.0f} GFLOP/s, {count / statistics.median(ideal):,.0f} texts/s"
    )
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
