"""No contact data, name, address or id of a source reaches a text: canaries in every column and every attribute.

The columns and attributes that texts are made of stand in `COLUMNS` and `ATTRIBUTES`: one that is added to a template
must be added there, by a person who has thought about it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from cdp_assets.demo import SECRET_MARKER, leo_documents, tenant_at
from cdp_assets.demo.keys import friendly_id
from cdp_assets.embedding.entities import ENTITIES
from cdp_assets.sources.model import CONVERSION, FEEDBACK, PRODUCT_ITEM, PROFILE
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.tenants import Tenant
from tests.landing_support import MemorySource, land, open_rejects
from tests.rows import Conn, insert

COLUMNS = {
    "cdp.customer_profile": {
        *(
            "job_titles",
            "data_labels",
            "content_keywords",
            "product_keywords",
            "media_channels",
            "funnel_stage",
        ),
        *("age_group", "city", "country", "language"),
    },
    "cdp.product_item": {"title", "description", "category", "brand", "keywords"},
    "cdp.transactional_context": {"txn_type"},
    "cdp.feedback": {"comment"},
    "activation.marketing_event": {"name", "description", "event_type"},
}
"""Per source table: the columns whose words may stand in a text. `gender` may too, as one of two fixed words."""

FIXED = {
    "tenant_id": "acme",
    "status": "active",
    "channel": "email",
    "root_profile_id": "key",
    "cdp_profile_id": "key",
    "product_key": "key",
}
"""Columns that must say this for the row to have a text."""


def word(name: str) -> str:
    """A word that stands for a column or an attribute and for nothing else; short, since 21 letters are an id."""
    letters = "".join(chr(ord("a") + byte % 26) for byte in sha256(name.encode()).digest()[:10])
    return f"zq{letters}"


def contacts(name: str) -> list[str]:
    """What must never pass, different for each name."""
    digits = f"{int.from_bytes(sha256(name.encode()).digest()[:4]) % 1_000_000:06}"
    return [
        f"{word(name)}.mail@mail.example.com",
        f"090-1{digits[:2]}.{digits[2:]}",
        f"+84 (0)91 1{digits[:2]} {digits[2:]}",
        f"079203{digits}",
        friendly_id("canary", name),
        f"https://example.com/{word(name)}/link",
    ]


def with_contacts(name: str) -> str:
    return f"{word(name)} " + " ; ".join(contacts(name))


def text_columns(conn: Conn, relation: str) -> dict[str, str]:
    """Column -> type of each column that can hold a canary."""
    found = conn.execute(
        "select attname, atttypid::regtype::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 "
        "and not attisdropped and attgenerated = '' and atttypid in ('text'::regtype, 'text[]'::regtype, "
        "'jsonb'::regtype)",
        (relation,),
    ).fetchall()
    return {name: type_ for name, type_ in found if name not in FIXED}


def plant(conn: Conn, canary: Any) -> dict[str, dict[str, str]]:
    """One row per source table with `canary(column)` in each column that can hold it; the columns by table."""
    planted = {relation: text_columns(conn, relation) for relation in COLUMNS}
    for relation, columns in planted.items():
        values: dict[str, Any] = {
            name: {"text[]": [canary(name)], "jsonb": Jsonb({name: canary(name)})}.get(type_, canary(name))
            for name, type_ in columns.items()
        }
        fixed = {name: value for name, value in FIXED.items() if name in all_columns(conn, relation)}
        if relation == "activation.marketing_event":
            fixed["status"] = "planned"
        insert(conn, relation, **values, **fixed)
    return planted


def all_columns(conn: Conn, relation: str) -> set[str]:
    found = conn.execute("select attname from pg_attribute where attrelid = to_regclass(%s)", (relation,))
    return {name for (name,) in found}


def texts(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Entity -> all its texts in one, of the tenant acme; inside a transaction."""
    conn.execute("select set_config('app.tenant_id', 'acme', true)")
    return {
        entity: "\n".join(
            row[0] for row in conn.execute("select content from embedding.texts(%s, null)", (entity,))
        )
        for entity in ENTITIES
    }


@pytest.fixture
def owner(owner_dsn: str) -> Iterator[Conn]:
    """A superuser's connection, which no policy keeps from planting rows."""
    with psycopg.connect(owner_dsn) as conn:
        yield conn


def test_only_the_listed_columns_reach_a_text(owner: Conn) -> None:
    planted = plant(owner, word)
    found = texts(owner)
    assert all(found.values()), found
    for relation, columns in planted.items():
        # a transaction speaks of its product; apart from that a table's columns are its own entity's
        said = "\n".join(found.values())
        others = {name for other, allowed in COLUMNS.items() if other != relation for name in allowed}
        passed = {name for name in columns if word(name) in said}
        assert passed - (others - COLUMNS[relation]) == COLUMNS[relation], relation


def test_contact_data_in_any_column_reaches_no_text(owner: Conn) -> None:
    planted = plant(owner, with_contacts)
    found = "\n".join(texts(owner).values())
    assert word("comment") in found
    assert "@" not in found
    assert not re.search(r"[0-9]{5}", found)
    for columns in planted.values():
        for name in columns:
            for contact in contacts(name):
                assert contact not in found
            assert f"{word(name)}/link" not in found
            assert friendly_id("canary", name) not in found


