"""When an alert is due, and what it says: pure rules, so no run and no Dagster here."""

from __future__ import annotations

import pytest

from cdp_assets.automation import alerts


def test_a_long_row_of_failures_is_told_seven_times_a_day() -> None:
    told = [n for n in range(1, 97) if alerts.is_alert_due(n)]
    assert told == [1, 2, 4, 8, 16, 32, 64]


ALL, PRODUCTS, PROFILES = None, frozenset({"products"}), frozenset({"profiles"})


@pytest.mark.parametrize(
    ("assets", "earlier", "failures"),
    [
        pytest.param(ALL, [], 1, id="the first run ever"),
        pytest.param(
            ALL, [(False, ALL), (False, ALL), (True, ALL), (False, ALL)], 3, id="up to the last success"
        ),
        pytest.param(
            PROFILES, [(True, PRODUCTS), (False, PROFILES)], 2, id="the success of other assets ends no row"
        ),
        pytest.param(PROFILES, [(True, ALL), (False, PROFILES)], 1, id="the success of all assets does"),
        pytest.param(PROFILES, [(False, PRODUCTS)], 1, id="the failure of other assets is another row"),
        pytest.param(PROFILES, [(False, ALL)], 2, id="a failure of all may be one of these"),
    ],
)
def test_failures_are_counted_since_the_same_work_succeeded(
    assets: frozenset[str] | None, earlier: list[tuple[bool, frozenset[str] | None]], failures: int
) -> None:
    assert alerts.failures_in_a_row(assets, [alerts.Outcome(*each) for each in earlier]) == failures


@pytest.mark.parametrize(
    ("assets", "earlier", "recovers"),
    [
        pytest.param(ALL, [], False, id="the first run ever"),
        pytest.param(ALL, [(True, ALL), (False, ALL)], False, id="it had recovered before"),
        pytest.param(ALL, [(False, ALL), (True, ALL)], True, id="the last one failed"),
        pytest.param(ALL, [(True, PRODUCTS), (False, PROFILES)], True, id="other assets worked in between"),
        pytest.param(PRODUCTS, [(False, PROFILES)], False, id="other assets failed"),
        pytest.param(PRODUCTS, [(False, ALL)], False, id="a part does not mend the whole"),
    ],
)
def test_a_recovery_is_the_first_success_of_what_had_failed(
    assets: frozenset[str] | None, earlier: list[tuple[bool, frozenset[str] | None]], recovers: bool
) -> None:
    assert alerts.is_recovery(assets, [alerts.Outcome(*each) for each in earlier]) is recovers


@pytest.mark.parametrize(
    ("error_class", "message", "line"),
    [
        (
            "Failure",
            "acme: the secret ACME_PASSWORD is not set",
            "Failure: acme: the secret ACME_PASSWORD is not set",
        ),
        ("Failure", "\n first\nDETAIL: Key (email)=(a@b.vn)", "Failure: first"),
        ("UniqueViolation", 'duplicate key "an@example.vn"', "UniqueViolation: duplicate key '...'"),
        ("DataError", 'invalid input syntax: "Nguyễn Văn An"', "DataError: invalid input syntax: '...'"),
        ("Failure", "cannot reach an.nguyen@example.com.vn", "Failure: cannot reach <e-mail>"),
        ("Failure", "no profile with 0912345678", "Failure: no profile with <number>"),
        ("Failure", "no profile with +84 91 234 56 78", "Failure: no profile with <number>"),
        ("OSError", "postgresql://cdp:hunter2@host/db refused", "OSError: postgresql://host/db refused"),
        ("OSError", "host=db password=hunter2 refused", "OSError: host=db password=*** refused"),
        ("HTTPError", "POST https://hooks.slack.com/services/T0/B0/x: 404", "HTTPError: POST <webhook> 404"),
        ("KeyboardInterrupt", "", "KeyboardInterrupt"),
        ("Failure", "x" * 500, "Failure: " + "x" * 291),
    ],
)
def test_an_alert_quotes_the_first_line_without_personal_data_and_secrets(
    error_class: str, message: str, line: str
) -> None:
    assert alerts.safe_line(alerts.RunError("step", error_class, message)) == line


def test_an_alert_says_job_tenant_step_error_and_what_to_do() -> None:
    error = alerts.RunError(
        "cdp__segment", "SourceUnavailable", "ArangoDB http://leo:8529: no answer within 60 s"
    )
    alert = alerts.failure_alert("leo_cdp_sync", "acme", "r1", error, failures_in_a_row=4, is_retried=False)
    assert alert.title == "leo_cdp_sync failed for tenant acme (4 times in a row)"
    assert alert.is_problem
    assert alert.details.splitlines() == [
        "Run: r1",
        "Step: cdp__segment",
        "Error: SourceUnavailable: ArangoDB http://leo:8529: no answer within 60 s",
        "Next: Nothing is lost: the next run continues where this one stopped. If it lasts, look at the source.",
    ]


def test_an_alert_of_a_run_that_is_retried_asks_for_nothing() -> None:
    error = alerts.RunError("", "RunFailure", "the process died")
    alert = alerts.failure_alert("purge", None, "r1", error, failures_in_a_row=1, is_retried=True)
    assert alert.title == "purge failed"
    assert alert.details.endswith("Next: Dagster starts the run again by itself.")
