"""CITATION.cff, CHANGELOG.md, CONTRIBUTING.md and the hooks before a commit agree with the package and with .ci/run."""

import re
import tomllib
from pathlib import Path

import yaml

import interjax as ij

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
RUN = (ROOT / ".ci" / "run").read_text().splitlines()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_version_is_the_same_everywhere():
    changed = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changed[0] == "Unreleased"
    assert PROJECT["project"]["version"] == ij.__version__ == str(CITATION["version"]) == changed[1]


def test_the_citation_is_of_this_project():
    assert str(CITATION["cff-version"]) == "1.2.0"
    assert {"message", "title", "authors", "abstract", "type"} <= set(CITATION)
    assert CITATION["license"] == PROJECT["project"]["license"]
    assert all(author["name"] for author in CITATION["authors"])


def test_the_changelog_keeps_its_form():
    kinds = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_hooks_run_what_the_check_runs():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    hooked = {hook["entry"] for hook in local["hooks"]}
    assert hooked == {"ruff check .", "ruff format --check .", "pyright", "lint-imports"}
    assert hooked <= set(RUN)
    assert all(hook["language"] == "system" for hook in local["hooks"])


def test_contributing_lists_the_rooms_in_order_and_fits_on_a_page():
    rooms = re.findall(r"^\| `(\w+)` \|", CONTRIBUTING, re.MULTILINE)
    (layers,) = [one["layers"] for one in PROJECT["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    assert rooms == layers[::-1]
    assert set(rooms) == {path.parent.name for path in (ROOT / "interjax").glob("*/__init__.py")}
    assert len(CONTRIBUTING.splitlines()) <= 65
