"""A folder that arangoexport wrote: `<collection>.jsonl` or `.json`, packed or not, and no description.

Belongs here: finding an export's files by their names. Does not belong here: reading them (`files`),
arangodump's folders (`folder`).
"""

from __future__ import annotations

import re
from pathlib import Path

from cdp_assets.sources.files import DataFiles, Form
from cdp_assets.sources.model import COLLECTIONS, SourceRejected

_NAME = re.compile(r"(?P<collection>\w+)\.(?P<type>jsonl|json|csv|xml|xgmml)(\.gz)?")
_FORMS: dict[str, Form] = {"jsonl": "exported", "json": "array"}


def find(folder: Path) -> dict[str, DataFiles]:
    """The collections exported to the folder; empty if it is no export of LEO CDP.

    Raises:
        SourceRejected: a collection was exported twice, or in a form that loses types.
    """
    found: dict[str, DataFiles] = {}
    unreadable: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        name = _NAME.fullmatch(file.name)
        if name is None or name["collection"] not in COLLECTIONS:
            continue
        collection = name["collection"]
        form = _FORMS.get(name["type"])
        if form is None:
            unreadable[collection] = file
        elif collection in found:
            raise SourceRejected(
                f"{folder} holds {collection} twice, as {found[collection].files[0].name} and {file.name}:"
                " remove the stale one"
            )
        else:
            found[collection] = DataFiles(collection, (file,), form)
    for collection, file in unreadable.items():
        if collection not in found:
            raise SourceRejected(
                f"{file} cannot be read: csv and xml lose the types of values, csv changes texts that begin"
                " with + - = @. Export again with arangoexport --type jsonl"
            )
    return found
