"""The states of the demo world that its tests compare: the largest tenant at steps 0 to 6, made once.

Documents are shared by the tests: read them, never change them.
"""

from __future__ import annotations

from functools import cache

from cdp_assets import demo
from cdp_assets.demo.advance import advance_tenant
from cdp_assets.demo.leo import Document
from cdp_assets.demo.tenant import TenantWorld

STEPS = 6
State = dict[str, dict[str, Document]]
"""Collection -> key -> document."""
Said = dict[str, set[tuple[str, str]]]
"""Change -> (collection, key) of the documents that it happened to."""


def as_state(tenant: TenantWorld) -> State:
    documents = demo.leo_documents(tenant)
    return {c: {document["_key"]: document for document in found} for c, found in documents.items()}


@cache
def history() -> tuple[list[State], dict[int, Said]]:
    """States of `acme-demo` by step, and what each step says it did."""
    tenant = demo.tenant_at("acme-demo", size="tiny")
    states: list[State] = [as_state(tenant)]
    said: dict[int, Said] = {}
    for step in range(1, STEPS + 1):
        advance_tenant(tenant)
        states.append(as_state(tenant))
        said[step] = {}
        for line in demo.change_log(tenant):
            said[step].setdefault(line["change"], set()).add((line["collection"], line["key"]))
    return states, said
