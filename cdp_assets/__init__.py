"""Dagster asset graph that keeps a customer-360 warehouse in exact step with LEO CDP and a shop database.

Belongs here: `defs`, the entry point that `workspace.yaml` and `dagster -m cdp_assets` load. It is looked up when asked
for: a command that needs no graph starts without Dagster, which takes 1.5 s to import.
"""


def __getattr__(name: str) -> object:
    if name != "defs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cdp_assets.definitions import defs

    return defs


def __dir__() -> list[str]:
    return sorted([*globals(), "defs"])
