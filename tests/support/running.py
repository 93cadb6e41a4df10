"""What tests of commands and of resumed runs share."""

import json
import sys

import jax
import jax.numpy as jnp
import pytest
from click.testing import CliRunner
from flax import nnx

from interjax import cli


def interjax(*arguments):
    """Run the command in this process; an exception that it does not handle is raised."""
    return CliRunner().invoke(cli.cli, list(map(str, arguments)), catch_exceptions=False)


def main(monkeypatch, *arguments):
    """Run the entry point; return the message or the code with which it ends."""
    monkeypatch.setattr(sys, "argv", ["interjax", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def numbers(folder, name):
    """What a command wrote in a file of JSON, which has no NaN."""

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads((folder / name).read_text(), parse_constant=refuse)


class Killed(Exception):
    """Stands for a process that is killed."""


def kill_at(step):
    """A progress callback that ends the run at this step."""

    def progress(done, total):
        if done == step:
            raise Killed

    return progress


def arrays_of(model):
    """Every array of a network, its dropout stream as numbers."""
    leaves = jax.tree.leaves(nnx.state(model))
    return [jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf for leaf in leaves]
