"""The options of a tenant's registration, `ops.tenant.options`: one typed model for whatever reads them.

Belongs here: names, meaning, defaults and the check of each option; the digest by which marts and datasets know that
one has changed. Does not belong here: where they are stored (`tenants`), settings of the installation (`settings`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from cdp_assets.vocabulary.event_types import EVENT_TYPES, event_type
from cdp_assets.zones import zone_name

DEFAULT_CURRENCY = "USD"
"""What an amount without a currency is in where the tenant has not said; the models of dbt say the same."""

LOADING = {"max_delete_share", "segments"}
"""Options that steer loads and are in no value that is made of what was loaded."""


_NOT_STORED = re.compile("\\\\u0000|[\ud800-\udfff]")
"""NUL, as JSON writes it, and halves of characters."""

_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80


def _shown(value: object) -> str:
    """A value for an error message, on one line and not longer than that."""
    return _repr.repr(value)


class OptionError(Exception):
    """Options that cannot be used. The message names each, what is wrong and what is allowed.

    Attributes:
        names: the options concerned.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.names = tuple(problems)
        super().__init__(
            "; ".join(f"option {name}: {text}" if name else text for name, text in problems.items())
        )


def instant(text: object) -> datetime:
    """An ISO-8601 time with its zone, as UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"{_shown(text)} is not an ISO-8601 time with its zone, such as 2026-06-30T00:00:00+00:00"
    )


@cache
def _currencies() -> frozenset[str]:
    """Codes of what is, or was since 1999, legal tender somewhere."""
    from babel.core import get_global
    from babel.numbers import get_territory_currencies

    return frozenset(
        code
        for territory in get_global("territory_currencies")
        for code in get_territory_currencies(territory, date(1999, 1, 1), date.today())  # noqa: DTZ011
    )


def _currency(given: object) -> str:
    code = given.strip().upper() if isinstance(given, str) else ""
    if code not in _currencies():
        raise ValueError(
            f"{_shown(given)} is not a currency of ISO 4217, three letters such as VND{_meant(given, 'currencies')}"
        )
    return code


def _region(given: object) -> str:
    from phonenumbers import SUPPORTED_REGIONS

    code = given.strip().upper() if isinstance(given, str) else ""
    code = {"UK": "GB", "EL": "GR"}.get(code, code)  # what the European Union writes for these two
    if code not in SUPPORTED_REGIONS:
        raise ValueError(
            f"{_shown(given)} is not a country of ISO 3166, two letters such as VN{_meant(given, 'territories')}"
        )
    return code


def _meant(given: object, kind: Literal["currencies", "territories"]) -> str:
    """The code of the currency or country that a person has named in words, as the end of a message."""
    if not isinstance(given, str):
        return ""
    from babel import Locale

    codes = {name.casefold(): code for code, name in getattr(Locale("en"), kind).items()}
    close = get_close_matches(given.strip().casefold(), codes, n=1, cutoff=0.75)
    return f"; {given.strip()} is {codes[close[0]]}" if close else ""


def _share(given: object) -> float:
    try:
        share = (
            float(given) if isinstance(given, int | float | str) and not isinstance(given, bool) else math.nan
        )
    except (ValueError, OverflowError):
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(f"{_shown(given)} is not a share from 0 to 1; 20 % is 0.2")
    return share


def _ids(given: object) -> object:
    if not isinstance(given, list) or not all(isinstance(each, str) and each.strip() for each in given):
        raise ValueError(f'{_shown(given)} is not a list of ids, such as ["5rZ1kfX", "2mQ8"]')
    return tuple(dict.fromkeys(each.strip() for each in given))


def _place(given: object) -> str:
    text = given.strip() if isinstance(given, str) else None
    if text is None or not (text == "" or "://" in text or Path(text).is_absolute()):
        raise ValueError(
            f"{_shown(given)} is neither an absolute folder, such as /data/images, nor an address such as s3://bucket/images"
        )
    return text


def _event_type(name: str) -> str:
    if name not in EVENT_TYPES:
        meant = event_type(name)
        hint = f" (take {meant!r})" if meant else f": they are {', '.join(EVENT_TYPES)}"
        raise ValueError(f"{_shown(name)} is no event type{hint}")
    return name


Step = Annotated[str, AfterValidator(_event_type)]
Instant = Annotated[datetime, BeforeValidator(instant), PlainSerializer(datetime.isoformat, return_type=str)]
MINUTES_OF_TEN_YEARS = 10 * 366 * 24 * 60


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FunnelOption(_Strict):
    """One funnel of dataset F.

    Attributes:
        steps: canonical event types; a type may come twice, and then needs two events.
        window_minutes: from an entry to its last step, both ends included.
        order: `ordered`: each step after the one before, anything between. `strict`: nothing between. `any`: all
            steps in whatever order; whichever comes first is the entry.
        excluded: types that end an attempt.
        count_by: who enters: a session or a visitor.
    """

    funnel_id: Annotated[str, Field(min_length=1, max_length=100)]
    steps: Annotated[tuple[Step, ...], Field(min_length=2)]
    window_minutes: Annotated[float, Field(strict=True, gt=0, le=MINUTES_OF_TEN_YEARS)]
    order: Literal["ordered", "strict", "any"] = "ordered"
    excluded: tuple[Step, ...] = ()
    count_by: Literal["session", "visitor"] = "session"

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        if set(self.steps) & set(self.excluded):
            raise ValueError("a step cannot be excluded")
        return self


class TenantOptions(_Strict):
    """What a registration says beside its sources. What it leaves out has its default.

    Attributes:
        default_currency: of amounts without one, in both sources, and of the totals of marts and datasets. Unset:
            USD for amounts, and totals are in the currency of most purchases.
        default_region: country whose numbers are dialled without a country code, and whose holidays are kept.
        timezone: where the tenant's days begin. Unset: the zone of its shop, else UTC.
        max_delete_share: share of vanished keys above which nothing is deleted; None: the installation's.
        segments: ids of the segments that the hourly segment ETL runs.
        image_root: folder or address of the images of articles; blank: none.
        as_of: the time that stands for now; None: the clock.
        funnels: of dataset F; None: its own two.
    """

    default_currency: Annotated[str, BeforeValidator(_currency)] = DEFAULT_CURRENCY
    default_region: Annotated[str, BeforeValidator(_region)] = "VN"
    timezone: Annotated[str, BeforeValidator(zone_name)] = "UTC"
    max_delete_share: Annotated[float, BeforeValidator(_share)] | None = None
    segments: Annotated[tuple[str, ...], BeforeValidator(_ids)] = ()
    image_root: Annotated[str, BeforeValidator(_place)] = ""
    as_of: Instant | None = None
    funnels: tuple[FunnelOption, ...] | None = None

    @field_validator("funnels")
    @classmethod
    def _each_with_its_own_id(
        cls, funnels: tuple[FunnelOption, ...] | None
    ) -> tuple[FunnelOption, ...] | None:
        names = [funnel.funnel_id for funnel in funnels or ()]
        if len(set(names)) < len(names):
            raise ValueError(f"two funnels have one funnel_id in {', '.join(names)}: give each its own")
        return funnels

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> TenantOptions:
        """The options as JSON has them; what is null or blank counts as left out.

        Raises:
            OptionError: a name is unknown, or a value is not what its option allows. Names all of them.
        """
        if not isinstance(given, Mapping):
            raise OptionError({"": f"{_shown(given)} is not an object of names and values"})
        said = {name: value for name, value in given.items() if value is not None and value != ""}
        problems: dict[str, list[str]] = {
            name: ["holds a character that PostgreSQL cannot store"]
            for name, value in said.items()
            if _NOT_STORED.search(json.dumps(value, default=str, ensure_ascii=False))
        }
        try:
            options = cls.model_validate(said)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                problems.setdefault(str(found["loc"][0]), []).append(_problem(found, said))
        if problems:
            raise OptionError({name: "; ".join(texts) for name, texts in problems.items()})
        return options

    def stored(self) -> dict[str, Any]:
        """What the registration says, as JSON: `of` gives the same options again."""
        return self.model_dump(mode="json", exclude_unset=True)

    @property
    def digest(self) -> str:
        """16 characters that change with every option that is in a value of marts and datasets."""
        values = self.model_dump(mode="json", exclude=LOADING)
        return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


_WORDS = {
    "missing": "is missing",
    "tuple_type": "is not a list",
    "model_type": "is not an object",
    "string_type": "is not text",
    "string_unicode": "is not text",
    "float_type": "is not a number",
    "too_short": "are too few: at least 2 are needed",
    "greater_than": "is not more than 0",
    "less_than_equal": f"is more than {MINUTES_OF_TEN_YEARS}, ten years",
}


def _problem(found: ErrorDetails, said: Mapping[str, Any]) -> str:
    """One error of pydantic in the words of somebody who sets an option."""
    name, *place = found["loc"]
    cause = found.get("ctx", {}).get("error")
    if found["type"] == "extra_forbidden":
        known = TenantOptions if not place else FunnelOption
        return _unknown(str(found["loc"][-1]), list(known.model_fields), _where(said[str(name)], place[:-1]))
    text = str(cause) if cause is not None else _WORDS.get(found["type"], found["msg"].lower())
    if found["type"] == "literal_error":
        text = f"is none of {found['ctx']['expected']}"
    if cause is None and found["type"] != "missing":
        text = f"{_shown(found['input'])} {text}"
    return " ".join(filter(None, (_where(said.get(str(name)), place), text)))


def _where(value: Any, place: Sequence[int | str]) -> str:
    """`funnel 'purchase', window_minutes:` for the place of an error within the option `funnels`."""
    if not place:
        return ""
    number, *rest = place
    each = value[number] if isinstance(value, list) and isinstance(number, int) else None
    if not isinstance(each, dict):
        return f"number {number}:"
    shown = f"funnel {each['funnel_id']!r}" if "funnel_id" in each else f"funnel {number}"
    return ", ".join([shown, *map(str, rest)]) + ":"


def _unknown(name: str, known: Sequence[str], where: str) -> str:
    close = get_close_matches(re.sub(r"\W", "_", name.lower()), known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{where} {name!r} is unknown; {meant}known are {', '.join(known)}".strip()
