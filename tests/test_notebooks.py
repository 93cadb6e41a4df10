"""The notebooks run from start to end, and what is stored in them is fit for everyone."""

import contextlib
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A kernel as a user has it, in an empty folder; one for all, as each would import and compile the same again."""
    place = {"metadata": {"path": str(tmp_path_factory.mktemp("notebooks"))}}
    client = NotebookClient(nbformat.v4.new_notebook(), timeout=300, kernel_name="python3", resources=place)
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as changed:
            changed.setenv("INTERJAX_NOTEBOOK_SMALL", "1")
            changed.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]), prepend=os.pathsep)
            changed.setenv("XLA_FLAGS", os.environ.get("INTERJAX_TEST_XLA_FLAGS", ""))
            for name in ("INTERJAX_DATA", "MPLBACKEND"):
                changed.delenv(name, raising=False)
            stack.enter_context(client.setup_kernel())
            quick = "import gc, support.lowering\ngc.set_threshold(100_000, 20, 100)\nsupport.lowering.share_contexts()"
            client.nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(quick)])
            client.execute(cleanup_kc=False)
        yield client


@pytest.fixture
def execute(client):
    """Execute a notebook in the small setting, with no names and settings but its own and the given variables."""

    def run(notebook, **variables):
        lines = ["import os, matplotlib", f"os.environ.update({variables})", "matplotlib.rcdefaults()", "%reset -f"]
        start = nbformat.v4.new_code_cell("\n".join(lines))
        client.nb = nbformat.v4.new_notebook(cells=[start, *notebook.cells])
        client.execute(cleanup_kc=False)
        return notebook

    return run


def text_of(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, execute):
    notebook = execute(nbformat.read(path, as_version=4))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)  # it ran to its pictures
    assert not any(output.output_type == "error" for output in outputs)


def test_the_first_notebook_takes_mnist_where_there_is_some(data_folder, execute):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    first = next(number for number, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells = notebook.cells[: first + 1]
    assert "Dataset('mnist'" in text_of(execute(notebook, INTERJAX_DATA=str(data_folder)))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_is_whole_and_small(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 400_000
    assert not re.search(r"/(root|home|work|tmp|Users)/", path.read_text())
    kinds = {output.output_type for cell in notebook.cells for output in cell.get("outputs", [])}
    assert "error" not in kinds
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))  # run in order, or not at all
