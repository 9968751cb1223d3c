"""Dagster asset graph that keeps a customer-360 warehouse in exact step with LEO CDP and a shop database.

Belongs here: the lazy entry point that `workspace.yaml` and `dagster -m cdp_assets` load. Importing this package
or any submodule wires nothing: the graph is built in `definitions`, when Dagster asks for it.
"""

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """The whole graph with its default resources."""
    from cdp_assets.definitions import build_definitions

    return build_definitions()
