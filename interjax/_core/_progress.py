"""How long work tells how far it is."""

from collections.abc import Callable
from typing import Any

Progress = Callable[[int, int], Any]
"""Called with (done, in all)."""

Stages = Callable[[str, int, int], Any]
"""Called with (what is being done, done of it, in all)."""
