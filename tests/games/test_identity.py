"""What a folder keeps of games: equal for equal games alone, with a name for each difference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.games._identity import identity, inputs_of

PLAYERS = ij.Players.features(4)
X = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
W = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)


def network(weights=W, activation=jnp.tanh):
    return lambda x: activation(x @ weights)


def game(**changed):
    options = {"model": network(), "x": X, "players": PLAYERS, "output": ij.log_odds(0)} | changed
    return ij.masked_game(options.pop("model"), options.pop("x"), **options)


CHANGES = {
    "weights": {"model": network(W * 2)},
    "network": {"model": network(activation=jnp.sin)},
    "inputs": {"x": X * 2},
    "players": {"players": ij.Players.segments(np.array([0, 0, 1, 1]))},
    "baseline": {"baseline": 1.0},
    "output": {"output": ij.log_odds(1)},
    "precision": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_of_masked_networks_has_its_name(name):
    first, again, other = identity([game()]), identity([game()]), identity([game(**CHANGES[name])])
    assert first == again
    differing = {key for key in first if first[key] != other[key]}
    assert name in differing
    assert differing <= {name, *(["weights", "network"] if name in ("network", "precision") else [])}


@pytest.mark.parametrize("name", CHANGES)
def test_inputs_are_told_apart_whatever_the_network(name):
    found = inputs_of([game(), game(**CHANGES[name]), game()])
    assert found.shape == (3, 2)
    assert (found[0] == found[2]).all()
    assert (found[0] == found[1]).all() == (name != "inputs")
    assert inputs_of([game(), ij.Game.from_function(jnp.sum, 4)]) is None


@pytest.mark.parametrize("output", [lambda z: z[0], lambda z: z[0] * 2.0])
def test_outputs_are_told_by_what_they_compute(output):
    found = [identity([game(output=one)])["output"] for one in (output, lambda z: z[1])]
    assert found[0] != found[1]
    assert identity([game(output=output)])["output"] == found[0]


def test_functions_are_told_by_what_they_compute():
    one, same, other = (
        identity([ij.Game.from_function(function, 5)])
        for function in (jnp.sum, lambda present: jnp.sum(present), lambda present: jnp.sum(present) * 2)
    )
    assert one == same
    assert one != other


def test_host_functions_are_told_by_their_values():
    one, same, other = (
        identity([ij.Game.from_host(function, 5)])
        for function in (lambda m: m.sum(1), lambda m: m.sum(1) + 0.0, lambda m: m.sum(1) * 1.01)
    )
    assert one == same
    assert one != other


def test_what_host_functions_add_to_an_offset_is_seen():
    one, other = (
        identity([ij.Game.from_host(function, 12)])
        for function in (lambda m: 1e4 + 0.1 * m[:, 0] * m[:, 1], lambda m: 1e4 + 0.3 * m[:, 3] * m[:, 2] * m[:, 5])
    )
    assert one != other


@pytest.mark.parametrize("change", [lambda m: m[:, 0] * 1.0, lambda m: m.sum(1) * 2.0])
def test_a_folder_of_another_host_function_is_refused(tmp_path, change):
    def profile(function):
        return ij.order_profile(jax.random.key(0), ij.Game.from_host(function, 6), contexts=2, folder=tmp_path)

    first = profile(lambda m: m.sum(1) ** 2.0)
    np.testing.assert_array_equal(profile(lambda m: m.sum(1) ** 2.0).strength, first.strength)
    with pytest.raises(ValueError, match=r"holds a run with other settings .*values"):
        profile(change)
