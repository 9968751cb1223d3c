"""Environment -> typed settings. The only reader of the environment in the product.

Belongs here: one field per setting, with its unit and its default. Does not belong here: anything that opens a
connection or a file. Every field is read from `CDP_<NAME>`, else from a file of that name (lower case) in
`CDP_SECRETS_DIR`, else from `.env` in the working folder. A blank value counts as none, wherever it stands.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_FILE = ".env"


class SettingsError(Exception):
    """A setting cannot be used. The message names it and holds no value."""


class Settings(BaseSettings):
    """Settings of the installation. Settings of one tenant live in `ops.tenant.options`."""

    model_config = SettingsConfigDict(env_prefix="CDP_", env_file=ENV_FILE, extra="ignore")

    data_dir: Path = Field(
        Path(".data"), description="Folder of the embedded server, the demo world and logs"
    )
    artifact_root: str = Field(
        "", description="Folder or s3:// address for versions of datasets; blank = <data dir>/ml"
    )
    warehouse_dsn: SecretStr | None = Field(
        None, description="Warehouse as role cdp_pipeline; unset = the embedded server in data_dir"
    )
    warehouse_owner_dsn: SecretStr | None = Field(
        None, description="Warehouse as a role that may migrate; only `cdp migrate` and `cdp pipeline` use it"
    )
    pipeline_password: SecretStr | None = Field(
        None, description="Password that `cdp migrate` gives cdp_pipeline"
    )
    transform_password: SecretStr | None = Field(
        None, description="Password that `cdp migrate` gives cdp_transform"
    )
    reader_password: SecretStr | None = Field(
        None, description="Password that `cdp migrate` gives cdp_reader"
    )
    statement_timeout_s: int = Field(
        900, gt=0, description="Seconds before the warehouse cancels a statement"
    )
    pool_size: int = Field(4, gt=0, description="Connections that one process keeps to the warehouse")

    arango_timeout_s: float = Field(
        60.0, gt=0, description="Seconds without an answer before a read is repeated"
    )
    arango_page_size: int = Field(2000, gt=0, description="Documents per page read from a source")

    window_overlap_s: int = Field(
        900, ge=0, description="Seconds that a window reaches back behind its watermark"
    )
    shop_overlap_s: int = Field(
        300, ge=0, description="Seconds that a window of the shop reaches back behind its watermark"
    )
    shop_safety_lag_s: int = Field(
        60, ge=0, description="Seconds that the shop's watermark stays behind its clock"
    )
    max_delete_share: float = Field(
        0.2, gt=0, le=1, description="Share of a collection above which vanished keys are not tombstoned"
    )
    quarantine_share: float = Field(
        0.05, gt=0, le=1, description="Share of rejects above which the check fails"
    )

    embedding_provider: Literal["bundled", "sentence-transformers", "openai", "vertex", "placeholder"] = (
        Field("bundled", description="Who turns texts into vectors")
    )
    embed_model_id: str = Field(
        "", description="Model as the provider knows it; blank = the provider's default"
    )
    embed_model_revision: str = Field(
        "", description="Branch, tag or commit of a hub model; blank = its main branch"
    )
    embed_batch_size: int = Field(64, gt=0, description="Texts that are handed to the provider at once")
    profile_embed_dim: int | None = Field(
        None, gt=0, description="Components that profile vectors must have; unset = the model's own"
    )
    txn_embed_dim: int | None = Field(
        None, gt=0, description="Components that transaction vectors must have; unset = the model's own"
    )
    embed_backend: Literal["auto", "onnx", "openvino", "torch"] = Field(
        "auto", description="What runs a local model"
    )
    embed_precision: Literal["fp32", "reduced"] = Field(
        "fp32", description="reduced = 16 bits where the machine computes in them"
    )
    embed_api_key: SecretStr | None = Field(None, description="Key (openai) or access token (vertex)")
    embed_base_url: str = Field("", description="Address of the service; blank = the provider's own")
    embed_timeout_s: float = Field(60.0, gt=0, description="Seconds that one call to a service may take")
    vertex_project: str = Field("", description="Google Cloud project of the vertex provider")
    vertex_location: str = Field("us-central1", description="Region of the vertex provider")
    image_model_id: str = Field(
        "clip-ViT-B-32",
        description="Model that turns images of articles into vectors: hub id or folder; `none` = no vectors",
    )

    slack_webhook_url: SecretStr | None = Field(None, description="Incoming webhook for run alerts")
    smtp_host: str = Field("", description="Mail server for run alerts; blank = no mail")
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = Field(
        True, description="Upgrade to TLS; turn off only for a relay on the same host"
    )
    alert_from: str = "cdp-assets@localhost"
    alert_to: str = Field("", description="Comma-separated recipients of run alerts")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        """Where values come from, the first one wins."""
        return (
            init_settings,
            *(_filled(source) for source in (env_settings, file_secret_settings, dotenv_settings)),
        )

    @field_validator("image_model_id")
    @classmethod
    def _none(cls, value: str) -> str:
        return "" if value.lower() == "none" else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def embedded(self) -> bool:
        """Whether the warehouse is the embedded server."""
        return self.warehouse_dsn is None

    @property
    def dbt_target(self) -> Path:
        """Folder for what dbt writes: manifest, compiled SQL, logs."""
        return self.data_dir / "dbt"

    @property
    def dagster_home(self) -> Path:
        """Folder that `cdp env` exports as DAGSTER_HOME."""
        return self.data_dir / "dagster"


def _filled(source: PydanticBaseSettingsSource) -> Callable[[], dict[str, Any]]:
    """What a source gives, without blank values: `NAME=` in a Compose file or a copied example says nothing."""
    return lambda: {
        name: value for name, value in source().items() if not isinstance(value, str) or value.strip()
    }


@cache
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingsError: one cannot be used.
    """
    try:
        folder = variable("CDP_SECRETS_DIR")
        return Settings(_secrets_dir=folder) if folder else Settings()
    except ValidationError as error:
        faults = [
            f"CDP_{'_'.join(map(str, each['loc'])).upper()}: {each['msg'][:1].lower()}{each['msg'][1:]}"
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise SettingsError(
            "; ".join(faults)
        ) from None  # its own message quotes values, and some are secrets


def variable(name: str) -> str | None:
    """A variable that is no setting of ours, from the environment, else from `.env`; None when it is blank."""
    for value in (os.environ.get(name), dotenv_values(ENV_FILE).get(name)):
        if value is not None and value.strip():
            return value
    return None


def secret(name: str) -> str | None:
    """A secret by its name: a variable of the environment, a file in CDP_SECRETS_DIR, or a line of `.env`.

    Registrations of tenants give such names: the warehouse never stores the value. None when it is blank.
    """
    value = os.environ.get(name, "")
    folder = variable("CDP_SECRETS_DIR")
    if not value.strip() and folder and (file := Path(folder) / name.lower()).is_file():
        value = file.read_text(encoding="utf-8").strip()
    return value if value.strip() else variable(name)
