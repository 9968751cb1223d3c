"""When things run: jobs, schedules, sensors, and what people are told of runs.

Belongs here: `decisions` and `alerts` say what is due (pure), `state` reads what they need to know, the other modules
are thin Dagster around them. Does not belong here: what a run does (the stages).
"""

from __future__ import annotations

from cdp_assets.settings import get_settings


def starts_by_itself() -> bool:
    """Whether schedules and the change sensor are switched on in an instance that has never seen them.

    With a warehouse of its own (CDP_WAREHOUSE_DSN) an installation is there to be in step: what has to be switched on
    by hand is forgotten. On the embedded server, a laptop, nothing reads a source before somebody asks for it. Either
    way the switches in the user interface decide from then on.
    """
    return not get_settings().embedded
