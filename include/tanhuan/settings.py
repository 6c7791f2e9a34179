"""The settings of one installation, and the only place that reads the environment.

Every name can be set as an environment variable with the prefix `TANHUAN_`, or in a file `.env` in the working
directory. Secrets are `SecretStr`: they never show in a log or a repr.
"""

from __future__ import annotations

import datetime as dt
import json
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

#: Business dates and hours are those of the bureau; there is no daylight saving time.
TIME_ZONE = ZoneInfo("Asia/Shanghai")
#: GB/T 32907: the block cipher SM4 has keys of 128 bits
_SM4_KEY_BYTES = 16


class Settings(BaseSettings):
    """Where things are and how upstreams are reached.

    Attributes:
        home: holds all state (design: TANHUAN_HOME); nothing is written outside it.
        project_root: the checkout: dags/, dbt_project/, expectations/.
        upstream_url: base address of the bureau's data platform; without one, `tanhuan night` and `tanhuan up`
            start the stand-in.
        upstream_user, upstream_password: the account that may read it.
        request_timeout_s: seconds without a byte before a request counts as dead.
        request_retries: how often connection faults, 429 and 5xx are tried again.
        request_deadline_s: seconds that a request may take in all, however steadily its bytes come.
        page_rows, page_max_bytes: rows asked for in one page, and how large a page may be (64 MiB at most: larger
            objects DuckDB would not read).
        export_max_bytes: how large a bulk answer may be.
        inbox_max_bytes: how large a dropped file may be, unpacked.
        upstream_ca_bundle: certificates to trust, for a platform whose authority is its own.
        forms: the form in which a table is pulled, where it is not pages, e.g. {"air_hour": "cnemc_air"}.
        history_form: the form in which history and requested periods are pulled.
        packet_keys: SM4 keys of data loggers by MN, 32 hexadecimal digits each, as JSON (HJ 212-2025).
        load_history: whether a table's first pull also brings the history its contract names.
        land_retries, land_retry_delay_s: how often Airflow tries a whole pull again, and how long it waits first.
        gate_memory_mb: how much memory the DuckDB that stages a batch may hold; the one of Great Expectations may hold
            half as much, and Python's own comes on top. The rest goes to a folder in `home` while the gate runs.
        publications_kept: versions that stay readable; older ones are removed after a publication.
        airflow_host, airflow_port: where `tanhuan up` binds Airflow's API server and UI.
        night_timeout_s: how long `tanhuan night` waits for a night to end.
    """

    model_config = SettingsConfigDict(env_prefix="TANHUAN_", env_file=".env", extra="ignore")

    home: Path = Path("var")
    project_root: Path = Path(__file__).resolve().parents[2]
    upstream_url: str | None = None
    upstream_user: str = "tanhuan"
    upstream_password: SecretStr = SecretStr("")
    request_timeout_s: float = 20.0
    request_retries: int = 3
    request_deadline_s: float = 600.0
    page_rows: int = 20_000
    page_max_bytes: int = Field(default=64 * 1024 * 1024, le=64 * 1024 * 1024)
    export_max_bytes: int = 8 * 1024**3
    inbox_max_bytes: int = 4 * 1024**3
    upstream_ca_bundle: Path | None = None
    forms: dict[str, str] = {}
    history_form: Literal["pages", "ndjson", "parquet"] = "parquet"
    packet_keys: SecretStr = SecretStr("{}")
    load_history: bool = True
    land_retries: int = 2
    land_retry_delay_s: float = 60.0
    gate_memory_mb: int = Field(default=600, ge=100)
    publications_kept: int = Field(default=14, ge=1)
    airflow_host: str = "127.0.0.1"
    airflow_port: int = 8080
    night_timeout_s: float = 3600.0

    def as_environment(self) -> dict[str, str]:
        """Return the settings as the variables by which a child process finds the same ones, secrets included."""
        values = {name: getattr(self, name) for name in type(self).model_fields} | {"home": self.root}
        plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else v for n, v in values.items()}
        texts = {n: json.dumps(v) if isinstance(v, dict) else str(v) for n, v in plain.items() if v is not None}
        return {f"TANHUAN_{name.upper()}": text for name, text in texts.items()}

    @property
    def root(self) -> Path:
        """`home` as an absolute path."""
        return self.home.resolve()

    @field_validator("packet_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        try:
            known = json.loads(keys.get_secret_value())
            good = all(len(bytes.fromhex(key)) == _SM4_KEY_BYTES for key in known.values())
        except (ValueError, AttributeError, TypeError):
            good = False
        if not good:
            # Without the value: it is a secret.
            raise ValueError("packet_keys must be a JSON object of MN to 32 hexadecimal digits") from None
        return keys

    def list_packet_keys(self) -> dict[str, bytes]:
        """Return the SM4 key of every data logger that has one, by MN."""
        keys: dict[str, str] = json.loads(self.packet_keys.get_secret_value())
        return {mn: bytes.fromhex(key) for mn, key in keys.items()}

    @property
    def inbox(self) -> Path:
        """Where people drop files, in a folder a table."""
        return self.root / "inbox"

    @property
    def landing(self) -> Path:
        """Bytes as received."""
        return self.root / "landing"

    @property
    def lake(self) -> Path:
        """Admitted rows."""
        return self.root / "lake"

    @property
    def quarantine(self) -> Path:
        """Refused rows with their reasons."""
        return self.root / "quarantine"

    @property
    def ledger(self) -> Path:
        """One JSON per load, gate run and publication."""
        return self.root / "ledger"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own state: metadata database, logs, the login."""
        return self.root / "airflow"

    @property
    def warehouse(self) -> Path:
        """The private DuckDB file; only the refresh opens it for writing."""
        return self.root / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """What people read."""
        return self.root / "published"

    @property
    def expectations(self) -> Path:
        """Great Expectations suites."""
        return self.project_root / "expectations"

    @property
    def dbt_project(self) -> Path:
        """The dbt project."""
        return self.project_root / "dbt_project"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process (read once)."""
    return Settings()


def now() -> dt.datetime:
    """Return the present moment in Asia/Shanghai."""
    return dt.datetime.now(TIME_ZONE)


def yesterday() -> dt.date:
    """Return the business date a night reports on when none is named."""
    return now().date() - dt.timedelta(days=1)
