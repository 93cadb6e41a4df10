"""Every recipe of docs/inputs.md runs; those of docs/frameworks.md are in tests/frameworks."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "inputs.md"
RECIPES = re.findall(
    r"^## ([^\n]+)$(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("recipe", [body for _, body in RECIPES], ids=[name for name, _ in RECIPES])
def test_recipes_run(recipe):
    exec(compile(recipe, PAGE.name, "exec"), {"__name__": "recipe"})


def test_every_section_with_code_is_run():
    assert len(RECIPES) == PAGE.read_text().count("```python") == 4
