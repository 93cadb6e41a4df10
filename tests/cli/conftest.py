"""Commands draw each kind of picture once in a process; one more of a kind is a copy of the first."""

import sys
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

_drawn: dict[tuple, bytes] = {}


def _kind(figure, caller):
    """Where a picture is drawn, and what can go wrong in drawing it: its artists, its scales, unusual characters."""
    artists = figure.findobj()
    scales = [(each.get_xscale(), each.get_yscale()) for each in artists if isinstance(each, Axes)]
    letters = {letter for each in artists if isinstance(each, Text) for letter in each.get_text()}
    unusual = frozenset(letter for letter in letters if letter == "$" or not letter.isascii())  # formulas, other fonts
    return caller.f_code, caller.f_lineno, frozenset(map(type, artists)), tuple(scales), unusual


@pytest.fixture(autouse=True)
def _a_picture_of_each_kind(monkeypatch):
    savefig = Figure.savefig

    def saved(figure, path, **options):
        kind = _kind(figure, sys._getframe(1))
        if kind in _drawn:
            Path(path).write_bytes(_drawn[kind])
        else:
            savefig(figure, path, **options)
            _drawn[kind] = Path(path).read_bytes()

    monkeypatch.setattr(Figure, "savefig", saved)
