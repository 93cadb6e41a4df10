"""The benchmarks start, and those that need no other framework print lines that can be read."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))
LIBRARIES = ("flax", "interjax", "jax", "numpy", "scipy", "torch")


def python(*arguments, folder=BENCHMARKS.parent):
    """Output lines of Python, in a process with JAX as a user starts it and modules of `folder` at hand."""
    environment = os.environ | {"XLA_FLAGS": os.environ.get("INTERJAX_TEST_XLA_FLAGS", "")}  # no eight devices
    environment |= {"PYTHONPATH": os.pathsep.join([str(folder), str(BENCHMARKS.parent)]), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, *arguments]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout.splitlines()


def run(name, *arguments):
    return python(str(BENCHMARKS / name), *arguments)


def private_imports(path):
    """(module, name) of what a file imports from private modules of interjax."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole.startswith("interjax.") and any(part.startswith("_") for part in whole.split(".")):
                    yield node.module, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith("interjax."), f"{path.name} imports {alias.name} as a whole"
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            assert not ast.unparse(node).startswith(("ij.", "interjax.")), f"{path.name} uses {ast.unparse(node)}"


def public_names():
    """The face that lists each (module, name)."""
    found = {}
    for path in sorted((BENCHMARKS.parent / "interjax").rglob("__init__.py"), reverse=True):  # the top's last
        face = ".".join(path.parent.relative_to(BENCHMARKS.parent).parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                found |= {(node.module, alias.name): face for alias in node.names}
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_does(name):
    assert "usage:" in run(name, "--help")[0]


def test_importing_scripts_does_nothing():
    program = f"""
import importlib, os, sys
sys.argv = ["python", "--no-such-option"]
before = dict(os.environ), os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
for name in {[Path(name).stem for name in SCRIPTS]}:
    importlib.import_module(name)
    loaded = set({LIBRARIES}) & set(sys.modules)
    assert not loaded, f"importing {{name}} loads {{loaded}}"
after = dict(os.environ), os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
assert after == before
"""
    assert python("-c", program, folder=BENCHMARKS) == []


def test_importing_what_the_scripts_measure_with_computes_nothing():
    folders = ("measuring", "peers", "support")
    names = [f"{folder}.{path.stem}" for folder in folders for path in sorted((BENCHMARKS / folder).glob("*.py"))]
    program = f"""
import importlib, sys
sys.argv = ["python", "--no-such-option"]
for name in {names}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:  # a peer of the bench extra
        if error.name not in ("torch", "shapiq"):
            raise
import jax
jax.config.update("jax_num_cpu_devices", 3)  # refused once anything was computed
assert jax.device_count() == 3
"""
    assert python("-c", program, folder=BENCHMARKS) == []


@pytest.mark.parametrize("path", sorted(BENCHMARKS.rglob("*.py")), ids=lambda path: str(path.relative_to(BENCHMARKS)))
def test_nothing_private_is_imported_that_has_a_public_name(path):
    public = public_names()
    assert public[("interjax.networks._architectures", "MLP")] == "interjax.networks"
    for module, name in private_imports(path):
        assert (module, name) not in public, f"import {name} from {public[module, name]}"


@pytest.mark.long
def test_the_distance_to_the_limits_is_measured():
    lines = [json.loads(line) for line in run("limit.py", "--fast", "--networks", "mlp", "--rounds", "1")]
    (network,) = [line for line in lines if "network" in line]
    assert lines[0]["benchmark"] == "limit"
    assert lines[0]["clock"] == "CPU seconds"
    assert network["flops_of_a_pass"] == 2 * (64 * 32 + 32 * 10)
    assert 0 < network["plain_share_of_matmul"] < 1.5
    assert lines[-1]["most_coalitions_per_second"] > 0


@pytest.mark.slow
def test_scaling_is_measured_and_drawn(tmp_path):
    lines = [json.loads(line) for line in run("scaling.py", "--fast", "--plot", str(tmp_path / "drawn.png"))]
    varied = {line["varied"] for line in lines[1:]}
    assert varied == {"players", "contexts", "inputs", "virtual devices", "players, exact"}
    assert all(line["seconds"]["min"] > 0 for line in lines[1:])
    assert (tmp_path / "drawn.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the bench extra: PyTorch")
def test_throughput_beside_pytorch():
    lines = [json.loads(line) for line in run("throughput.py", "--fast", "--networks", "mlp")]
    assert max(lines[1]["largest_relative_difference"].values()) < 1e-4
    assert lines[1]["per_second"]["official"]["median"] > 0


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the bench extra: PyTorch")
def test_steps_of_training_beside_pytorch():
    lines = [json.loads(line) for line in run("modulation.py", "--fast", "--networks", "mlp")]
    assert lines[0]["benchmark"] == "modulation"
    (network,) = [line for line in lines if "network" in line]
    modulated = {"low-order", "mid-order", "high-order"}
    assert set(network["largest_relative_difference"]) == modulated
    assert max(max(one.values()) for one in network["largest_relative_difference"].values()) < 1e-5
    assert set(network["over_plain_compiled"]) == modulated | {"order_weighted"}
    assert all(one["min"] > 0 for one in network["milliseconds_a_step"].values())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the bench extra: PyTorch")
def test_transforms_beside_matrices_and_numpy(tmp_path):
    out = tmp_path / "lines.jsonl"
    lines = [json.loads(line) for line in run("concepts.py", "--quick", "--part", "transforms", "--out", str(out))]
    assert out.read_text().splitlines() == [json.dumps(line) for line in lines]
    compared = [line for line in lines if "over_interjax" in line]
    assert {(line["players"], line["tables"]) for line in compared} == {(6, 1), (16, 1), (6, 3)}
    for line in compared:
        assert line["largest_relative_difference"] < (1e-12 if line["dtype"] == "float64" else 1e-3)
        assert ("matrix" in line["over_interjax"]) == (line["players"] == 6)
        assert all(one["min"] > 0 for one in line["milliseconds_a_table"].values())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("shapiq") is None, reason="needs the bench extra: shapiq")
