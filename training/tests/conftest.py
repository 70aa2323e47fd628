"""Lets the tests import the training scripts, which lie side by side in the folder above."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
