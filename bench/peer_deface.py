"""A public anonymiser of faces beside the road-photo bench: `deface` (MIT, CenterFace), in an environment of its own.

Run by `bench.bench_photos` with the Python of that environment; see there how it is installed. It answers each line of
its input, a list of pictures as JSON, with seconds and seconds of processor time, as JSON. Pictures are done by the
function of deface for one picture with the defaults of its command line, on the fastest engine that it knows. The model
is loaded once, before anything is timed, as ours are.
"""

import json
import sys
import time
from pathlib import Path

from deface import __version__  # type: ignore[import-not-found, unused-ignore]
from deface.centerface import CenterFace  # type: ignore[import-not-found, unused-ignore]
from deface.deface import image_detect  # type: ignore[import-not-found, unused-ignore]

THRESHOLD, GROWN = 0.2, 1.3
"""Least score, and how much larger than the face what is blurred is: the defaults of deface's command line."""


def anonymise(face: CenterFace, picture: Path, target: Path) -> None:
    """Do one picture as `deface PICTURE --output TARGET` does."""
    image_detect(
        str(picture),
        str(target),
        face,
        threshold=THRESHOLD,
        replacewith="blur",
        mask_scale=GROWN,
        ellipse=True,
        draw_scores=False,
        enable_preview=False,
        keep_metadata=False,
    )


def main() -> None:
    """Load the model, say so, and do what each line asks for."""
    target = Path(sys.argv[1])
    said = sys.stdout
    sys.stdout = sys.stderr  # deface prints; only answers go out
    face = CenterFace(backend="onnxrt")
    print(json.dumps({"version": __version__}), file=said, flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for number, picture in enumerate(json.loads(line)):
            anonymise(face, Path(picture), target / f"{number}.jpg")
        answer = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), file=said, flush=True)


if __name__ == "__main__":
    main()
