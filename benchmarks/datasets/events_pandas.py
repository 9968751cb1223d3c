"""F1, F2 and a funnel of visitors in pandas: the logic of dataset F as a data scientist would write it.

Belongs here: vectorised groupby, merge and shift on sorted rows; money as doubles. Left out: reading, contracts,
checks, F3; seconds between steps are columns instead of a list.
"""

from __future__ import annotations

from hashlib import md5

import numpy as np
import pandas as pd

from cdp_assets.datasets.events import vocabulary as words
from cdp_assets.datasets.events.funnels import DEFAULTS
from cdp_assets.datasets.events.summaries import COUNTS, ENGAGED_SECONDS, ENGAGED_VIEWS
from cdp_assets.datasets.model import Scope
from cdp_assets.vocabulary.bots import is_bot
from cdp_assets.vocabulary.event_types import event_type

FUNNEL = DEFAULTS[1]


def pandas_way(frames: dict[str, pd.DataFrame], scope: Scope) -> dict[str, pd.DataFrame]:
    """Events with all columns of F1, sessions with all of F2, members of `FUNNEL`."""
    events = _described(_stitched(frames["events"]), scope)
    told, repeats = _told(events[~events["is_imported"]])
    told, starts = _numbered(told, scope)
    starts["bot_reason"] = _bots(told, len(starts))
    starts["is_bot"] = starts["bot_reason"].notna()
    starts["is_quarantined"] = np.bincount(told["session_no"], minlength=len(starts)) > words.MOST_EVENTS
    told = told.join(starts, on="session_no")
    told["time_since_session_start"] = (told["event_at"] - told["session_start"]).dt.total_seconds()
    enriched = pd.concat(
        [told, _of_sessions(told, repeats), events[events["is_imported"]]], ignore_index=True
    )
    flags = ["is_bot", "is_quarantined"]
    enriched[flags] = enriched[flags].astype("boolean").fillna(False).astype(bool)
    counted = told[~told["is_bot"] & ~told["is_quarantined"]]
    return {
        "events": enriched,
        "sessions": _sessions(told, starts, scope),
        "members": _members(counted, scope),
    }


def _stitched(events: pd.DataFrame) -> pd.DataFrame:
    is_known = events["customer_id"] != "unknown"
    known = events.loc[is_known, ["visitor_id", "customer_id", "event_at"]].sort_values(
        ["event_at", "customer_id"]
    )
    devices = known.groupby("visitor_id")["customer_id"].agg(["last", "nunique"])
    customers = events["visitor_id"].map(devices["nunique"]).fillna(0)
    last = events["visitor_id"].map(devices["last"])
    owner = events["customer_id"].where(is_known, last.where(customers <= words.SHARED))
    method = np.select(
        [is_known, customers > words.SHARED, customers > 0], ["known", "shared", "visitor"], "none"
    )
    nobody = ("visitor:" + events["visitor_id"]).fillna("event:" + events["event_id"])
    return events.assign(stitched_customer_id=owner, stitch_method=method, visitor_key=owner.fillna(nobody))


