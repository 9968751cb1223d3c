"""Measurements of the product against the way of seed 000 and against the server's own limit."""

import sys
from types import TracebackType


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A package that is compared with and not installed is one line; everything else is a traceback as ever."""
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("benchmarks"):
        sys.stderr.write(
            f"this benchmark needs the package {error.name}: benchmarks/README.md says how to install it\n"
        )
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _say
