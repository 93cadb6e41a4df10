"""Every recipe of docs/inputs.md runs; those of docs/frameworks.md are in tests/frameworks."""

import re
from pathlib import Path

import numpy as np
import pytest

import interjax as ij

PAGE = Path(__file__).parents[1] / "docs" / "inputs.md"
RECIPES = re.findall(
    r"^## ([^\n]+)$(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("recipe", [body for _, body in RECIPES], ids=[name for name, _ in RECIPES])
def test_recipes_give_games_whose_values_differ(recipe):
    made = {"__name__": "recipe"}
    exec(compile(recipe, PAGE.name, "exec"), made)
    games = made.get("games") or [made["game"]]
    for game in games:
        masks = np.random.default_rng(0).random((8, game.n_players)) > 0.5
        values = np.asarray(game(masks))
        assert isinstance(game, ij.Game)
        assert np.isfinite(values).all()
        assert len(np.unique(values)) > 1


def test_every_section_with_code_is_run():
    assert len(RECIPES) == PAGE.read_text().count("```python") == 10
