"""Every public function and class says what it does, what each argument is, and what each field holds."""

import dataclasses
import importlib
import inspect
import pkgutil
import re

import pytest

import interjax
from interjax._core._results import Saved

FACES = [
    "interjax",
    *(f"interjax.{room.name}" for room in pkgutil.iter_modules(interjax.__path__) if not room.name.startswith("_")),
]
# They read files that a user downloads.
WITHOUT_EXAMPLE = {"adult", "cifar10", "mnist"}


def public_things():
    """(name, thing) of all functions and classes on all faces, each once."""
    found = {}
    for face in map(importlib.import_module, FACES):
        for name in getattr(face, "__all__", []):
            thing = getattr(face, name)
            if inspect.isclass(thing) or inspect.isroutine(thing) or hasattr(thing, "__wrapped__"):
                found.setdefault(id(thing), (f"{face.__name__}.{name}", thing))
    return dict(sorted(found.values(), key=lambda pair: pair[0]))


THINGS = public_things()
FUNCTIONS = {name: thing for name, thing in THINGS.items() if not inspect.isclass(thing)}
CLASSES = {name: thing for name, thing in THINGS.items() if inspect.isclass(thing)}


def section(thing, title):
    """The indented text under a title of the docstring; empty if there is none."""
    documented = re.search(rf"^{title}:\n((?: +.*\n|\n)*)", f"{inspect.getdoc(thing) or ''}\n", re.MULTILINE)
    return inspect.cleandoc("\n" + documented.group(1)) if documented else ""


def entries(thing, *titles):
    """The names that sections explain; several may share a line, "a, b: ..."."""
    lines = "\n".join(section(thing, title) for title in titles).splitlines()
    named = [re.match(r"((?:\*{0,2}\w+, )*\*{0,2}\w+): \S", line) for line in lines]
    return {name.lstrip("*") for each in named if each for name in each.group(1).split(", ")}


def first_line(thing):
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def test_the_faces_are_walked():
    assert {"interjax.order_profile", "interjax.concepts.and_or", "interjax.plots.profile"} <= set(FUNCTIONS)
    assert {"interjax.OrderProfile", "interjax.training.TrainingLog"} <= set(CLASSES)


@pytest.mark.parametrize("name", THINGS)
def test_it_says_in_a_line_what_it_does(name):
    assert re.search(r"[.:]$", first_line(THINGS[name])), f"{name} begins with {first_line(THINGS[name])!r}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_argument_is_explained(name):
    missing = set(inspect.signature(FUNCTIONS[name]).parameters) - entries(FUNCTIONS[name], "Args")
    assert not missing, f"{name} does not say what these are: {sorted(missing)}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_comes_back_is_explained(name):
    assert section(FUNCTIONS[name], "Returns")


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.rpartition(".")[2] not in WITHOUT_EXAMPLE])
def test_there_is_an_example_that_runs(name):
    assert ">>> " in section(FUNCTIONS[name], "Example")


@pytest.mark.parametrize("name", [name for name, kind in CLASSES.items() if dataclasses.is_dataclass(kind)])
def test_each_field_is_explained(name):
    """Of a result under `Attributes:`; of what users make themselves `Args:` will do."""
    kind = CLASSES[name]
    titles = ("Attributes",) if issubclass(kind, Saved) else ("Attributes", "Args")
    explained = set().union(*(entries(each, *titles) for each in kind.__mro__ if each is not object))
    missing = {field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")} - explained
    assert not missing, f"{name} does not say what these are: {sorted(missing)}"


@pytest.mark.parametrize("name", CLASSES)
def test_each_method_says_in_a_line_what_it_does(name):
    own = {key: value for key, value in vars(CLASSES[name]).items() if not key.startswith("_")}
    methods = {key: value for key, value in own.items() if callable(value) or hasattr(value, "__get__")}
    fields = getattr(CLASSES[name], "__dataclass_fields__", {})
    silent = sorted(key for key, value in methods.items() if key not in fields and not first_line(value))
    assert not silent, f"{name} has methods without a docstring: {silent}"
