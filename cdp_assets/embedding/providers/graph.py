"""An exported model at work: texts to tokens, tokens by length into batches, batches through the graph.

Belongs here: reading a graph's folder, ONNX Runtime, OpenVINO, batching. Needs neither torch nor transformers: a
process that finds the graph starts in a tenth of the time. Does not belong here: making the graph (`export`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from cdp_assets.embedding.providers import machine
from cdp_assets.embedding.providers.model import ProviderMisconfigured

GRAPH = "graph.onnx"
TOKENIZER = "tokenizer.json"
MANIFEST = "manifest.json"

MAX_ROWS = 32
TOKENS_PER_CORE = 512
"""Rows times padded length of one call, per core: 1.6 times as many texts per second as with 4,096, since what the
layers hand on stays in the core's own cache."""

Tokens = npt.NDArray[np.int64]
Session = Callable[[dict[str, Tokens]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the graph's folder says of it; written last, so a folder that has it is whole.

    Args:
        inputs: names of the graph's inputs.
        max_tokens: where a text is cut off.
        pad_id: token that fills up a row.
        sizes: bytes of each other file.
    """

    inputs: list[str]
    max_tokens: int
    pad_id: int
    sizes: dict[str, int]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a whole graph; None where there is none, or a file of it was cut short."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        whole = all((folder / name).stat().st_size == size for name, size in found.sizes.items())
    except (OSError, msgspec.DecodeError):
        return None
    return found if whole else None


class GraphEngine:
    """Embeds with an exported graph.

    Args:
        folder: the graph's folder.
        manifest: what it says.
        session: runs one batch.
        name: what runs it, for the log.
    """

    def __init__(self, folder: Path, manifest: Manifest, session: Session, name: str) -> None:
        from tokenizers import Tokenizer

        self.name = name
        self._manifest = manifest
        self._session = session
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(manifest.max_tokens)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        lengths = np.fromiter((len(one) for one in encodings), np.int64, len(encodings))
        parts: list[npt.NDArray[np.float32]] = []
        order = np.argsort(-lengths, kind="stable")
        for rows in batches(lengths[order], TOKENS_PER_CORE * machine.cores()):
            chosen = [encodings[row] for row in order[rows]]
            shape = (len(chosen), max(1, len(chosen[0])))
            ids = np.full(shape, self._manifest.pad_id, np.int64)
            mask = np.zeros(shape, np.int64)
            types = np.zeros(shape, np.int64)
            for row, encoding in enumerate(chosen):
                ids[row, : len(encoding)] = encoding.ids
                mask[row, : len(encoding)] = 1
                types[row, : len(encoding)] = encoding.type_ids
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            parts.append(self._session({name: given[name] for name in self._manifest.inputs}))
        found = np.concatenate(parts)
        back = np.empty_like(found)
        back[order] = found
        return back


def batches(lengths: npt.NDArray[np.int64], max_tokens: int) -> Iterator[slice]:
    """Cuts rows, longest first, into runs of at most MAX_ROWS rows and `max_tokens` padded tokens."""
    start = 0
    while start < len(lengths):
        rows = min(MAX_ROWS, max(1, max_tokens // max(1, int(lengths[start]))))
        yield slice(start, start + rows)
        start += rows


def onnx_session(folder: Path) -> Session:
    """The graph on ONNX Runtime, on all cores of this process.

    Raises:
        ProviderMisconfigured: the graph cannot be read.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine.cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(folder / GRAPH, options, providers=["CPUExecutionProvider"])
    except RuntimeError as error:
        raise _unreadable(folder) from error

    def run(inputs: dict[str, Tokens]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = session.run(None, inputs)[0]
        return found

    return run


def openvino_session(folder: Path, *, reduced: bool) -> Session:
    """The graph on OpenVINO, on all cores of this process, in float32 or bfloat16.

    Raises:
        ProviderMisconfigured: OpenVINO is not installed, or the graph cannot be read.
    """
    try:
        import openvino
    except ImportError as error:
        raise ProviderMisconfigured(
            'CDP_EMBED_BACKEND=openvino needs OpenVINO: pip install "cdp-assets[openvino]"'
        ) from error
    options = {
        # by default OpenVINO takes bfloat16 wherever the CPU has it
        "INFERENCE_PRECISION_HINT": "bf16" if reduced else "f32",
        "INFERENCE_NUM_THREADS": machine.cores(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        compiled = openvino.Core().compile_model(folder / GRAPH, "CPU", options)
    except RuntimeError as error:
        raise _unreadable(folder) from error

    def run(inputs: dict[str, Tokens]) -> npt.NDArray[np.float32]:
        return np.array(compiled(inputs)[0], np.float32)

    return run


def _unreadable(folder: Path) -> ProviderMisconfigured:
    return ProviderMisconfigured(f"the graph in {folder} cannot be read: remove the folder, it is made again")
