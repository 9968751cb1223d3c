"""Environment -> typed settings. The only reader of the environment in the product.

Belongs here: one field per setting, with its unit and its default. Does not belong here: anything that opens a
connection or a file. Every field is read from `CDP_<NAME>`, else from a file of that name (lower case) in
`CDP_SECRETS_DIR`, else from `.env` in the working folder.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of the installation. Settings of one tenant live in `ops.tenant.options`."""

    model_config = SettingsConfigDict(env_prefix="CDP_", env_file=".env", extra="ignore")

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
        description="Model that turns images of articles into vectors: hub id or folder; blank = none",
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


@cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    secrets_dir = os.environ.get("CDP_SECRETS_DIR")
    return Settings(_secrets_dir=secrets_dir) if secrets_dir else Settings()


def secret(name: str) -> str | None:
    """A tenant's secret by the name its registration gives: an environment variable or a file in CDP_SECRETS_DIR.

    The warehouse stores the name only, never the value.
    """
    value = os.environ.get(name)
    if value is not None:
        return value
    folder = os.environ.get("CDP_SECRETS_DIR")
    if folder:
        file = Path(folder) / name.lower()
        if file.is_file():
            return file.read_text(encoding="utf-8").strip()
    return None