def test_a_house_number_keeps_a_place_out_and_orientation_is_never_said(owner: Conn) -> None:
    base = {"tenant_id": "acme", "status": "active", "language": "vi"}
    for key, place in {"a": "89 Lý Thường Kiệt, Quận 1", "b": "Huế"}.items():
        insert(owner, "cdp.customer_profile", **base, cdp_profile_id=key, root_profile_id=key, city=place,
               gender={"a": "lesbian", "b": "female"}[key])  # fmt: skip
    assert set(texts(owner)["profile"].splitlines()) == {
        "language: vi",
        "gender: female. city: Huế. language: vi",
    }


# -- through landing ---------------------------------------------------------------------------------------------------

ATTRIBUTES = {
    PROFILE: {
        *("jobTitles", "dataLabels", "contentKeywords", "productKeywords", "mediaChannels", "funnelStage"),
        *("livingCity", "livingCountry", "primaryLanguage"),
    },
    PRODUCT_ITEM: {"title", "description", "categoryName", "brand", "keywords"},
    CONVERSION: {"eventMetricId"},
    FEEDBACK: {"comment"},
}
"""Per collection: the attributes of LEO's documents whose words may stand in a text."""

STRUCTURE = {
    *("_key", "_id", "_rev", "_from", "_to", "feedbackType", "priceCurrency", "currencyCode", "currency"),
    *("refProfileId", "rootProfileId", "refProductItemId", "age", "profileExtId"),
}
"""Attributes without which the document would not land, or not belong to its profile."""


def replaced(value: Any, name: str, canary: Any) -> Any:
    """The value of an attribute with a canary in place of each text, except instants; lists get one at least."""
    if isinstance(value, dict):
        return {key: replaced(inner, f"{name}.{key}", canary) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, name, canary) for inner in value] or [canary(name)]
    if (
        isinstance(value, str)
        and not re.match(r"\d{4}-\d\d-\d\dT", value)
        and name.rsplit(".", maxsplit=1)[-1] not in STRUCTURE
    ):
        return canary(name)[:35] if "anguage" in name else canary(name)  # all that the contract lets pass
    return value


def planted_documents(canary: Any) -> dict[str, list[dict[str, Any]]]:
    """One conversion of the demo world with its profile and product, and a review of that profile, all canaries."""
    tenant = tenant_at("acme-demo", size="tiny")
    faulty = {defect.key for defect in tenant.defects}
    good = {
        name: {document["_key"]: document for document in documents if document["_key"] not in faulty}
        for name, documents in leo_documents(tenant).items()
    }
    edge, owner, product = next(
        (edge, good[PROFILE][owner], good[PRODUCT_ITEM][product])
        for edge in good[CONVERSION].values()
        if (owner := edge["_from"].partition("/")[2]) in good[PROFILE]
        and (product := edge["_to"].partition("/")[2]) in good[PRODUCT_ITEM]
        and good[PROFILE][owner]["status"] == 1
    )
    review = {**next(iter(good[FEEDBACK].values())), "refProfileId": owner["_key"]}
    chosen = {
        PROFILE: {**owner, "mediaChannels": ["zalo"]},
        PRODUCT_ITEM: product,
        CONVERSION: edge,
        FEEDBACK: review,
    }
    return {
        collection: [{key: replaced(value, key, canary) for key, value in copy.deepcopy(document).items()}]
        for collection, document in chosen.items()
    }


def landed_texts(warehouse: Warehouse, documents: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    land(warehouse, "acme", MemorySource(documents))
    with warehouse.tenant("acme") as conn:
        return texts(conn)


def test_only_the_listed_attributes_of_leo_reach_a_text(warehouse: Warehouse, acme: Tenant) -> None:
    documents = planted_documents(word)
    found = landed_texts(warehouse, documents)
    said = "\n".join(found.values())
    for collection, [document] in documents.items():
        names = set(re.findall(r"zq[a-z]{10}", json.dumps(document)))
        allowed = {word(name) for name in ATTRIBUTES[collection]}
        assert allowed <= names, [name for name in ATTRIBUTES[collection] if word(name) not in names]
        elsewhere = {
            word(name) for other, listed in ATTRIBUTES.items() if other != collection for name in listed
        }
        assert {name for name in names if name in said} - (elsewhere - allowed) == allowed, collection


def test_contact_data_in_any_attribute_of_leo_reaches_no_text(warehouse: Warehouse, acme: Tenant) -> None:
    found = "\n".join(landed_texts(warehouse, planted_documents(with_contacts)).values())
    assert word("comment") in found
    assert word("title") in found
    assert "@" not in found
    assert not re.search(r"[0-9]{5}|[A-Za-z0-9]{21}[A-Za-z0-9]*[0-9]|/link", found)


def test_no_person_of_the_demo_world_can_be_told_from_a_text(warehouse: Warehouse, acme: Tenant) -> None:
    world = leo_documents(tenant_at("acme-demo", size="tiny"))
    found = "\n".join(landed_texts(warehouse, world).values())
    assert len(found) > 10_000
    secrets: set[str] = {SECRET_MARKER}
    for document in world[PROFILE]:
        secrets.update(
            str(document.get(name) or "")
            for name in (
                "_key",
                "primaryEmail",
                "primaryPhone",
                "visitorId",
                "fingerprintId",
                "livingLocation",
                "crmRefId",
            )
        )
        secrets.add(
            " ".join(str(document.get(name) or "") for name in ("lastName", "middleName", "firstName"))
        )
    for collection in (PRODUCT_ITEM, CONVERSION, FEEDBACK):
        secrets.update(str(document["_key"]) for document in world[collection])
    told = {secret for secret in secrets if len(secret.strip()) > 5 and secret in found}
    assert told == set()
    assert open_rejects(warehouse, "acme"), "the demo world plants documents that do not land"
