"""How the record of a road photo is made: the choices a profile may take."""

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

PLACEHOLDERS: Final = (
    "relative_input_dir",
    "aar",
    "maaned",
    "dag",
    "fylke",
    "vegkat",
    "vegstat",
    "vegnr",
    "hp",
    "meter",
    "feltkode",
    "strekningreferanse",
)
"""What may stand in braces in a folder template: below `top_dir`, year, month, day, county of two digits ..."""

_BRACES: Final = re.compile(r"\{([^{}]*)\}")


class RecordOptions(BaseModel):
    """How the record of a picture is made.

    Attributes:
        data_owner: who owns the pictures (`exif_dataeier`).
        county: number of the county, for pictures that do not tell theirs.
        force_county: `county` also replaces what a picture tells.
        image_type: `Planar` or `360`.
        folder_template: the folder as the record names it (`mappenavn`), see `PLACEHOLDERS`.
        top_dir: the folder name below which `{relative_input_dir}` begins; capitals count.
        remove_image_type: leave out a folder `planar` that follows the year.
        layout: keys and rules of the record: `v2`, or those of the systems before it, `v1` and `old`.
        compat: repeat the defects of the replaced system's records; personal texts are hidden even so.
        version: what the record says made it (`versjon`), 31 characters at the most; empty: null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_owner: str | None = None
    county: Annotated[int, Field(ge=1, le=99)] | None = None
    force_county: bool = False
    image_type: Literal["Planar", "360"] = "Planar"
    folder_template: str = "Vegbilder/{relative_input_dir}"
    top_dir: str = "tilSladding"
    remove_image_type: bool = False
    layout: Literal["v2", "v1", "old"] = "v2"
    compat: bool = False
    version: Annotated[str, Field(max_length=31)] = ""

    @field_validator("folder_template")
    @classmethod
    def _known(cls, template: str) -> str:
        if unknown := sorted(set(_BRACES.findall(template)) - set(PLACEHOLDERS)):
            raise ValueError(f"unknown placeholders {', '.join(unknown)}; there are {', '.join(PLACEHOLDERS)}")
        return template

    def folder(self, values: dict[str, str]) -> str:
        """Return the folder that the template makes of values for its placeholders; an unknown value is empty."""
        return _BRACES.sub(lambda found: values.get(found[1], ""), self.folder_template)
