"""Configurations of the replaced system become profiles.

`FIELDS` says for each of its keys, those of version 1 and of the versions between included, which field of a profile
took its place, or why none did. An import keeps what its owner chose, even a fill that can be undone; it says so, and
whatever else differs, in words that end up as comments on top of the new file.
"""

import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from wayside.core.errors import ConfigError
from wayside.core.yamlfile import parse_yaml, read_text
from wayside.metadata.derived import version_text
from wayside.photos.oldfields import FIELDS, OLDER_NAMES
from wayside.photos.profile import Profile, cautions, faults, profile_of

Level = Annotated[int, Field(ge=0, le=255)]
Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(gt=0, le=20_000)]
ImageType = Annotated[Literal["Planar", "360"], BeforeValidator(lambda value: str(value).title())]


class OldConfig(BaseModel):
    """The keys of the replaced system that have a counterpart, with its defaults for planar pictures."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    data_eier: str | None = None
    fylkesnummer: int | None = None
    force_fylke: bool = False
    image_type: ImageType = "Planar"
    draw_mask: bool = True
    delete_input: bool = False
    force_remask: bool = False
    file_access_retry_seconds: float = 10
    file_access_timeout_seconds: float = 60
    application_version: str = "0.2"
    exif_mappenavn: str = "Vegbilder/{relative_input_dir}"
    exif_top_dir: str = "tilSladding"
    remove_imagetype_filepath: bool = False
    remote_json: bool = True
    local_json: bool = False
    archive_json: bool = False
    remote_preview: bool = False
    local_preview: bool = False
    archive_preview: bool = False
    separate_preview_directory: str | None = None
    preview_dim: tuple[Side, Side] = (2520, 1400)
    preview_center: tuple[Share, Share] = (0.45, 0.5)
    mask_dilation_pixels: int = 4
    use_cutouts: bool = False
    mask_color: tuple[Level, Level, Level] | None = None
    blur: float | None = 15
    gray_blur: bool = True
    normalized_gray_blur: bool = True
    uncaught_exception_email: bool = False
    processing_error_email: bool = False
    finished_email: bool = False
    table_name: str | None = "VEGBILDER"


PANORAMA: Final = {
    "application_version": "0.1",
    "exif_top_dir": "TilSladding",
    "local_json": True,
    "remote_preview": True,
    "use_cutouts": True,
    "uncaught_exception_email": True,
    "processing_error_email": True,
    "finished_email": True,
}
"""Its defaults for 360° pictures, where they are others."""
_SHIPPED_VERSIONS: Final = {"0.1", "0.2"}
_LAYOUTS: Final = {"VEGBILDER", "VEGBILDER_V1"}


@dataclass(frozen=True)
class Dropped:
    """A key that has no counterpart, or whose value has none."""

    key: str
    value: object
    why: str


@dataclass(frozen=True)
class Imported:
    """What became of an old configuration.

    Attributes:
        profile: the same as a profile.
        yaml: that profile as a file, with the fields that differ from the defaults.
        dropped: keys that went, in the order of the file, and why.
        notes: what its owner should know, a sentence each.
    """

    profile: Profile
    yaml: str
    dropped: list[Dropped]
    notes: list[str]


def import_config(text: str, name: str, *, modified: date | None = None) -> Imported:
    """Make a profile of a configuration of the replaced system.

    Args:
        text: the YAML file.
        name: name of the new profile.
        modified: day of the file's last change, a part of its version; null: the version is given without.

    Raises:
        ConfigError: it is no such configuration, or a value is of the wrong kind; all that is wrong is named.
    """
    document = parse_yaml(text, name)
    if not isinstance(document, dict) or not document:
        raise ConfigError(f"{name}: a configuration of the replaced system is a mapping of keys")
    given, dropped = _sorted_out({str(key): value for key, value in document.items()})
    if not given and not any(one.key in FIELDS for one in dropped):
        raise ConfigError(f"{name} has no key of the replaced system, such as `image_type`: is it a profile already?")
    old = _validated(given, name)
    notes = _missing(document, old) + _odd_values(old, dropped)
    separate = _separate(old, dropped)
    content = {
        "description": f"Imported from a configuration of the replaced system: {old.image_type} pictures.",
        "masking": _masking(old),
        "record": _record(old, modified),
        "write": _write(old, separate),
        "draw": old.draw_mask,
        "delete_input": old.delete_input,
        "redo": old.force_remask,
        "access": {
            "retry_seconds": old.file_access_retry_seconds,
            "timeout_seconds": old.file_access_timeout_seconds,
        },
        "tell": {
            "crash": old.uncaught_exception_email,
            "errors": old.processing_error_email,
            "finish": old.finished_email,
        },
        "table": old.table_name.lower() if old.table_name else None,
        "shard_pictures": 20 if old.image_type == "360" else 100,
    }
    profile = profile_of(content, name, default_name=name)
    return Imported(profile, _written(profile), dropped, notes + _cautions(profile))


def import_file(path: Path, name: str = "") -> Imported:
    """Make a profile of a file of the replaced system, under its own name if none is given; errors as there."""
    text = read_text(path)
    name = name or re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-_") or "imported"
    return import_config(text, name, modified=datetime.fromtimestamp(path.stat().st_mtime, UTC).date())


def render_import(imported: Imported) -> str:
    """Return the new file with the story of its import as comments on top: YAML that can be used as it stands."""
    lines = [f"# Profile {imported.profile.name}, imported from a configuration of the replaced system."]
    for title, entries in (
        ("To know:", imported.notes),
        ("Dropped:", [f"{one.key}: {_shown(one.value)}: {one.why}" for one in imported.dropped]),
    ):
        if entries:
            lines += ["#", f"# {title}"]
            lines += [line for entry in entries for line in _comment(entry)]
    return "\n".join([*lines, "", imported.yaml])


def _sorted_out(document: Mapping[str, object]) -> tuple[dict[str, object], list[Dropped]]:
    """Divide the keys: what has a counterpart, by its last name; what has none, with the reason."""
    given: dict[str, object] = {}
    dropped = []
    for key, value in document.items():
        last = OLDER_NAMES.get(key, key)
        field = FIELDS.get(last)
        if field is None:
            dropped.append(Dropped(key, value, "no key that the replaced system knew; it ignored these too"))
        elif field.ours is None:
            dropped.append(Dropped(key, value, field.why))
        elif last != key and last in document:
            dropped.append(Dropped(key, value, f"an older name of `{last}`, which the file has as well"))
        else:
            given[last] = value
    return given, dropped


def _validated(given: Mapping[str, object], name: str) -> OldConfig:
    panorama = str(given.get("image_type")) == "360"
    try:
        return OldConfig.model_validate((PANORAMA if panorama else {}) | dict(given))
    except ValidationError as error:
        raise ConfigError(f"{name}: {faults(error)}") from error


def _missing(document: Mapping[Any, object], old: OldConfig) -> list[str]:
    """Tell of keys that the file lacks; the replaced system refused such a file."""
    known = {OLDER_NAMES.get(str(key), str(key)) for key in document}
    missing = [key for key in OldConfig.model_fields if key not in known]
    notes = []
    if missing:
        notes.append(f"keys that the file lacks have the default of {old.image_type} pictures: {', '.join(missing)}")
    if known & {"remote_mask", "local_mask", "archive_mask"}:
        notes.append("a file of version 1: records are written with the keys of version 2, unless `record.layout` says")
    return notes


def _odd_values(old: OldConfig, dropped: list[Dropped]) -> list[str]:
    """Tell of values that mean something else here, or that cannot hold."""
    notes = []
    if "\\" in old.exif_mappenavn:
        notes.append("`\\` in exif_mappenavn became `/`, as version 2 writes it")
    if not old.use_cutouts:
        notes.append("use_cutouts was off; large pictures are looked at in tiles anyway (`masking.find.tiling`)")
    if old.data_eier is None and old.table_name:
        notes.append("data_eier is empty and the table demands an owner: the replaced system wrote no record at all")
    if old.table_name and old.table_name.upper() not in _LAYOUTS:
        notes.append(f"table_name: the definition config/db_tables/{old.table_name}.yml has to come along, see `table`")
    if old.delete_input:
        notes.append("delete_input: every run needs an archive, as before")
    if old.application_version in _SHIPPED_VERSIONS:
        notes.append("application_version is as shipped: records now say that Wayside made them")
    if old.blur and old.mask_color is not None:
        dropped.append(Dropped("mask_color", list(old.mask_color), "the replaced system ignored it where blur is set"))
    if old.blur and old.normalized_gray_blur and not old.gray_blur:
        dropped.append(Dropped("normalized_gray_blur", True, "the replaced system ignored it without gray_blur"))
    return notes


def _cautions(profile: Profile) -> list[str]:
    sentences = cautions(profile)
    if profile.draw and profile.masking.fill.cosmetic:
        sentences.append("for a fill that keeps nothing, take out `masking.fill`")
    return sentences


def _separate(old: OldConfig, dropped: list[Dropped]) -> str | None:
    """Return the folder of separate previews if it can be one here."""
    folder = old.separate_preview_directory
    if not folder:
        return None
    if PurePosixPath(folder).is_absolute():
        return folder
    kind = "a path of Windows" if PureWindowsPath(folder).drive else "no absolute path"
    why = f"{kind}; set `write.separate_preview_folder` and add `separate` to `write.previews`"
    dropped.append(Dropped("separate_preview_directory", folder, why))
    return None


def _masking(old: OldConfig) -> dict[str, object]:
    panorama = old.image_type == "360"
    tiling: dict[str, object] = {"enabled": "always" if old.use_cutouts else "auto", "wrap": panorama}
    if panorama:
        tiling["overlap"] = 384
    width, height = old.preview_dim
    centre_y, centre_x = old.preview_center
    return {
        "find": {"dilation": old.mask_dilation_pixels, "tiling": tiling},
        "fill": _fill(old),
        "preview": {"width": width, "height": height, "centre_x": centre_x, "centre_y": centre_y},
    }


def _fill(old: OldConfig) -> dict[str, object]:
    if old.blur:
        grey = "normalised_grey_blur" if old.normalized_gray_blur else "grey_blur"
        return {"style": grey if old.gray_blur else "blur", "blur": old.blur}
    return {"style": "constant", "colour": old.mask_color, "by_class": old.mask_color is None}


def _record(old: OldConfig, modified: date | None) -> dict[str, object]:
    version = ""
    if old.application_version not in _SHIPPED_VERSIONS:
        version = version_text(old.application_version, modified)
    return {
        "data_owner": old.data_eier,
        "county": old.fylkesnummer,
        "force_county": old.force_fylke,
        "image_type": old.image_type,
        "folder_template": old.exif_mappenavn.replace("\\", "/"),
        "top_dir": old.exif_top_dir,
        "remove_image_type": old.remove_imagetype_filepath,
        "version": version,
    }


def _write(old: OldConfig, separate: str | None) -> dict[str, object]:
    records = {"output": old.remote_json, "input": old.local_json, "archive": old.archive_json}
    previews = {"output": old.remote_preview, "input": old.local_preview, "archive": old.archive_preview}
    return {
        "records": [place for place, wanted in records.items() if wanted],
        "previews": [place for place, wanted in (previews | {"separate": separate is not None}).items() if wanted],
        "separate_preview_folder": separate,
    }


def _written(profile: Profile) -> str:
    """Return a profile as YAML, without what is as by default."""
    content = {"name": profile.name} | profile.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _shown(value: object) -> str:
    return textwrap.shorten(json.dumps(value, ensure_ascii=False, default=str), 80, placeholder=" …")


def _comment(entry: str) -> list[str]:
    flat = " ".join("".join(c if c.isprintable() else " " for c in entry).split())
    return textwrap.wrap(flat, 120, initial_indent="# - ", subsequent_indent="#   ", break_long_words=False)
