"""What every public function of a random key promises, checked for each entry of the table."""

import functools
import importlib
import inspect
import re
import types
import warnings

import jax
import numpy as np
import pytest
from laws.given import Given
from laws.table import ENTRIES, EXEMPT

import interjax as ij

KEY, OTHER_KEY = jax.random.key(3), jax.random.key(4)
BAD_KEYS = {
    "an integer": 3,
    "an old key": jax.random.PRNGKey(3),
    "no key": None,
    "several keys": jax.random.split(KEY),
    "a name": "key",
}


def parameters_of(entry):
    return inspect.signature(entry.function(Given())).parameters


def entries(law, applies=lambda entry: True):
    """The entries that a law is about; those that are known to break it must break it."""
    return pytest.mark.parametrize(
        "entry",
        [
            pytest.param(each, id=str(each), marks=pytest.mark.xfail(reason=each.broken[law], strict=True))
            if law in each.broken
            else pytest.param(each, id=str(each))
            for each in ENTRIES
            if applies(each)
        ],
    )


def takes(*names):
    return lambda entry: any(name in parameters_of(entry) or name in entry.also for name in names)


def quietly(entry, *arguments, **keywords):
    """The answer; what else the small calls are warned of is not the laws' subject."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return entry(*arguments, **keywords)


@functools.cache
def answer_of(entry):
    return quietly(entry, KEY)


def leaves_of(answer):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(answer)]


def assert_same(answer, expected, rtol=0.0, atol=0.0):
    """Equal structure, static fields and types; equal numbers, or floating ones to rounding."""
    assert jax.tree.structure(answer) == jax.tree.structure(expected)
    for one, other in zip(leaves_of(answer), leaves_of(expected), strict=True):
        assert one.dtype == other.dtype
        if rtol and one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)
        else:
            np.testing.assert_array_equal(one, other)


def assert_equal_to_rounding(answer, expected):
    assert_same(answer, expected, rtol=1e-3, atol=1e-5)


@entries("same key")
def test_the_same_key_gives_the_same_answer_bit_for_bit(entry):
    assert_same(quietly(entry, KEY), answer_of(entry))


@entries("other key")
def test_another_key_gives_another_answer(entry):
    pairs = zip(leaves_of(quietly(entry, OTHER_KEY)), leaves_of(answer_of(entry)), strict=True)
    assert not all(one.shape == other.shape and np.array_equal(one, other, equal_nan=True) for one, other in pairs)


@entries("batch size", lambda entry: takes(entry.batch)(entry))
def test_any_batch_size_gives_the_same_answer(entry):
    assert_equal_to_rounding(quietly(entry, KEY, **{entry.batch: 3}), answer_of(entry))


@entries("devices", takes("mesh"))
@pytest.mark.parametrize("devices", [1, 2, 8])
def test_any_number_of_devices_gives_the_same_answer(entry, devices):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("rows",))
    assert_equal_to_rounding(quietly(entry, KEY, mesh=mesh), answer_of(entry))


@entries("chunks", takes("index"))
def test_inputs_with_their_numbers_can_be_given_in_parts(entry):
    names, axis = entry.rows
    arguments = entry.arguments(Given())
    whole = np.asarray(answer_of(entry))
    for part in np.split(np.arange(whole.shape[axis]), 2):
        rows = {name: arguments[name][part] for name in names}
        assert_equal_to_rounding(np.asarray(quietly(entry, KEY, index=part, **rows)), whole.take(part, axis))


@entries("save")
def test_results_come_back_from_their_files(entry, tmp_path):
    is_result = lambda each: hasattr(each, "save")  # noqa: E731
    for number, found in enumerate(jax.tree.leaves(answer_of(entry), is_leaf=is_result)):
        if is_result(found):
            found.save(tmp_path / str(number))
            assert_same(type(found).load(tmp_path / str(number)), found)


@entries("nan", lambda entry: entry.meets_values)
def test_values_that_are_nan_are_reported(entry):
    """By an error or a warning that says so, or by NaN in the answer."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = entry(KEY, Given(broken=True))
        except ValueError as error:
            assert re.search("NaN|finite", str(error))  # noqa: PT017
            return
    told = any(re.search("NaN|finite|loss is nan", str(each.message)) for each in caught)
    assert told or any(leaf.dtype.kind == "f" and np.isnan(leaf).any() for leaf in leaves_of(answer))


@entries("bad key")
@pytest.mark.parametrize("kind", BAD_KEYS)
def test_what_is_no_key_is_refused(entry, kind):
    if BAD_KEYS[kind] is None and parameters_of(entry)["key"].default is None:
        return  # None has a meaning there
    with pytest.raises(ValueError, match="key"):
        quietly(entry, BAD_KEYS[kind])


@pytest.mark.parametrize(
    ("entry", "name"), [pytest.param(each, name, id=f"{each}: {name}") for each in ENTRIES for name in each.wrong]
)
def test_a_wrong_argument_is_refused_by_its_name(entry, name):
    with pytest.raises(ValueError, match=rf"\b{name}"):
        quietly(entry, KEY, **{name: entry.wrong[name]})


@entries("unknown keyword")
def test_an_unknown_keyword_is_refused_by_its_name(entry):
    with pytest.raises(TypeError, match="no_such_option"):
        quietly(entry, KEY, no_such_option=1)


@entries("traces", lambda entry: not entry.varying)
def test_another_key_and_other_inputs_compile_nothing_more(entry, compilations):
    answer_of(entry)
    compilations.clear()
    quietly(entry, OTHER_KEY, Given(seed=1))
    assert not compilations


# The table


def public_functions_of_a_key():
    """Names below `interjax` of functions and methods with a parameter `key`."""
    for room in (each for each in ij.__all__ if isinstance(getattr(ij, each), types.ModuleType)):
        module = importlib.import_module(f"interjax.{room}")
        for name in module.__all__:
            for place, function in members_of(f"{room}.{name}", getattr(module, name)):
                if callable(function) and "key" in signature_of(function):
                    yield place


def members_of(place, found):
    yield place, found
    if inspect.isclass(found):
        for name, member in inspect.getmembers(found, callable):
            if name == "__call__" or name[0] != "_":
                yield f"{place}.{name}", member
    if inspect.ismodule(found):
        for name, member in vars(found).items():
            if name[0] != "_" and getattr(member, "__module__", None) == found.__name__:
                yield f"{place}.{name}", member


def signature_of(function):
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def test_the_table_holds_every_public_function_of_a_key():
    listed = {entry.name for entry in ENTRIES} | set(EXEMPT)
    assert set(public_functions_of_a_key()) == listed
    assert not {entry.name for entry in ENTRIES} & set(EXEMPT)


def test_an_entry_is_told_from_the_others():
    assert len({str(entry) for entry in ENTRIES}) == len(ENTRIES)
