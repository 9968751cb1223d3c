"""Settings as people give them: in the environment, in files, in `.env`, blank, wrong; and where they arrive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg.pq import Conninfo
from pydantic import SecretStr

from cdp_assets.cli import cdp, main
from cdp_assets.dagster_storage import engine
from cdp_assets.environment import dagster_environment, dbt_environment
from cdp_assets.settings import Settings, SettingsError, get_settings, secret
from cdp_assets.warehouse.tenants import Tenant

ROOT = Path(__file__).parent.parent
EXAMPLE = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
"""Variables of `.env.example`, with the values that it shows."""
BLANKS = ["", " ", "\t \n"]


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working folder without `.env`, an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [*EXAMPLE, *(f"CDP_{field}".upper() for field in Settings.model_fields)]:
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def shown(found: Settings) -> dict[str, object]:
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in found
    }


# --- Blank


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
@pytest.mark.parametrize("place", ["environment", "files", ".env"])
def test_a_blank_setting_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blank: str, place: str
) -> None:
    usual = shown(get_settings())
    get_settings.cache_clear()
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("CDP_SECRETS_DIR", str(folder))
    lines = []
    for field in Settings.model_fields:
        if place == "environment":
            monkeypatch.setenv(f"CDP_{field}".upper(), blank)
        elif place == "files":
            (folder / f"cdp_{field}").write_text(blank)
        else:
            lines.append(f'CDP_{field.upper()}="{blank}"')
    (tmp_path / ".env").write_text("\n".join(lines))
    assert shown(get_settings()) == usual


def test_the_next_place_is_asked_where_one_is_blank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cdp_pool_size").write_text("7")
    (tmp_path / "cdp_pipeline_password").write_text("\n")
    (tmp_path / ".env").write_text(
        "CDP_POOL_SIZE=9\nCDP_PIPELINE_PASSWORD=from the file\nCDP_ALERT_TO=an@example.vn\n"
    )
    monkeypatch.setenv("CDP_SECRETS_DIR", str(tmp_path))
    for name in ("CDP_POOL_SIZE", "CDP_ALERT_TO", "CDP_PIPELINE_PASSWORD"):
        monkeypatch.setenv(name, "")
    found = shown(get_settings())
    assert (found["pool_size"], found["pipeline_password"], found["alert_to"]) == (
        7,
        "from the file",
        "an@example.vn",
    )


def test_a_blank_password_is_none_and_would_not_clear_a_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_READER_PASSWORD", "")
    assert get_settings().reader_password is None


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_a_blank_secret_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    monkeypatch.setenv("ACME_PASSWORD", blank)
    assert secret("ACME_PASSWORD") is None
    (tmp_path / "acme_password").write_text(blank)
    monkeypatch.setenv("CDP_SECRETS_DIR", str(tmp_path))
    assert secret("ACME_PASSWORD") is None
    (tmp_path / "acme_password").write_text("word\n")
    assert secret("ACME_PASSWORD") == "word"


def test_no_image_model_is_said_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_IMAGE_MODEL_ID", "none")
    assert get_settings().image_model_id == ""


# --- .env


def test_the_example_names_every_setting_and_nothing_else() -> None:
    ours = {f"CDP_{field}".upper() for field in Settings.model_fields}
    assert set(EXAMPLE) == ours | {"CDP_SECRETS_DIR", "DAGSTER_HOME", "DAGSTER_POSTGRES_URL"}


def test_every_variable_of_the_example_works_in_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        name: value or {"int": "7", "bool": "true"}.get(kind(name), "given")
        for name, value in EXAMPLE.items()
    }
    given |= {"CDP_SECRETS_DIR": str(tmp_path / "secrets"), "DAGSTER_HOME": str(tmp_path / "home")}
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "acme_password").write_text("from a file")
    lines = [f"{name}={value}" for name, value in given.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "ACME_TOKEN=from dotenv"]))
    found = shown(get_settings())
    by_environment = dagster_environment(get_settings())
    assert by_environment["DAGSTER_HOME"] == given["DAGSTER_HOME"]
    assert by_environment["DAGSTER_POSTGRES_URL"] == given["DAGSTER_POSTGRES_URL"]
    assert (secret("ACME_PASSWORD"), secret("ACME_TOKEN")) == ("from a file", "from dotenv")
    (tmp_path / ".env").unlink()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    assert shown(get_settings()) == found


def kind(name: str) -> str:
    annotation = str(Settings.model_fields.get(name.removeprefix("CDP_").lower(), ""))
    return "int" if "int" in annotation.partition("required")[0] else "text"


def test_a_copy_of_the_example_changes_nothing_of_what_is_blank_in_it(tmp_path: Path) -> None:
    usual = shown(get_settings())
    get_settings.cache_clear()
    (tmp_path / ".env").write_text("".join(f"{name}=\n" for name, value in EXAMPLE.items()))
    assert shown(get_settings()) == usual


# --- Wrong


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CDP_POOL_SIZE", "many"),
        ("CDP_POOL_SIZE", "0"),
        ("CDP_SMTP_STARTTLS", "perhaps"),
        ("CDP_MAX_DELETE_SHARE", "7"),
        ("CDP_EMBEDDING_PROVIDER", "own"),
        ("CDP_PROFILE_EMBED_DIM", "-1"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: ") as caught:
        get_settings()
    assert "pydantic" not in str(caught.value)
    assert "input_value" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_command_line_says_it_in_one_block(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDP_POOL_SIZE", "many")
    monkeypatch.setattr("sys.argv", ["cdp", "status"])
    with pytest.raises(SystemExit, match="1"):
        main()
    said = capsys.readouterr().err
    assert "CDP_POOL_SIZE" in said
    assert "Traceback" not in said
    assert isinstance(CliRunner().invoke(cdp, ["status"]).exception, SettingsError)


# --- TLS


def test_what_the_address_says_of_tls_reaches_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_text("")
    (tmp_path / "key.pem").write_text("")
    dsn = (
        "postgresql://cdp_pipeline:word@db.example:6000/warehouse?sslmode=verify-full&sslrootcert=ca.pem&"
        "sslcert=/certs/client.pem&sslkey=key.pem&sslcrl=/certs/crl&channel_binding=require&target_session_attrs=read-write"
        "&options=-c%20role%3Dnobody&connect_timeout=7"
    )
    tenant = Tenant("acme", "Acme", "active", "dump", {}, {})
    with dbt_environment(Settings(data_dir=tmp_path, transform_password=SecretStr("ours")), dsn, tenant):
        seen = {option.keyword.decode(): (option.val or b"").decode() for option in Conninfo.get_defaults()}
    assert seen | {
        "sslmode": "verify-full", "sslrootcert": str(tmp_path / "ca.pem"), "sslcert": "/certs/client.pem",
        "sslkey": str(tmp_path / "key.pem"), "sslcrl": "/certs/crl", "channel_binding": "require",
        "target_session_attrs": "read-write", "connect_timeout": "7",
    } == seen  # fmt: skip
    assert "nobody" not in seen["options"]
    assert seen["password"] == ""
    profile = (ROOT / "dbt_project" / "profiles.yml").read_text()
    assert not re.search(r"^ +ssl", profile, re.MULTILINE), (
        "what the profile says wins over libpq's variables"
    )
    after = {option.keyword: option.val for option in Conninfo.get_defaults()}
    assert after[b"sslrootcert"] is None


def test_what_the_address_says_of_tls_reaches_dagsters_storage() -> None:
    address = "postgresql+psycopg2://dagster@db/dagster?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem"
    pool = engine(address)
    _, options = pool.dialect.create_connect_args(pool.url)
    assert {name: options[name] for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")} == {
        "sslmode": "verify-full", "sslrootcert": "/ca.pem", "sslcert": "/c.pem", "sslkey": "/k.pem",
    }  # fmt: skip
