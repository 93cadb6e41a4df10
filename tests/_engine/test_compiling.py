"""One compiled program serves all orders, pairs and inputs of a run."""

import jax
import numpy as np
import pytest

import interjax as ij
from interjax._engine import _rows


def games_of(inputs, fold):
    network = ij.networks.build("mlp", (6, 6, 1), 3, hidden=(16,))
    x = np.random.default_rng(0).normal(size=(inputs, 6, 6, 1)).astype(np.float32)
    return ij.masked_games(network, x, [0] * inputs, players=ij.Players.grid((6, 6, 1), (6, 6)), fold=fold)


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("method", ["blocks", "quadruples"])
def test_all_rows_of_a_profile_run_through_one_program(fold, method):
    jax.clear_caches()
    ij.order_profile(jax.random.key(0), games_of(3, fold), contexts=3, n_pairs=60, method=method, correction="none")
    assert _rows.compute_rows._cache_size() == (2 if fold else 1)  # folded values are compared with the network's own


def test_more_inputs_and_orders_compile_nothing_more(compilations):
    first, *others = games_of(3, True)
    settings = {"contexts": 3, "n_pairs": 60, "correction": "none"}
    ij.order_profile(jax.random.key(0), first, orders=[0, 5, 17, 34], **settings)
    compilations.clear()
    ij.order_profile(jax.random.key(1), others, orders=[0, 1, 9, 20, 30, 34], **settings)
    assert not compilations
