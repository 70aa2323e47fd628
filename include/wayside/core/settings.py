"""Settings: where things lie, limits on everything that comes from outside, and what the machine may use.

Each has a default that works on a laptop, and is overridden by an environment variable `WAYSIDE_<NAME>` or by a line
in the file `.env` of the working folder. Secrets do not belong here: they come from Airflow connections.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from wayside.core.errors import ConfigError

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Everything that can be set. Paths may be relative: they then count from the working folder."""

    model_config = SettingsConfigDict(env_prefix="WAYSIDE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(
        Path(__file__).resolve().parents[3], description="folder that holds include/config, models and sql"
    )
    state: Path = Field(
        default_factory=lambda data: data["home"] / ".wayside",
        description="folder for all state: pictures, tables, pulled models, logs; default: .wayside in `home`",
    )

    pictures_url: str = Field(
        "",
        pattern=r"^(gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^/?#\\]+)*/?)?$",
        description="where pictures lie: `gs://bucket/prefix`, or empty for the folder `pictures` in `state`",
    )
    warehouse: Literal["duckdb", "bigquery", "oracle"] = Field(
        "duckdb", description="where tables are published to, beside the Parquet files that DuckDB reads"
    )
    google_connection: str = Field(
        "google_cloud_default", description="Airflow connection for Cloud Storage and BigQuery"
    )
    bigquery_project: str = Field("", description="project of the dataset; empty: the one of the connection")
    bigquery_dataset: str = Field("wayside", pattern=r"^[A-Za-z0-9_]{1,1024}$", description="dataset of the tables")
    bigquery_location: str = Field("EU", pattern=r"^[A-Za-z0-9-]{1,64}$", description="location of the dataset")
    oracle_connection: str = Field("oracle_default", description="Airflow connection for Oracle")
    oracle_schema: str = Field(
        "", pattern=r"^([A-Za-z][A-Za-z0-9_$#]{0,127})?$", description="schema of the tables; empty: the user's own"
    )

    photo_table: str = Field(
        "",
        pattern=r"^([a-z][a-z0-9_]{0,49})?$",
        description="layout of a road authority's own table in Oracle into which road photos are registered as well, "
        "such as `vegbilder`; empty: none",
    )
    photo_table_refusals: int = Field(
        1000, ge=0, description="rows of one delivery that this table may refuse; with more nothing of it is registered"
    )

    max_image_bytes: PositiveInt = Field(16 * 2**20, description="largest picture file that is read, in bytes")
    max_image_pixels: PositiveInt = Field(50_000_000, description="largest picture that is decoded, in pixels")
    max_list_bytes: PositiveInt = Field(32 * 2**20, description="largest answer read from a source's API, in bytes")
    shrink_to: PositiveInt = Field(440, description="longest side kept for sources marked `shrink`, in pixels")

    fetch_concurrency: PositiveInt = Field(128, description="pictures fetched at once by one task")
    fetch_concurrency_per_host: PositiveInt = Field(32, description="pictures fetched at once from one host")
    fetch_timeout: PositiveFloat = Field(20.0, description="seconds for one picture, from request to last byte")
    fetch_connect_timeout: PositiveFloat = Field(5.0, description="seconds to connect")
    fetch_attempts: PositiveInt = Field(3, description="tries for one picture when the failure may pass")
    fetch_backoff: PositiveFloat = Field(0.5, description="mean wait before the second try, in seconds; doubles after")
    fetch_deadline: PositiveFloat = Field(
        240.0,
        description="seconds for all pictures of one task, less than Airflow gives it; what is late is a `timeout`",
    )
    fetch_redirects: int = Field(3, ge=0, description="redirects followed, each checked again")
    shard_cameras: PositiveInt = Field(250, description="cameras in one task")

    photos_inbox: str = Field(
        "", description="folder or `gs://` address that `anonymise_images` looks into by schedule"
    )
    photos_output: str = Field("", description="folder or `gs://` address where it puts what it makes")
    photos_archive: str = Field("", description="folder or `gs://` address where it archives originals; empty: nowhere")
    photos_profile: str = Field("planar", description="profile of the scheduled runs: `planar`, `360` or a file")
    photos_roots: tuple[str, ...] = Field(
        (),
        description="folders and `gs://` addresses below which runs that are started in Airflow may read, write and"
        " delete; those of the inbox, its output and its archive always count",
    )

    videos_roots: tuple[str, ...] = Field(
        (),
        description="folders and `gs://` addresses below which runs that are started in Airflow may read videos and"
        " write exports",
    )
    max_video_bytes: PositiveInt = Field(64 * 2**30, description="largest video file that is read, in bytes")
    max_video_seconds: PositiveFloat = Field(24 * 3600.0, description="longest video that is decoded, in seconds")
    max_video_pixels: PositiveInt = Field(
        9_000_000, description="largest picture of a video that is decoded, in pixels: 4K has 8.3 million"
    )
    covers_days: PositiveInt = Field(
        90, description="days after which `expire_images` removes covers and cuts of video events; the events stay"
    )

    blur_profile: str = Field("planar", description="profile of `POST /wayside/blur/` where a request names none")
    blur_max_bytes: PositiveInt = Field(64 * 2**20, description="largest picture that it takes, in bytes")
    blur_max_pixels: PositiveInt = Field(
        40_000_000, description="largest picture that it takes, in pixels; each is 40 bytes of memory while it is done"
    )
    blur_at_once: Annotated[int, Field(gt=0, le=64)] = Field(
        1, description="pictures that one process of the API server anonymises at once; three more may wait"
    )

    device: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto", description="`auto` takes CUDA where it works, else the CPU; `cuda` fails where there is none"
    )
    workers: int = Field(0, ge=0, description="threads that decode and infer side by side; 0: one per core")
    allow_licences: tuple[str, ...] = Field(
        ("Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0"),
        description="licences under which a model may be loaded",
    )

    @property
    def config(self) -> Path:
        """The folder of the configuration files."""
        return self.home / "include" / "config"

    @property
    def models(self) -> Path:
        """The folder of the model cards and of the weights that come with Wayside."""
        return self.home / "models"

    @property
    def pulled_models(self) -> Path:
        """The folder into which `wayside models pull` puts weights."""
        return self.state / "models"

    @property
    def pictures(self) -> Path:
        """The root of the picture store."""
        return self.state / "pictures"

    @property
    def lake(self) -> Path:
        """The root of the Parquet files: published tables, and the staging area in which they are made."""
        return self.state / "warehouse"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process, read once; raise `ConfigError` naming each variable that is wrong."""
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as error:
        faults = (f"WAYSIDE_{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors())
        raise ConfigError(f"settings are wrong: {'; '.join(faults)}") from error
    except SettingsError as error:
        raise ConfigError(f"settings are wrong: {error}") from error
