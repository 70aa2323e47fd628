"""Files of the video importer that are no part of the project.

`$WAYSIDE_TEST_DATA` (or `../shared/data` beside the repository) is where they lie; without them tests are skipped.
CamioCam/examples, MIT.
"""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("WAYSIDE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "video-import"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no bookmarks in {SHARED}; set WAYSIDE_TEST_DATA")