def test_indices_beside_shapiq():
    names = ("SII", "FSII", "Moebius")
    lines = [json.loads(line) for line in run("concepts.py", "--quick", "--part", "indices", "--indices", *names)]
    assert lines[0]["shapiq"]
    assert [line["index"] for line in lines[1:]] == list(names)
    assert all(line["largest_relative_difference"] < 1e-6 for line in lines[1:])
    assert all(line["shapiq_over_interjax"] > 0 for line in lines[1:])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("shapiq") is None, reason="needs the bench extra: shapiq")
def test_a_peer_that_takes_too_long_is_stopped():
    limited = ("--quick", "--part", "indices", "--indices", "SV", "--limit", "0.1")
    (line,) = [json.loads(line) for line in run("concepts.py", *limited)][1:]
    assert line["shapiq_seconds"] == "> 0.1"
    assert line["shapiq_over_interjax_at_least"] > 0


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the bench extra: PyTorch")
def test_explanations_beside_descent_and_highs():
    lines = [json.loads(line) for line in run("concepts.py", "--quick", "--part", "and_or")]
    (optimum,) = [line["loss"] for line in lines if line.get("contender") == "HiGHS"]
    own = [line for line in lines if line.get("contender") == "interjax"]
    assert [line["games"] for line in own] == [1, 2]
    assert all(line["loss"] == pytest.approx(optimum, rel=1e-3) for line in own)
    descents = [line for line in lines if "loss_by_step" in line]
    assert any(line["rate"] == 1e-5 for line in descents)
    assert all(min(line["loss_by_step"].values()) >= 0.999 * optimum for line in descents)


@pytest.mark.long
def test_coverage_is_measured():
    wished = ("--runs", "8", "--cells", "profile network 1 10", "interactions sparse quadruples 5", "profile tanh 3 20")
    _, *lines = [json.loads(line) for line in run("coverage.py", *wished)]
    assert [line["cell"] for line in lines] == ["profile", "interactions", "profile"]
    for line in lines:
        assert line["interval_99"][0] <= line["coverage"] <= line["interval_99"][1]
        assert 0.8 < line["coverage"] <= 1
        assert line["runs"] == 8
