"""Lets the tests import the training scripts, which lie side by side in the folder above and in `plates`."""

import sys
from pathlib import Path

TRAINING = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TRAINING), str(TRAINING / "plates")]
