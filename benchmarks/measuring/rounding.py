"""Interactions that rounding makes, against their errors: `rounding.py` says what is measured."""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from support.common import about, print_line

import interjax as ij
from interjax.games._double import in_double
from interjax.games._models import as_apply

PLAYERS, CONTEXTS = 12, 20


def run(options: argparse.Namespace) -> None:
    """Print what was measured where, a line for each linear network, and one for each network of the zoo."""
    print_line(**about(time.process_time, 0))
    for name, network in _linear(np.random.default_rng(0)).items():
        print_line(network=name, **_against_its_error(network, options.keys))
    for name, shape in (("mlp", (28, 28, 1)), ("lenet", (28, 28, 1)), ("resnet20", (32, 32, 3))):
        network = ij.networks.build(name, shape, 10, seed=0)
        network.eval()
        print_line(network=name, **_cost(network, shape))


def _linear(random: np.random.Generator) -> dict[str, Callable[[Any], Any]]:
    """Networks of which every difference of two outputs is linear in the input."""
    kernel = jnp.asarray(random.normal(size=(PLAYERS, 2)), jnp.float32)
    mean, scale = random.uniform(500, 3000, PLAYERS), random.uniform(2, 6, PLAYERS)
    raw, folded = jnp.asarray(mean / scale, jnp.float32), jnp.asarray((mean / scale) @ np.asarray(kernel), jnp.float32)
    return {
        "logits with an offset of 1e5": lambda x: x @ kernel + jnp.float32(1e5),
        "sums that cancel, 1e5": lambda x: (x @ kernel + jnp.float32(1e5)) - jnp.float32(1e5),
        "units that are always on, 3000": lambda x: jax.nn.relu(x @ kernel + 3000.0),
        "columns as they were measured": lambda x: (x + raw[None]) @ kernel - folded[None],
    }


def _against_its_error(network: Callable, keys: int) -> dict[str, Any]:
    """The largest |I| over its error and over that of the values' last digit, and the share of undefined profiles."""
    x = np.random.default_rng(1).normal(size=PLAYERS).astype(np.float32)
    game = ij.masked_game(network, x, players=ij.Players.features(PLAYERS), output=lambda logits: logits[0] - logits[1])
    digit = np.finfo(np.float32).eps * np.abs(ij.tabulate(game)).max()
    ratios, digits, undefined = [], [], 0
    for number in range(keys):
        found = ij.order_interactions(jax.random.key(number), game, contexts=CONTEXTS, exact=False)
        ratios.append(np.max(np.abs(found.mean) / found.stderr))
        digits.append(np.max(np.abs(found.mean) / (2 * digit / np.sqrt(found.count))))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            profile = ij.order_profile(jax.random.key(number), game, contexts=CONTEXTS, exact=False)
        undefined += bool(np.isnan(profile.strength).all())
    return {
        "over_error": round(float(max(ratios)), 2),
        "over_last_digit": round(float(max(digits)), 1),
        "undefined": undefined / keys,
    }


def _cost(network: Any, shape: tuple[int, ...]) -> dict[str, float]:
    """CPU seconds of eight rows in double precision and of compiling the network for as many."""
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(8, *shape)), jnp.float32)
    apply, params = as_apply(network, rows)
    work = {
        "double_first": lambda: in_double(apply, params, rows),
        "double_again": lambda: in_double(apply, params, rows),
        "compile_plain": lambda: jax.block_until_ready(jax.jit(lambda params, rows: apply(params, rows))(params, rows)),
    }
    return {name: _seconds(each) for name, each in work.items()}


def _seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return round(time.process_time() - start, 3)
