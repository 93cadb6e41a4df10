"""Every public function that takes a network takes it in each of four forms, evaluated alike, or says why it cannot."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.four_forms import FORMS, N_INPUTS, four_forms, of_params

import interjax as ij

KEY = jax.random.key(3)
PLAYERS, THREE = ij.Players.features(N_INPUTS), ij.Players.segments([0, 0, 1, 1, 2, 2])
X = np.random.default_rng(0).normal(size=(60, N_INPUTS)).astype(np.float32)
Y = np.array(four_forms()["callable"](X).argmax(axis=1))
Y[::4] = (Y[::4] + 1) % 3
DATA = ij.datasets.Dataset(X[:40], Y[:40], X[40:], Y[40:], "toy", ("a", "b", "c"))
FEW, LABELS = jnp.asarray(X[:4]), jnp.asarray(Y[:4])
MASKS = np.eye(N_INPUTS, dtype=bool)
HIGH = ij.training.ModulatedCrossEntropy(PLAYERS, **ij.training.PRESETS["high-order"])
ATTACKED = {"strengths": (0.1,), "pgd_steps": 3, "occlusions": (), "shuffles": ()}


def parts(network):
    """A network as the two arguments of `evaluation.fgsm`."""
    return network if isinstance(network, tuple) else (network, None)


def checkpoints(form):
    return {step: four_forms(step)[form] for step in (0, 5)}


# Function -> what it gives for a network.
TAKES_A_NETWORK = {
    "masked_game": lambda net: ij.masked_game(net, X[0], players=PLAYERS)(MASKS),
    "masked_games": lambda net: [game(MASKS) for game in ij.masked_games(net, FEW, LABELS, players=PLAYERS)],
    "training.accuracy": lambda net: ij.training.accuracy(net, X, Y, batch_size=25),
    "training.correctly_classified": lambda net: ij.training.correctly_classified(
        net, X, Y, count=9, key=KEY, batch_size=25
    ),
    "evaluation.evaluate": lambda net: ij.evaluation.evaluate(net, DATA, key=KEY, **ATTACKED),
    "evaluation.fgsm": lambda net: ij.evaluation.fgsm(*parts(net), FEW, LABELS, 0.1),
    "evaluation.pgd": lambda net: ij.evaluation.pgd(KEY, net, None, FEW, LABELS, 0.1, steps=2, restarts=2),
    "concepts.attacked_inputs": lambda net: ij.concepts.attacked_inputs(KEY, net, FEW, LABELS, strength=0.1, draws=1),
    "concepts.concept_tables": lambda net: ij.concepts.concept_tables(net, FEW, LABELS, players=PLAYERS),
    "concepts.learn_baseline": lambda net: ij.concepts.learn_baseline(
        net, FEW[:1], LABELS[:1], players=THREE, centre=0.0, reach=0.1, steps=1
    ),
    "representations.activations": lambda net: ij.representations.activations(net, X, layers="output"),
    "representations.activations by functions": lambda net: ij.representations.activations(
        net, X, layers={"twice": lambda model, x: 2 * x}
    ),
    "representations.layer_symbols": lambda net: ij.representations.layer_symbols(net, X, layers=["output"], levels=3),
    "representations.layer_complexity": lambda net: ij.representations.layer_complexity(
        KEY, net, X, Y, layers="output", levels=3, resamples=0
    ),
}
# Function -> what it gives for the form of networks at two steps.
TAKES_CHECKPOINTS = {
    "concepts.checkpoint_concepts": lambda networks: ij.concepts.checkpoint_concepts(
        KEY, networks, DATA, players=THREE, inputs_per_class=3, resamples=2
    ),
    "representations.checkpoint_complexity": lambda networks: ij.representations.checkpoint_complexity(
        KEY, networks, X, Y, layers="output", levels=3, resamples=0
    ),
}


def assert_alike(found, wanted):
    """Equal whole numbers and names, other numbers equal to rounding."""
    chex.assert_trees_all_equal_structs(found, wanted)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        exact = not jnp.issubdtype(jnp.result_type(one), jnp.inexact)
        compare = np.testing.assert_array_equal if exact else np.testing.assert_allclose
        compare(one, other, **({} if exact else {"rtol": 2e-4, "atol": 1e-5}))


@pytest.mark.filterwarnings("ignore:layer .* is quantised", "ignore:.*fewer than 5 inputs")
@pytest.mark.parametrize("name", [*TAKES_A_NETWORK, *TAKES_CHECKPOINTS])
def test_the_form_of_a_network_changes_nothing(name):
    if name in TAKES_A_NETWORK:
        found = {form: TAKES_A_NETWORK[name](network) for form, network in four_forms().items()}
    else:
        found = {form: TAKES_CHECKPOINTS[name](checkpoints(form)) for form in FORMS}
    for form in FORMS[1:]:
        assert_alike(found[form], found["nnx"])


@pytest.mark.parametrize("form", FORMS)
def test_two_networks_of_any_form_are_two_in_a_list_or_a_tuple(form):
    right = [np.argmax(four_forms(seed)["callable"](X), axis=1) == Y for seed in (0, 5)]
    assert not np.all(right[1][right[0]])
    for other in ("nnx", form):
        networks = [four_forms(0)[other], four_forms(5)[form]]
        for several in (networks, tuple(networks), tuple(networks[::-1])):
            with pytest.warns(UserWarning, match=f"only {np.sum(right[0] & right[1])} of 60"):
                rows = ij.training.correctly_classified(several, X, Y, count=60, key=KEY)
            assert np.all(right[0][rows] & right[1][rows])


def test_gradients_need_parameters():
    def measure(form):
        how = {"players": PLAYERS, "pairs": 2, "contexts": 2}
        return ij.dynamics.gradient_statistics(KEY, four_forms()[form], FEW[:2], LABELS[:2], **how)

    wanted = measure("function with params")
    for form in ("nnx", "linen"):
        assert_alike(measure(form), wanted)
    with pytest.raises(ValueError, match="no floating parameters to differentiate"):
        measure("callable")


@pytest.mark.parametrize("form", ["function with params", "callable"])
def test_functions_have_no_layers_by_name(form):
    with pytest.raises(ValueError, match=r"a function has no layers by name: .*layers=\"output\""):
        ij.representations.activations(four_forms()[form], X, layers="first")
    with pytest.raises(ValueError, match="has no quantisers: name the layers"):
        ij.representations.layer_symbols(four_forms()[form], X)


TRAINS = {
    "train": lambda net: ij.training.train(net, (X, Y), key=KEY, optimizer=optax.sgd(0.1), epochs=1),
    "save_network": lambda net: ij.training.save_network("nowhere", ij.networks.NetworkSpec("mlp", (6,), 3), net),
}
LOSSES = {
    "cross_entropy": lambda net: ij.training.cross_entropy(net, FEW, LABELS, KEY),
    "ModulatedCrossEntropy": lambda net: HIGH(net, FEW, LABELS, KEY),
    "order_modulation": lambda net: ij.losses.order_modulation(KEY, net, FEW, LABELS, low=0, high=1, players=PLAYERS),
}


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("name", TRAINS)
def test_what_changes_a_network_takes_an_nnx_module(name, form):
    with pytest.raises(ValueError, match=r"model must be an nnx.Module.* got (tuple|function)"):
        TRAINS[name](four_forms()[form])


@pytest.mark.parametrize("name", LOSSES)
def test_losses_take_what_is_called_with_inputs(name):
    forms = four_forms()
    for form in ("linen", "function with params"):
        with pytest.raises(ValueError, match="must be a function of inputs alone, or an nnx module"):
            LOSSES[name](forms[form])
    module, variables = forms["linen"]
    bound = LOSSES[name](lambda x: module.apply(variables, x, train=False))
    np.testing.assert_allclose(bound, LOSSES[name](forms["callable"]), rtol=1e-4)


def test_the_networks_of_trains_callbacks_are_evaluated_without_dropout():
    accuracies, model = [], four_forms()["nnx"]

    def note(step, network, *log):
        accuracies.append(ij.training.accuracy(network, DATA.test_x, DATA.test_y))

    log = ij.training.train(
        model, DATA, key=KEY, optimizer=optax.sgd(0.0), epochs=2, batch_size=40, on_epoch=note, on_checkpoint=note
    )
    norm = model.norm.mean[...], model.norm.var[...]
    wanted = np.mean(np.argmax(model(DATA.test_x, train=False), axis=1) == DATA.test_y)
    assert accuracies[-2:] == [wanted, wanted] == [log.test_accuracy[-1]] * 2
    chex.assert_trees_all_equal(norm, (model.norm.mean[...], model.norm.var[...]))


CHANGING = {
    "accuracy": lambda net: ij.training.accuracy(net, X, Y),
    "fgsm": lambda net: ij.evaluation.fgsm(net, None, FEW, LABELS, 0.1),
    "activations": lambda net: ij.representations.activations(net, X, layers="output")["output"],
    "activations by functions": lambda net: ij.representations.activations(
        net, X, layers={"logits": lambda net, x: net(x)}
    )["logits"],
}


@pytest.mark.parametrize("name", CHANGING)
def test_arrays_that_a_callable_closes_over_may_change(name):
    weights = jax.tree.map(np.array, four_forms(0)["function with params"][1])

    def network(x):
        return of_params(weights, x)

    CHANGING[name](network)
    jax.tree.map(lambda old, new: np.copyto(old, new), weights, four_forms(5)["function with params"][1])
    found = CHANGING[name](network)
    np.testing.assert_allclose(found, CHANGING[name](lambda x: of_params(weights, x)), rtol=1e-5, atol=1e-6)
    assert not np.allclose(found, CHANGING[name](four_forms(0)["callable"]))


def test_a_function_whose_parameters_can_be_called_is_one_network():
    scale = jax.tree_util.Partial(jnp.multiply, jnp.float32(2))
    eye = jnp.eye(N_INPUTS)[:, :3]
    rows = ij.training.correctly_classified((lambda scale, x: scale(x @ eye), scale), X, Y, count=5, key=KEY)
    np.testing.assert_array_equal(np.argmax(X[rows][:, :3], axis=1), Y[rows])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ([], "several in a list; got an empty one"),
        (["mlp"], "model must be a network.* got 'mlp'"),
        (lambda x: x[:, 0], "y must hold class indices from 0 to 1"),
        (lambda x: x[:, :, None], r"into logits \(2, classes\), got \(2, 6, 1\)"),
        (lambda x: (x, x), r"into logits \(2, classes\), got \(\(2, 6\), \(2, 6\)\)"),
    ],
)
def test_what_is_no_classifier_is_told(network, message):
    with pytest.raises(ValueError, match=message):
        ij.training.correctly_classified(network, X, Y, count=5, key=KEY, batch_size=25)


def test_an_nnx_module_stands_alone():
    forms = four_forms()
    for given in [(forms["nnx"], ()), (forms["nnx"], forms["linen"][1])]:
        with pytest.raises(ValueError, match=r"an nnx\.Module, which holds its parameters"):
            ij.training.accuracy(given, X, Y)
    with pytest.raises(ValueError, match=r"an nnx\.Module, which holds its parameters"):
        ij.evaluation.fgsm(forms["nnx"], (), FEW, LABELS, 0.1)


def test_a_function_that_ignores_its_params_may_be_attacked_with_none():
    of_none = ij.evaluation.fgsm(lambda params, x: x[:, :3], None, FEW, LABELS, 0.1)
    np.testing.assert_array_equal(of_none, ij.evaluation.fgsm(lambda x: x[:, :3], None, FEW, LABELS, 0.1))
