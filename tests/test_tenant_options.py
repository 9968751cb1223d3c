"""Options of a tenant: refused at the door by name, folded where the meaning is clear, one tenant's concern alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.types.json import Jsonb

from cdp_assets.cli.tenants import tenants
from cdp_assets.sources.model import SourceRejected
from cdp_assets.sources.shop import ShopDatabase
from cdp_assets.warehouse.connection import Warehouse
from cdp_assets.warehouse.options import OptionError, TenantOptions
from cdp_assets.warehouse.tenants import (
    Tenant,
    TenantError,
    active_tenant,
    get_tenant,
    list_tenants,
    put_tenant,
    remove_tenant,
    set_status,
)

FUNNEL = {"funnel_id": "f", "steps": ["view", "purchase"], "window_minutes": 30}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"default_currency": "vnd"}, {"default_currency": "VND"}),
        ({"default_currency": " gbp "}, {"default_currency": "GBP"}),
        ({"default_region": "vn"}, {"default_region": "VN"}),
        ({"default_region": "UK"}, {"default_region": "GB"}),
        ({"timezone": "asia/ho_chi_minh"}, {"timezone": "Asia/Ho_Chi_Minh"}),
        ({"timezone": "utc"}, {"timezone": "UTC"}),
        ({"max_delete_share": 1}, {"max_delete_share": 1.0}),
        ({"max_delete_share": "0.25"}, {"max_delete_share": 0.25}),
        ({"segments": ["vip", " vip ", "new"]}, {"segments": ["vip", "new"]}),
        ({"as_of": "2026-06-30T07:00:00+07:00"}, {"as_of": "2026-06-30T00:00:00+00:00"}),
        ({"image_root": " s3://bucket/images "}, {"image_root": "s3://bucket/images"}),
        ({"funnels": []}, {"funnels": []}),
        ({"funnels": [FUNNEL]}, {"funnels": [FUNNEL]}),
        ({"default_currency": None, "as_of": ""}, {}),
    ],
)
def test_what_is_clearly_meant_is_stored_as_the_rule_spells_it(
    given: dict[str, Any], read: dict[str, Any]
) -> None:
    options = TenantOptions.of(given)
    assert options.stored() == read
    assert TenantOptions.of(options.stored()) == options


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"default_curency": "VND"}, "'default_curency' is unknown; did you mean default_currency?"),
        ({"Default-Region": "VN"}, "did you mean default_region?"),
        ({"max_deletes_share": 0.1}, "did you mean max_delete_share?"),
        ({"colour": "red"}, "'colour' is unknown; known are default_currency, "),
        (
            {"default_currency": "Euro"},
            "'Euro' is not a currency of ISO 4217, three letters such as VND; Euro is EUR",
        ),
        ({"default_currency": "XXX"}, "ISO 4217"),
        ({"default_currency": "ABC"}, "ISO 4217"),
        ({"default_currency": "₫"}, "ISO 4217"),
        ({"default_currency": 704}, "ISO 4217"),
        ({"default_region": "EN"}, "'EN' is not a country of ISO 3166"),
        ({"default_region": "Vietnam"}, "Vietnam is VN"),
        ({"default_region": ["VN"]}, "ISO 3166"),
        ({"default_region": "001"}, "ISO 3166"),
        ({"max_delete_share": 20}, "20 is not a share from 0 to 1; 20 % is 0.2"),
        ({"max_delete_share": "20%"}, "'20%' is not a share"),
        ({"max_delete_share": -0.1}, "share from 0 to 1"),
        ({"max_delete_share": True}, "share from 0 to 1"),
        ({"max_delete_share": float("nan")}, "share from 0 to 1"),
        ({"max_delete_share": 10**400}, "share from 0 to 1"),
        ({"as_of": 2026}, "2026 is not an ISO-8601 time with its zone"),
        ({"as_of": "2026-06-30"}, "with its zone"),
        ({"as_of": "2026-06-30T00:00:00"}, "with its zone"),
        ({"as_of": "0001-01-01T00:00:00+14:00"}, "with its zone"),
        ({"segments": "vip"}, "not a list of ids"),
        ({"segments": [7]}, "not a list of ids"),
        ({"segments": ["vip", " "]}, "not a list of ids"),
        ({"image_root": "images"}, "neither an absolute folder"),
        ({"image_root": "/images\x00"}, "holds a character that PostgreSQL cannot store"),
        ({"segments": ["\ud800"]}, "holds a character that PostgreSQL cannot store"),
        ({"image_root": 5}, "neither an absolute folder"),
        ({"timezone": "GMT+7"}, "likely Asia/Ho_Chi_Minh"),
        ({"timezone": "+5:30"}, "likely Asia/Kolkata"),
        ({"timezone": "New York"}, "likely America/New_York"),
        ({"timezone": 7}, "IANA"),
    ],
)
def test_what_an_option_does_not_allow_is_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as caught:
        TenantOptions.of(given)
    assert f"option {next(iter(given))}: " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("funnels", "says"),
    [
        ("purchase", "is not a list"),
        (5, "is not a list"),
        ({"f": FUNNEL}, "is not a list"),
        (["f"], "number 0: 'f' is not an object"),
        ([None], "number 0: None is not an object"),
        ([{**FUNNEL, "steps": "view"}], "funnel 'f', steps: 'view' is not a list"),
        ([{**FUNNEL, "steps": None}], "funnel 'f', steps"),
        ([{**FUNNEL, "steps": ["view", 1]}], "funnel 'f', steps, 1: 1 is not text"),
        ([{**FUNNEL, "steps": ["view", "buy"]}], "steps, 1: 'buy' is no event type (take 'purchase')"),
        (
            [{**FUNNEL, "excluded": ["mystery"]}],
            "excluded, 0: 'mystery' is no event type: they are view, click",
        ),
        ([{**FUNNEL, "steps": ["view"]}], "funnel 'f', steps: ['view'] are too few"),
        ([{**FUNNEL, "excluded": "search"}], "funnel 'f', excluded: 'search' is not a list"),
        ([{**FUNNEL, "excluded": ["view"]}], "funnel 'f': a step cannot be excluded"),
        ([{**FUNNEL, "window_minutes": 1e300}], "funnel 'f', window_minutes: 1e+300 is more than"),
        ([{**FUNNEL, "window_minutes": float("inf")}], "funnel 'f', window_minutes: inf is more than"),
        ([{**FUNNEL, "window_minutes": float("nan")}], "funnel 'f', window_minutes: nan"),
        ([{**FUNNEL, "window_minutes": 0}], "window_minutes: 0 is not more than 0"),
        ([{**FUNNEL, "window_minutes": "30"}], "window_minutes: '30' is not a number"),
        ([{**FUNNEL, "window_minutes": True}], "window_minutes: True is not a number"),
        ([{**FUNNEL, "order": "loose"}], "order: 'loose' is none of 'ordered', 'strict' or 'any'"),
        ([{**FUNNEL, "count_by": "article"}], "count_by: 'article' is none of 'session' or 'visitor'"),
        ([{**FUNNEL, "oder": "any"}], "funnel 'f': 'oder' is unknown; did you mean order?"),
        ([{"steps": ["view", "purchase"], "window_minutes": 1}], "funnel 0, funnel_id: is missing"),
        ([{**FUNNEL, "funnel_id": ""}], "funnel_id"),
        ([{**FUNNEL, "funnel_id": {"a": 1}}], "funnel_id: {'a': 1} is not text"),
        ([FUNNEL, FUNNEL], "two funnels have one funnel_id"),
    ],
)
def test_funnels_that_make_no_sense_are_refused_by_name(funnels: Any, says: str) -> None:
    with pytest.raises(OptionError, match="option funnels: ") as caught:
        TenantOptions.of({"funnels": funnels})
    assert says in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(OptionError) as caught:
        TenantOptions.of({"default_currency": "dong", "max_delete_share": 20, "colour": "red", "as_of": 1})
    assert set(caught.value.names) == {"default_currency", "max_delete_share", "colour", "as_of"}


@pytest.mark.parametrize(
    "change",
    [
        {"default_currency": "EUR"},
        {"default_region": "GB"},
        {"timezone": "Europe/London"},
        {"as_of": "2026-06-30T00:00:00Z"},
        {"image_root": "/images"},
        {"funnels": [FUNNEL]},
    ],
)
def test_the_digest_moves_with_every_option_that_is_in_a_value(change: dict[str, Any]) -> None:
    assert TenantOptions.of(change).digest != TenantOptions().digest


def test_the_digest_stays_when_only_loading_changes() -> None:
    assert TenantOptions.of({"max_delete_share": 0.9, "segments": ["vip"]}).digest == TenantOptions().digest
    assert TenantOptions.of({"default_currency": "usd"}).digest == TenantOptions().digest


# -- registrations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "zone", ["GMT+7", "UTC+7", "+07:00", "UTC+07:00", "gmt +0700", "Etc/GMT+77", "Hanoi", "localtime", 7]
)
def test_the_zone_of_a_shop_is_a_name_of_the_iana_list(warehouse: Warehouse, acme: Tenant, zone: Any) -> None:
    shop = {"dsn": "host=x dbname=y", "timezone": zone}
    with pytest.raises(TenantError, match="tenant 'acme': the time zone of its shop: "):
        put_tenant(warehouse, replace(acme, shop=shop), replace=True)
    with pytest.raises(SourceRejected, match="IANA"):
        ShopDatabase(shop, secret=lambda _: None)


def test_an_offset_is_answered_with_the_names_that_are_likely_meant(
    warehouse: Warehouse, acme: Tenant
) -> None:
    with pytest.raises(TenantError, match="likely Asia/Ho_Chi_Minh or Asia/Bangkok"):
        put_tenant(warehouse, replace(acme, shop={"dsn": "host=x", "timezone": "UTC+7"}), replace=True)


def test_a_zone_that_counts_to_the_west_is_taken_and_told(
    warehouse: Warehouse, acme: Tenant, run: Callable[..., tuple[int, str]]
) -> None:
    code, said = run("add", "acme", "--replace", "--option", "timezone=etc/gmt+7")
    assert (code, get_tenant(warehouse, "acme").timezone) == (0, "Etc/GMT+7")
    assert "acme: Etc/GMT+7 is 7 hours behind Greenwich" in said
    assert "Greenwich" not in run("add", "acme", "--replace", "--option", "timezone=Etc/GMT")[1]


def test_a_tenant_lives_by_its_own_zone_else_by_that_of_its_shop(acme: Tenant) -> None:
    shop = {"dsn": "host=x", "timezone": "asia/ho_chi_minh"}
    assert acme.timezone == "UTC"
    assert replace(acme, shop={"dsn": "host=x"}).timezone == "UTC"
    assert replace(acme, shop=shop).options.timezone == "Asia/Ho_Chi_Minh"
    assert replace(acme, shop=shop, given={"timezone": "Europe/London"}).timezone == "Europe/London"


def stored_with(dsn: str, **columns: dict[str, Any]) -> None:
    """Change the registration as an older release, or a hand, has left it."""
    with psycopg.connect(dsn) as conn:
        for name, value in columns.items():
            conn.execute(f"update ops.tenant set {name} = %s where tenant_id = 'acme'", (Jsonb(value),))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"options": {"default_currency": "Dong"}}, "tenant 'acme': option default_currency: 'Dong' is not"),
        ({"options": {"colour": "red"}}, "tenant 'acme': option colour: 'colour' is unknown"),
        ({"options": {"funnels": "x"}}, "tenant 'acme': option funnels: 'x' is not a list"),
        ({"options": ["default_currency"]}, "tenant 'acme': ['default_currency'] is not an object of names"),
        (
            {"shop": {"dsn": "host=x", "timezone": "GMT+7"}},
            "tenant 'acme': the time zone of its shop: 'GMT+7'",
        ),
    ],
)
def test_a_stored_fault_is_named_with_what_mends_it_and_stops_no_other_tenant(
    warehouse: Warehouse, acme: Tenant, pipeline_dsn: str, columns: dict[str, Any], says: str
) -> None:
    put_tenant(warehouse, replace(acme, tenant_id="lotus", given={"default_currency": "VND"}))
    stored_with(pipeline_dsn, **columns)
    faulty, sound = list_tenants(warehouse)
    assert sound.options.default_currency == "VND"
    with pytest.raises(TenantError) as caught:
        active_tenant(warehouse, "acme")
    assert str(caught.value).startswith(says)
    assert "`cdp tenants add acme --replace --" in str(caught.value)
    for ask in (lambda: faulty.options, lambda: faulty.timezone, faulty.now):
        with pytest.raises(TenantError):
            ask()
    assert active_tenant(warehouse, "lotus") == sound
    set_status(warehouse, "acme", "suspended")
    remove_tenant(warehouse, "acme")


def test_what_was_stored_before_the_rules_is_read_as_they_spell_it(
    warehouse: Warehouse, acme: Tenant, pipeline_dsn: str
) -> None:
    stored_with(pipeline_dsn, options={"default_currency": "vnd", "default_region": "UK", "as_of": None})
    options = active_tenant(warehouse, "acme").options
    assert (options.default_currency, options.default_region, options.as_of) == ("VND", "GB", None)


@pytest.fixture
def run(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """`cdp tenants` on the test's warehouse, without Dagster and without reading a source: exit code and output."""
    module = sys.modules["cdp_assets.cli.tenants"]
    monkeypatch.setattr(module, "open_warehouse", lambda: nullcontext(warehouse))
    monkeypatch.setattr(module, "_with_partitions", lambda change: None)
    monkeypatch.setattr(module, "_read", lambda *_: {})

    def called(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(tenants, words)
        return done.exit_code, " ".join(f"{done.output} {done.exception or ''}".split())

    return called


def test_one_option_is_changed_or_taken_back_and_the_rest_stays(
    warehouse: Warehouse, acme: Tenant, run: Callable[..., tuple[int, str]]
) -> None:
    put_tenant(warehouse, replace(acme, given={"default_region": "GB"}, shop={"dsn": "host=x"}), replace=True)
    change = ("add", "acme", "--replace")
    assert run(*change, "--option", "default_currency=gbp", "--shop-timezone", "europe/london")[0] == 0
    changed = get_tenant(warehouse, "acme")
    assert changed.given == {"default_region": "GB", "default_currency": "GBP"}
    assert changed.shop == {"dsn": "host=x", "timezone": "Europe/London"}
    assert run(*change, "--option", "default_region=null")[0] == 0
    kept = replace(changed, given={"default_currency": "GBP"})
    for wrong, says in (
        (("--option", "max_delete_share=20%"), "option max_delete_share: '20%' is not a share from 0 to 1"),
        (("--shop-timezone", "GMT+7"), "likely Asia/Ho_Chi_Minh"),
    ):
        code, said = run(*change, *wrong)
        assert code == 1
        assert says in said
    assert get_tenant(warehouse, "acme") == kept


def test_a_faulty_registration_can_be_listed_shown_and_mended(
    warehouse: Warehouse, acme: Tenant, pipeline_dsn: str, run: Callable[..., tuple[int, str]]
) -> None:
    put_tenant(warehouse, replace(acme, tenant_id="lotus"))
    stored_with(
        pipeline_dsn,
        options={"default_curency": "VND", "default_region": "VN"},
        shop={"dsn": "host=x", "timezone": "GMT+7"},
    )
    for asked in (("list",), ("show", "acme")):
        code, said = run(*asked)
        assert code == 0
        assert "did you mean default_currency?" in said
    change = ("add", "acme", "--replace", "--shop-timezone", "Asia/Ho_Chi_Minh")
    assert run(*change, "--option", "default_curency=null")[0] == 0
    assert active_tenant(warehouse, "acme").given == {"default_region": "VN"}
    stored_with(pipeline_dsn, options=["VND"])
    assert "is not an object of names and values" in run("show", "acme")[1]
    assert run(*change, "--option", "default_currency=VND")[0] == 0
    assert active_tenant(warehouse, "acme").given == {"default_currency": "VND"}


def test_options_are_checked_before_a_source_is_opened(
    tmp_path: Path, run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["cdp_assets.cli.tenants"], "_read", pytest.fail)
    code, said = run("add", "acme", "--dump", str(tmp_path), "--option", "default_curency=VND")
    assert code == 1
    assert "did you mean default_currency?" in said
