"""What became of each key of the replaced system's configuration: the facts behind `oldconfig` and docs/PROFILES.md."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Counterpart:
    """What took the place of an old key.

    Attributes:
        ours: path of the field in a profile; null: none.
        why: why there is none, or why the default is another; empty: the default is the same.
    """

    ours: str | None
    why: str = ""


_LOGS = "Airflow keeps the log of every task, the shell writes to its terminal"
_MASK_FILE = "masks are not written as files of their own; the receipt of a picture lists what was hidden, and where"
_ROWS = "rows go in batches that a stop neither loses nor doubles, with an error for each row that is refused"
_TILES = "tiles overlap by a set number of pixels and cover every one: see `masking.find.tiling`"
_WORKERS = "`WAYSIDE_WORKERS`, and the pools of Airflow, say how much runs side by side"

FIELDS: Final[dict[str, Counterpart]] = {
    "data_eier": Counterpart("record.data_owner"),
    "fylkesnummer": Counterpart("record.county"),
    "force_fylke": Counterpart("record.force_county"),
    "image_type": Counterpart("record.image_type"),
    "draw_mask": Counterpart("draw"),
    "delete_input": Counterpart("delete_input"),
    "force_remask": Counterpart("redo"),
    "lazy_paths": Counterpart(None, "pictures are listed once, in a fixed order, so that there is always an ETA"),
    "file_access_retry_seconds": Counterpart("access.retry_seconds"),
    "file_access_timeout_seconds": Counterpart("access.timeout_seconds"),
    "datetime_format": Counterpart(None, _LOGS),
    "log_file_name": Counterpart(None, _LOGS),
    "log_level": Counterpart(None, _LOGS),
    "application_version": Counterpart(
        "record.version", "another program makes the record, so it says so by default: its version, the profile's hash"
    ),
    "exif_mappenavn": Counterpart("record.folder_template"),
    "exif_top_dir": Counterpart("record.top_dir"),
    "remove_imagetype_filepath": Counterpart("record.remove_image_type"),
    "flip_wkt": Counterpart(None, "chosen when existing records are imported; new ones have their axes in order"),
    "remote_json": Counterpart("write.records"),
    "local_json": Counterpart("write.records"),
    "archive_json": Counterpart("write.records"),
    "remote_preview": Counterpart("write.previews"),
    "local_preview": Counterpart("write.previews"),
    "archive_preview": Counterpart("write.previews"),
    "separate_preview_directory": Counterpart("write.separate_preview_folder"),
    "preview_dim": Counterpart("masking.preview"),
    "preview_center": Counterpart("masking.preview"),
    "enable_async": Counterpart(None, _WORKERS),
    "max_num_async_workers": Counterpart(None, _WORKERS),
    "model_type": Counterpart(
        None, "its three networks of 2018 are not used; `masking.find.detector` names one of docs/MODELS.md"
    ),
    "mask_dilation_pixels": Counterpart("masking.find.dilation"),
    "max_num_pixels": Counterpart(
        None, "nothing is shrunk below what tiles see; `limits.max_pixels` refuses what is too large for memory"
    ),
    "use_cutouts": Counterpart(
        "masking.find.tiling.enabled",
        "`auto`: a large picture that is only seen whole is seen at a fraction of its size",
    ),
    "cutout_step_factor": Counterpart(None, _TILES),
    "cutout_dim_downscale": Counterpart(None, _TILES),
    "mask_color": Counterpart("masking.fill.colour"),
    "blur": Counterpart("masking.fill.blur"),
    "gray_blur": Counterpart("masking.fill.style", "`constant`: a blur can be undone"),
    "normalized_gray_blur": Counterpart("masking.fill.style", "`constant`: a blur can be undone"),
    "uncaught_exception_email": Counterpart(
        "tell.crash", "a run that stopped is told wherever the installation has a channel, as of every other DAG"
    ),
    "processing_error_email": Counterpart("tell.errors"),
    "finished_email": Counterpart("tell.finish"),
    "email_attach_log_file": Counterpart(None, "a message links to the run and its logs, and attaches none"),
    "write_exif_to_db": Counterpart(
        None, "`WAYSIDE_PHOTO_TABLE` of the installation says into which table pictures go, if any"
    ),
    "db_max_n_accumulated_rows": Counterpart(None, _ROWS),
    "db_max_n_errors": Counterpart(None, _ROWS),
    "db_max_cache_size": Counterpart(None, _ROWS),
    "table_name": Counterpart(
        "table", "that of `WAYSIDE_PHOTO_TABLE`; as it was shipped, the replaced system wrote no record at all"
    ),
    "table_primary_key": Counterpart(None, "a layout names its key"),
    # Of version 1 alone.
    "remote_mask": Counterpart(None, _MASK_FILE),
    "local_mask": Counterpart(None, _MASK_FILE),
    "archive_mask": Counterpart(None, _MASK_FILE),
    # Of versions between 1 and 2 alone.
    "cache_cutouts": Counterpart(None, "tiles are cut in memory"),
    "cache_filepath": Counterpart(None, "tiles are cut in memory"),
    "extra_preprocessing": Counterpart(None, "contrast is not raised before the search: scores are lowered instead"),
    "extra_preprocessing_depth": Counterpart(None, "contrast is not raised before the search"),
    "extra_prerpocessing_temp_foldername": Counterpart(None, "contrast is not raised before the search"),
}
"""Every key of the replaced system, those of its default file first and in its order."""

OLDER_NAMES: Final = {
    "dataeier": "data_eier",
    "remote_thumbnail": "remote_preview",
    "local_thumbnail": "local_preview",
    "archive_thumbnail": "archive_preview",
    "thumbnail_dim": "preview_dim",
}
"""Names that a key had in versions between 1 and 2."""