def _described(events: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    names = {name: event_type(name) for name in events["source_event_type"].unique()}
    kind = events["source_event_type"].map(names)
    local = events["event_at"].dt.tz_convert(scope.timezone).dt.tz_localize(None)
    return events.assign(
        event_type=kind.fillna(events["source_event_type"]),
        is_known_type=kind.notna(),
        is_conversion=kind == "purchase",
        event_on=local.dt.normalize(),
        event_hour=local.dt.hour,
        event_day=(local.dt.dayofweek + 1) % 7,
        lateness_s=(events["received_at"] - events["event_at"]).dt.total_seconds(),
        is_duplicate=False,
    )


def _told(events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tracked events in order, and those among them that repeat another."""
    events = events.sort_values(["visitor_key", "event_at", "event_id"], ignore_index=True)
    acts = events.groupby(["visitor_key", "event_type", "article_id"], sort=False, dropna=False)
    order = events["order_number"]
    other = acts["order_number"].shift()
    same_order = order.isna() | other.isna() | (order == other)
    events["is_duplicate"] = (acts["event_at"].diff() <= words.REPEAT) & same_order
    return events[~events["is_duplicate"]].copy(), events[events["is_duplicate"]]


def _numbered(told: pd.DataFrame, scope: Scope) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events with the number of their session; id and start of each session."""
    gap = told["event_at"].diff()
    is_other = told["visitor_key"] != told["visitor_key"].shift()
    new = is_other | (gap > words.GAP)
    while True:
        number = new.cumsum() - 1
        over = told["event_at"] - told.groupby(number)["event_at"].transform("first") > words.LONGEST
        if not over.any():
            break
        new |= over & ~over.groupby(number).shift(fill_value=False)
    told["session_no"] = number
    told["event_index"] = told.groupby("session_no").cumcount() + 1
    told["gap_s"] = gap.dt.total_seconds().mask(is_other)
    heads = told.loc[new, ["visitor_key", "event_id", "event_at"]]
    ids = [
        md5(f"{scope.tenant_id}\0{visitor}\0{first}".encode(), usedforsecurity=False).hexdigest()
        for visitor, first in zip(heads["visitor_key"], heads["event_id"], strict=True)
    ]
    return told, pd.DataFrame({"session_id": ids, "session_start": heads["event_at"].to_numpy()})


def _bots(told: pd.DataFrame, sessions: int) -> pd.Series:
    browsers = pd.Series(told["browser"].dropna().unique())
    names = told["browser"].isin(browsers[browsers.map(is_bot)])
    sixty_before = told.groupby("visitor_key", sort=False)["event_at"].shift(words.BOT_EVENTS_PER_MINUTE)
    fast = told["event_at"] - sixty_before < pd.Timedelta(minutes=1)
    days = told.groupby(["visitor_key", "event_on"], sort=False)["event_type"]
    busy = days.transform("size") > words.BOT_VIEWS_PER_DAY
    if busy.any():
        of_day = told[busy].groupby(["visitor_key", "event_on"], sort=False)["event_type"]
        views = of_day.transform(lambda kinds: (kinds == "view").sum())
        carts = of_day.transform(lambda kinds: (kinds == "add_to_cart").sum())
        busy &= ((views > words.BOT_VIEWS_PER_DAY) & (carts == 0)).reindex(told.index, fill_value=False)
    gaps = (
        told["gap_s"].where(told["event_index"] > 1).groupby(told["session_no"]).agg(["min", "max", "count"])
    )
    spread = words.BOT_REGULAR_SPREAD.total_seconds()
    regular = (gaps["count"] + 1 >= words.BOT_REGULAR_EVENTS) & (gaps["max"] - gaps["min"] < spread - 1e-9)
    reason = pd.Series(None, index=range(sessions), dtype="str")
    rules = {
        "regular_gaps": regular[regular].index, "views_without_cart": told.loc[busy, "session_no"].unique(),
        "too_fast": told.loc[fast, "session_no"].unique(), "user_agent": told.loc[names, "session_no"].unique(),
    }  # fmt: skip
    for name, condemned in rules.items():
        reason[condemned] = name
    return reason


def _of_sessions(told: pd.DataFrame, repeats: pd.DataFrame) -> pd.DataFrame:
    """Repeats with the session of the told event before them."""
    known = ["session_no", "session_id", "session_start", "bot_reason", "is_bot", "is_quarantined"]
    before = told.index[np.searchsorted(told.index, repeats.index) - 1]
    found = repeats.assign(**{name: told.loc[before, name].array for name in known})
    since = (found["event_at"] - found["session_start"]).dt.total_seconds()
    return found.assign(time_since_session_start=since)


def _sessions(told: pd.DataFrame, starts: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    kind, at = told["event_type"], told["event_at"]
    stage = kind.map({name: place for place, name in enumerate(words.STAGES)})
    rows = told.assign(
        buy_at=at.where(kind == "purchase"), cart_at=at.where(kind == "add_to_cart"), stage=stage
    )
    grouped = rows.groupby("session_no", sort=False)
    sessions = grouped.agg(
        visitor_key=("visitor_key", "first"), customer_id=("stitched_customer_id", "first"),
        started_on=("event_on", "first"), first_event=("event_at", "first"), last_event=("event_at", "last"),
        events=("event_id", "size"), articles=("article_id", "nunique"), stage=("stage", "max"),
        first_buy=("buy_at", "min"), last_buy=("buy_at", "max"), last_cart=("cart_at", "max"),
        landing_page=("page", "first"), exit_page=("page", "last"), utm_source=("utm_source", "first"),
        campaign_id=("campaign_id", "first"), device_type=("device_type", "first"),
    )  # fmt: skip
    counts = pd.crosstab(told["session_no"], kind)
    for column, name in COUNTS.items():
        sessions[column] = counts.get(name, 0)
    orders = told[(kind == "purchase") & told["order_number"].notna()]
    orders = orders.assign(value=orders["order_value"].where(orders["currency"] == scope.currency))
    worth = orders.groupby(["session_no", "order_number"], sort=False)["value"].first().groupby("session_no")
    sessions["orders"], sessions["revenue"] = worth.size(), worth.sum()
    sessions[["orders", "revenue"]] = sessions[["orders", "revenue"]].fillna(0)
    duration = (sessions["last_event"] - sessions["first_event"]).dt.total_seconds()
    converted = sessions["buys"] > 0
    left = ~(sessions["last_buy"] >= sessions["last_cart"]) & (sessions["carts"] > sessions["removes"])
    return sessions.assign(
        customer_id=sessions["customer_id"].fillna("unknown"),
        session_index=sessions.groupby("visitor_key", sort=False).cumcount() + 1,
        duration_s=duration,
        funnel_stage=sessions["stage"].map(dict(enumerate(words.STAGES))),
        converted=converted,
        time_to_convert=(sessions["first_buy"] - sessions["first_event"]).dt.total_seconds(),
        bounce=sessions["events"] == 1,
        engaged=(sessions["views"] >= ENGAGED_VIEWS) | (duration >= ENGAGED_SECONDS) | converted,
        cart_abandoned=left,
    ).join(starts)


def _members(told: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """For each look the next cart and the next purchase after that, by position; of a day's looks the best."""
    rows = told[told["event_type"].isin(FUNNEL.steps)].reset_index(drop=True)
    place = pd.Series(rows.index, dtype="float64")
    following = {
        step: place.where(rows["event_type"] == step).groupby(rows["visitor_key"], sort=False).bfill()
        for step in FUNNEL.steps[1:]
    }
    wanted = ["visitor_key", "stitched_customer_id", "event_id", "event_at", "event_on"]
    looks = rows.loc[rows["event_type"] == FUNNEL.steps[0], wanted]
    deadline, before = looks["event_at"] + FUNNEL.window, looks["event_at"]
    here = pd.Series(looks.index, looks.index, dtype="float64")
    looks["reached"] = 1
    for number, step in enumerate(FUNNEL.steps[1:], start=1):
        here = here.map(following[step])
        at = here.map(rows["event_at"])
        here, at = here.where(at <= deadline), at.where(at <= deadline)
        looks["reached"] += here.notna()
        looks[f"seconds_{number}"], before = (at - before).dt.total_seconds(), at
    can_go_on = (looks["reached"] < len(FUNNEL.steps)) & (deadline >= pd.Timestamp(scope.until))
    looks["open_until"] = deadline.where(can_go_on)
    member = ["visitor_key", "event_on"]
    open_until = looks.groupby(member, sort=False)["open_until"].max().rename("open_until")
    best = looks.drop(columns="open_until").sort_values("reached", ascending=False, kind="stable")
    found = best.drop_duplicates(member).join(open_until, on=member)
    is_done = found["reached"] == len(FUNNEL.steps)
    state = np.select([is_done, found["open_until"].notna()], ["completed", "open"], "dropped")
    return found.assign(state=state, open_until=found["open_until"].mask(is_done))
