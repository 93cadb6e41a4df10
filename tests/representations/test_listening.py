"""What is heard of the modules of a network, and why `nnx.capture` cannot hear it: see `_listening.py`."""

import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import interjax
from interjax.representations._listening import listen

X = np.ones((2, 4), np.float32)


class Parent(nnx.Module):
    """Its second layer is called before and after its first one."""

    def __init__(self, rngs):
        self.first, self.second = (nnx.Linear(4, 4, rngs=rngs) for _ in range(2))

    def hidden(self, x):
        return jnp.tanh(self.first(x))

    def __call__(self, x):
        return self.second(self.hidden(self.second(x)))


class Inherits(Parent):
    """Has all methods from its parent."""


class Extends(Parent):
    def __call__(self, x):
        return super().__call__(x) + 1


class Both(nnx.Module):
    def __init__(self, rngs):
        self.parent, self.child = Parent(rngs), Extends(rngs)

    def __call__(self, x):
        return self.child(self.parent(x))


class Static(nnx.Module):
    def __init__(self, rngs):
        self.layer = nnx.Linear(4, 4, rngs=rngs)

    @staticmethod
    def activation(x):
        return jnp.tanh(x)

    def __call__(self, x):
        return self.activation(self.layer(x))


class Nested(nnx.Module):
    class Options:
        scale = 2.0

    def __init__(self, rngs):
        self.layer, self.options = nnx.Linear(4, 4, rngs=rngs), self.Options()

    def __call__(self, x):
        return self.layer(x) * (self.options.scale if isinstance(self.options, self.Options) else jnp.nan)


class Rematerialised(nnx.Module):
    def __init__(self, rngs):
        self.first, self.second = (nnx.Linear(4, 4, rngs=rngs) for _ in range(2))

    def __call__(self, x):
        return self.second(jax.checkpoint(lambda x: self.first(x))(x))


OF_PARENT = ["second", "first", "hidden", "second", ""]
HEARD = {
    Parent: OF_PARENT,
    Inherits: OF_PARENT,
    Both: [f"{name}.{part}".strip(".") for name in ("parent", "child") for part in OF_PARENT] + [""],
    Static: ["layer", ""],
    Nested: ["layer", ""],
    Rematerialised: ["second", ""],
}


def captured(model, x):
    """The paths that `nnx.capture` gives, in its order, as `listen` would name them."""
    found = []

    def walk(part, path):
        for name, value in part.items():
            if isinstance(value, nnx.Variable):
                place = path if name == "__call__" else (*path, name)
                found.extend([".".join(map(str, place))] * len(value.get_value()))
            else:
                walk(value, (*path, name))

    walk(nnx.capture(model, nnx.Intermediate, method_outputs=nnx.Intermediate)(x)[1], ())
    return found


def paths(model, x):
    with listen(model) as heard:
        model(x)
    return [path for path, _ in heard]


@pytest.mark.parametrize("kind", HEARD)
def test_every_call_is_heard_once_in_its_order(kind):
    assert paths(kind(nnx.Rngs(0)), X) == HEARD[kind]


def test_classes_are_assigned_in_one_file():
    package = Path(interjax.__file__).parent
    found = {str(path.relative_to(package)) for path in package.rglob("*.py") if '"__class__"' in path.read_text()}
    assert found == {"representations/_listening.py"}


class Waits(nnx.Module):
    """Lets another thread call a layer while it is called itself."""

    def __init__(self, rngs, other):
        self.layer, self.other = nnx.Linear(4, 4, rngs=rngs), other

    def __call__(self, x):
        thread = threading.Thread(target=self.other)
        thread.start()
        thread.join()
        return self.layer(x)


@pytest.fixture
def elsewhere():
    """A function that calls a linear layer of its own, and what came of its calls."""
    layer, ends = nnx.Linear(4, 4, rngs=nnx.Rngs(1)), []

    def call():
        try:
            ends.append(layer(X).shape)
        except ValueError as error:
            ends.append(str(error))

    return call, ends


def test_other_threads_are_left_alone(elsewhere):
    call, ends = elsewhere
    method = nnx.Linear.__call__
    model = Waits(nnx.Rngs(0), call)
    with listen(model) as heard:
        model(X)
        assert nnx.Linear.__call__ is method
    assert ends == [(2, 4)]
    assert [path for path, _ in heard] == ["layer", ""]


def test_a_listener_hears_its_own_thread_only():
    models = [Parent(nnx.Rngs(seed)) for seed in range(2)]
    heard = {}

    def hear(number):
        heard[number] = paths(models[number], X)

    threads = [threading.Thread(target=hear, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {0: OF_PARENT, 1: OF_PARENT}


# Where one of the following fails flax has learned something: if all of them do, `_listening.py` can go.


def test_capture_loses_the_order_of_the_calls():
    found = captured(Parent(nnx.Rngs(0)), X)
    assert sorted(found) == sorted(OF_PARENT)
    assert found != OF_PARENT


@pytest.mark.parametrize("kind", [Inherits, Both, Rematerialised])
def test_capture_hears_too_little_or_too_much(kind):
    assert sorted(captured(kind(nnx.Rngs(0)), X)) != sorted(HEARD[kind])


@pytest.mark.parametrize("kind", [Static, Nested])
def test_capture_changes_what_is_no_method(kind):
    with pytest.raises(TypeError):
        captured(kind(nnx.Rngs(0)), X)


def test_a_captured_value_leaves_the_checkpoint_where_it_does_not_exist():
    @jax.jit
    def values(x):
        found = nnx.capture(Rematerialised(nnx.Rngs(0)), nnx.Intermediate, method_outputs=nnx.Intermediate)(x)[1]
        return found["first"]["__call__"].get_value()

    with pytest.raises(jax.errors.UnexpectedTracerError):
        values(X)


def test_capture_breaks_layers_in_other_threads(elsewhere):
    call, ends = elsewhere
    captured(Waits(nnx.Rngs(0), call), X)
    assert ends == ["Expected '__call__' to be a Variable, got method"]
