"""Where people and vehicles went: the tracks of a camera's newest days, thinned, for the editor to draw faintly."""

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wayside.warehouse.parquet import ParquetWarehouse
    from wayside.warehouse.scope import Scope


def newest_paths(warehouse: "ParquetWarehouse", source: str, camera: str, *, days: int, most: int) -> dict[str, Any]:
    """Return tracks of at most so many days, newest first.

    Several processors track the same objects, so those of one are shown: of the one that counted last.

    Returns:
        `paths`, lists of [x, y] as fractions of the picture; `tracks`, how many; `days`, which ones, in words.
    """
    from wayside.core.tables import TRACKS

    counted: dict[tuple[int, int], list[Scope]] = defaultdict(list)
    for scope in warehouse.scopes(TRACKS, [source], cameras=[camera]):
        if scope.day and scope.processor and scope.version:
            counted[scope.processor, scope.version].append(scope)
    if not counted:
        return {"paths": [], "tracks": 0, "days": ""}
    scopes = max(counted.values(), key=lambda listed: (max(str(scope.day) for scope in listed), len(listed)))
    newest = sorted(scopes, key=lambda scope: str(scope.day), reverse=True)[:days]
    paths: list[list[list[float]]] = []
    seen: list[str] = []
    for scope in newest:
        if len(paths) >= most:
            break
        rows = warehouse.read(TRACKS, scope).slice(0, most - len(paths))
        paths += [path for text in rows["path"].to_pylist() if len(path := _path(text)) > 1]
        seen.append(str(scope.day))
    return {"paths": paths, "tracks": len(paths), "days": seen[0] if len(seen) == 1 else f"{seen[-1]} to {seen[0]}"}


def _path(text: str) -> list[list[float]]:
    return [[round(x, 4), round(y, 4)] for _, x, y in json.loads(text)]
