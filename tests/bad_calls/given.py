"""What the good calls are made of: small inputs, networks, games, explanations and results, each made once."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import interjax as ij

KEY = jax.random.key(3)
N = 4
PLAYERS = ij.Players.features(N)
OTHER_PLAYERS = ij.Players.features(N + 1)
OPTIMIZER = optax.sgd(0.1)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X, LABELS = normal(6, N), np.array([0, 1] * 3)
IMAGES = normal(4, 4, 4, 1)
GRID = ij.Players.grid((4, 4, 1), (2, 2))
TABLE, TABLES = normal(1 << N).astype(float), normal(6, 1 << N, seed=1).astype(float)
ROWS = normal(64, N)
SOURCES, TARGET = (np.arange(64)[:, None] >> np.arange(3) & 1), np.arange(64) % 2


@functools.cache
def network(features: int = N, seed: int = 0, classes: int = 2) -> Any:
    return ij.networks.build("mlp", (features,), classes, hidden=(3,), seed=seed)


@functools.cache
def quantised(seed: int = 0) -> Any:
    return ij.networks.build("quantised_mlp", (N,), 2, hidden=(3,), levels=2, seed=seed)


QUANTISED_LAYER = ij.representations.quantised_layers(quantised())[0]


SPEC = ij.networks.NetworkSpec("mlp", (N,), 2, {"hidden": (3,)})


@functools.cache
def game(features: int = N) -> ij.Game:
    return ij.masked_game(
        network(features), normal(features), players=ij.Players.features(features), output=ij.log_odds(0)
    )


@functools.cache
def games() -> list[ij.Game]:
    return ij.masked_games(network(), X[:2], LABELS[:2], players=PLAYERS)


@functools.cache
def data(features: int = N, classes: int = 2) -> ij.datasets.Dataset:
    x, y = normal(24, features), np.arange(24) // 2 % classes
    return ij.datasets.Dataset(x[:16], y[:16], x[16:], y[16:], "toy", tuple(f"class {each}" for each in range(classes)))


@functools.cache
def image_data() -> ij.datasets.Dataset:
    x, y = normal(16, 4, 4, 1), np.arange(16) % 2
    return ij.datasets.Dataset(x[:8], y[:8], x[8:], y[8:], "toy images", ("no", "yes"))


@functools.cache
def image_data_in_range() -> ij.datasets.Dataset:
    """Images whose values lie in [0, 1]."""
    x, y = np.random.default_rng(0).random((8, 4, 4, 1)).astype(np.float32), np.arange(8) % 2
    return ij.datasets.Dataset(x, y, x, y, "grey", ("no", "yes"))


@functools.cache
def folder() -> Path:
    """A folder of this process alone."""
    found = tempfile.TemporaryDirectory(prefix="interjax-bad-calls-")
    _kept.append(found)
    return Path(found.name)


_kept: list[Any] = []


@functools.cache
def a_file() -> Path:
    path = folder() / "a-file"
    path.write_text("no result")
    return path


@functools.cache
def saved_network() -> Path:
    where = folder() / "network"
    ij.training.save_network(where, SPEC, SPEC.build(0))
    return where


@functools.cache
def explanation() -> Any:
    return ij.concepts.and_or(TABLES)


@functools.cache
def other_explanation() -> Any:
    """Of other players, and of another number of inputs."""
    return ij.concepts.and_or(normal(5, 8).astype(float))


@functools.cache
def joint() -> Any:
    return ij.concepts.joint_and_or(TABLES[None, :2].repeat(2, 0))


def checkpoints() -> dict[int, Any]:
    return {1: network(seed=1), 10: network(seed=2)}


@functools.cache
def dynamics() -> Any:
    return ij.concepts.checkpoint_concepts(
        KEY, checkpoints(), data(), players=PLAYERS, inputs_per_class=3, resamples=4, keep_effects=True
    )


@functools.cache
def analysis() -> Any:
    return ij.concepts.analyse(KEY, network(), data(), players=PLAYERS, inputs_per_class=4, kind="and")


@functools.cache
def profile() -> ij.OrderProfile:
    return ij.order_profile(KEY, games(), contexts=4)


@functools.cache
def profile_of_others() -> ij.OrderProfile:
    """Of other players."""
    return ij.order_profile(KEY, game(N + 1), contexts=4)


@functools.cache
def comparison() -> ij.ProfileComparison:
    return ij.compare_profiles(profile(), ij.order_profile(jax.random.key(4), games(), contexts=4))


@functools.cache
def interactions() -> ij.OrderInteractions:
    return ij.order_interactions(KEY, game(), contexts=4)


@functools.cache
def complexity() -> Any:
    return ij.pid.representational_complexity(SOURCES, TARGET, key=KEY, resamples=2)


@functools.cache
def grouped() -> Any:
    return ij.pid.grouped_complexity(SOURCES, TARGET, [(0, 1), (2,)], key=KEY, resamples=2)


@functools.cache
def subsets() -> Any:
    return ij.pid.subset_complexity(KEY, SOURCES, TARGET, size=2, count=2)


@functools.cache
def decomposed() -> Any:
    return ij.pid.decompose(SOURCES, TARGET)


@functools.cache
def invariants() -> Any:
    return ij.pid.shannon_invariants(SOURCES, TARGET)


@functools.cache
def complexity_dynamics() -> Any:
    return ij.representations.checkpoint_complexity(KEY, {1: quantised(), 10: quantised(1)}, ROWS, TARGET, resamples=2)


@functools.cache
def evaluation() -> Any:
    return ij.evaluation.evaluate(network(), data(), key=KEY, pgd_steps=1, limit=4)


@functools.cache
def log() -> Any:
    return ij.training.train(
        ij.networks.build("mlp", (N,), 2, hidden=(3,)), data(), key=KEY, optimizer=OPTIMIZER, steps=3, batch_size=4
    )


@functools.cache
def gradients() -> Any:
    return ij.dynamics.gradient_statistics(
        KEY, network(), X[:2], LABELS[:2], players=PLAYERS, orders=[0, 1], pairs=2, contexts=2
    )


def wrong_networks() -> dict[str, Any]:
    """Networks that are none, or do not fit."""
    return {
        "a_network_of_other_inputs": network(N + 1),
        "a_function_that_gives_nothing": lambda x: None,
        "a_function_that_gives_text": lambda x: "logits",
        "a_function_that_gives_a_pair": lambda x: (x, x),
        "a_function_of_nothing": lambda: 0,
        "a_function_that_loses_the_batch": lambda x: jnp.sum(x),
        "a_type": ij.networks.MLP,
        "a_spec": SPEC,
        "a_pair_of_numbers": (1, 2),
    }
