"""One small convolutional network in each framework, a model that a package ships, a forest: see `frameworks.py`."""

import argparse
import dataclasses
import importlib
import importlib.metadata
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from support.common import about, print_line

import interjax as ij

SIDE, CELLS, WIDTH, CLASSES = 16, 4, 8, 10
LAST, FIRST = (SIDE, SIDE, 1), (1, SIDE, SIDE)  # channels
BATCHES = (256, 4096)
JAX_GAME = "game = ij.masked_game(network, x, players=players, baseline=baseline, output=output)"
HOST_GAME = "game = ij.masked_host_game(predict, x, players=players, baseline=baseline, output=output)"
OF_TORCH = f"""
@torch.no_grad()
def predict(inputs):
    return network(torch.from_numpy(inputs)).numpy()
{HOST_GAME}
"""
OF_TORCHAX = """
weights, function = torchax.extract_jax(network)
model = (lambda weights, inputs: function(weights, (inputs,)), weights)
game = ij.masked_game(model, x, players=players, baseline=baseline, output=output)
"""
OF_ONNX = f"""
predict = lambda inputs: session.run(None, {{"bytes": inputs}})[0]
{HOST_GAME}
"""


@dataclasses.dataclass
class Case:
    """A network in one framework.

    Attributes:
        code: what a user writes, of `network` and the other names.
        networks: the network, and one of other weights.
        names: what the code may name besides.
        forward: the framework's own, of masked inputs in NumPy; the result is ready when it returns.
        x, players, baseline: of the game.
        label: the column of outputs that is its value.
        masks: how many, where that is not for the options to say.
    """

    code: str
    networks: tuple[Any, Any]
    forward: Callable[[np.ndarray], np.ndarray]
    x: np.ndarray
    players: ij.Players
    names: dict[str, Any] = dataclasses.field(default_factory=dict)
    baseline: Any = 0.0
    label: int = 3
    masks: int | None = None

    def game(self, network: Any, x: np.ndarray) -> ij.Game:
        scope = {"ij": ij, "network": network, "x": x, "players": self.players, "baseline": self.baseline}
        scope |= self.names | {"output": ij.logit(self.label)}
        exec(self.code, scope)
        return scope["game"]

    @property
    def lines(self) -> int:
        return len([line for line in self.code.splitlines() if line.strip()])


def run(options: argparse.Namespace) -> None:
    """Print what was measured where, and a line for each framework that is installed."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    print_line(benchmark="frameworks", **about(time.perf_counter, 0))
    for (framework, case), (package, make) in CASES.items():
        try:
            made = make()
        except ModuleNotFoundError as error:
            print_line(framework=framework, case=case, missing=error.name)
            continue
        print_line(
            framework=framework, case=case, version=importlib.metadata.version(package), **_measured(made, options)
        )


def _measured(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    masks = np.random.default_rng(2).random((case.masks or options.masks, case.players.n)) < 0.5
    present = np.asarray(case.players.spread(jnp.asarray(masks)))
    filled = np.where(present, case.x, np.asarray(case.baseline, case.x.dtype))
    game = case.game(case.networks[0], case.x)
    expected = np.concatenate([case.forward(part) for part in np.array_split(filled, -(-len(filled) // 256))])
    difference = np.abs(np.asarray(game(masks)) - expected[:, case.label]).max()
    compiled = []
    for network in case.networks:
        with _Compilations() as found:
            case.game(network, case.x[::-1].copy())(masks)
        compiled.append(len(found))
    sizes = [size for size in BATCHES if size <= len(filled)] or [len(filled)]
    work = {"ours": lambda: np.asarray(game(masks))}
    work |= {f"own, {size}": lambda size=size: _in_batches(case.forward, filled, size) for size in sizes}
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(options.repeats + 1):
        for name, do in work.items():
            start = time.perf_counter()
            do()
            if turn:  # the first one compiles
                seconds[name].append(time.perf_counter() - start)
    rates = {name: len(masks) / float(np.median(found)) for name, found in seconds.items()}
    own = max(rate for name, rate in rates.items() if name != "ours")
    return {
        "lines": case.lines,
        "difference": float(f"{difference:.2g}"),
        "largest_value": float(f"{np.abs(expected[:, case.label]).max():.3g}"),
        "compiles_second_game": compiled[0],
        "compiles_new_weights": compiled[1],
        "masks": len(masks),
        "ours_per_second": float(f"{rates['ours']:.3g}"),
        "own_per_second": float(f"{own:.3g}"),
        "ours_to_own": float(f"{rates['ours'] / own:.2f}"),
    }


def _in_batches(forward: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, size: int) -> None:
    for start in range(0, len(inputs), size):
        forward(inputs[start : start + size])


class _Compilations:
    """The programs that are compiled within."""

    def __enter__(self) -> list[str]:
        self.found: list[str] = []
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self.found

    def _listen(self, name: str, seconds: float, **_: Any) -> None:
        if name.endswith("backend_compile_duration"):
            self.found.append(name)

    def __exit__(self, *error: Any) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)


def _image(shape: tuple[int, int, int]) -> dict[str, Any]:
    x = np.random.default_rng(0).normal(size=LAST).astype(np.float32)
    if shape == LAST:
        return {"x": x, "players": ij.Players.grid(LAST, CELLS)}
    return {"x": x.reshape(FIRST), "players": ij.Players.grid(FIRST, (1, CELLS, CELLS))}


def _flax() -> Case:
    def network(seed: int) -> nnx.Module:
        rngs = nnx.Rngs(seed)
        layers = [nnx.Conv(1, WIDTH, (3, 3), rngs=rngs), nnx.BatchNorm(WIDTH, rngs=rngs), nnx.relu, _pool, _flat]
        return nnx.Sequential(*layers, nnx.Dropout(0.5, rngs=rngs), nnx.Linear(WIDTH * 64, CLASSES, rngs=rngs))

    networks = network(0), network(1)
    evaluated = nnx.view(networks[0], deterministic=True, use_running_average=True, raise_if_not_found=False)
    apply = nnx.jit(lambda network, inputs: network(inputs))
    return Case(JAX_GAME, networks, lambda inputs: np.asarray(apply(evaluated, inputs)), **_image(LAST))


def _pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (2, 2), (2, 2))


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(len(x), -1)


def _equinox() -> Case:
    eqx: Any = importlib.import_module("equinox")

    class Network(eqx.Module):
        conv: Any
        norm: Any
        dropout: Any
        last: Any

        def __init__(self, key: Any):
            self.conv = eqx.nn.Conv2d(1, WIDTH, 3, padding=1, key=key)
            self.norm = eqx.nn.BatchNorm(WIDTH, "batch", mode="batch")
            self.dropout = eqx.nn.Dropout(0.5)
            self.last = eqx.nn.Linear(WIDTH * 64, CLASSES, key=key)

        def __call__(self, x: Any, state: Any, key: Any = None) -> Any:
            x, state = self.norm(self.conv(x), state)
            x = jax.nn.relu(x).reshape(WIDTH, 8, 2, 8, 2).max((2, 4)).ravel()
            return self.last(self.dropout(x, key=key)), state

    networks = tuple(eqx.nn.make_with_state(Network)(jax.random.key(seed)) for seed in range(2))
    evaluated, state = eqx.nn.inference_mode(networks[0][0]), networks[0][1]
    apply = eqx.filter_jit(lambda network, state, inputs: jax.vmap(lambda x: network(x, state)[0])(inputs))
    return Case(JAX_GAME, networks, lambda inputs: np.asarray(apply(evaluated, state, inputs)), **_image(FIRST))


def _haiku() -> Case:
    hk: Any = importlib.import_module("haiku")

    def network(inputs: Any, is_training: bool = True) -> Any:
        x = hk.BatchNorm(True, True, 0.9)(hk.Conv2D(WIDTH, 3)(inputs), is_training)
        x = hk.Flatten()(hk.max_pool(jax.nn.relu(x), 2, 2, "VALID"))
        return hk.Linear(CLASSES)(hk.dropout(hk.next_rng_key(), 0.5, x) if is_training else x)

    transformed, like = hk.transform_with_state(network), np.zeros((2, *LAST), np.float32)
    weights = [transformed.init(jax.random.key(seed), like) for seed in range(2)]
    apply = jax.jit(lambda weights, x: transformed.apply(*weights, None, x, is_training=False)[0])
    networks = (transformed, weights[0]), (transformed, weights[1])
    return Case(JAX_GAME, networks, lambda inputs: np.asarray(apply(weights[0], inputs)), **_image(LAST))


def _keras() -> Case:
    keras: Any = importlib.import_module("keras")

    def network(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        of = keras.layers
        layers = [of.Conv2D(WIDTH, 3, padding="same"), of.BatchNormalization(), of.ReLU(), of.MaxPooling2D(2)]
        return keras.Sequential([keras.Input(LAST), *layers, of.Flatten(), of.Dropout(0.5), of.Dense(CLASSES)])

    networks = network(0), network(1)
    return Case(JAX_GAME, networks, lambda inputs: np.asarray(networks[0].predict_on_batch(inputs)), **_image(LAST))


def _torch(code: str = OF_TORCH, names: Callable[[Any], dict[str, Any]] = lambda torch: {"torch": torch}) -> Case:
    torch: Any = importlib.import_module("torch")

    def network(seed: int) -> Any:
        torch.manual_seed(seed)
        nn = torch.nn
        layers = [nn.Conv2d(1, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        return nn.Sequential(*layers, nn.Dropout(0.5), nn.Linear(WIDTH * 64, CLASSES)).eval()

    networks = network(0), network(1)
    forward = torch.no_grad()(lambda inputs: networks[0](torch.from_numpy(inputs)).numpy())
    return Case(code, networks, forward, names=names(torch), **_image(FIRST))


def _torchax() -> Case:
    return _torch(OF_TORCHAX, lambda torch: {"torchax": torchax_of(torch)})


def torchax_of(torch: Any) -> Any:
    """torchax with stand-ins for operators of named tensors, which it names and torch 2.13 has left out."""
    packet = torch._ops.OpOverloadPacket
    find = packet.__getattr__

    def find_or_stand_in(self: Any, name: str) -> Any:
        try:
            return find(self, name)
        except AttributeError:
            if "imname" in name or "names" in name:
                return f"{self}.{name}"
            raise

    packet.__getattr__ = find_or_stand_in
    return importlib.import_module("torchax")


def _onnx() -> Case:
    magika: Any = importlib.import_module("magika")
    onnxruntime: Any = importlib.import_module("onnxruntime")
    (path,) = Path(magika.__file__).parent.glob("models/*/model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    text = np.frombuffer(b"import os\nclass A:\n    def f(self):\n        return os\n" * 8, np.uint8)
    x = np.full(2048, 256, np.int32)
    x[: len(text)] = text
    players = ij.Players.segments(np.where(x == 256, -1, np.arange(2048) * 16 // len(text)))
    forward = lambda inputs: session.run(None, {"bytes": inputs.astype(np.int32)})[0]  # noqa: E731
    names = {"session": session}
    return Case(OF_ONNX, (None, None), forward, x, players, names, baseline=256, label=143, masks=128)


def _sklearn() -> Case:
    ensemble = importlib.import_module("sklearn.ensemble")
    random = np.random.default_rng(0)
    inputs = random.normal(size=(500, 16))
    classes = (inputs[:, :4].sum(axis=1) > 0).astype(int) + (inputs[:, 4] > 0)
    forest = ensemble.RandomForestClassifier(50, random_state=0).fit(inputs, classes)
    code = HOST_GAME.replace("predict", "network.predict_proba")
    networks = forest, ensemble.RandomForestClassifier(50, random_state=1).fit(inputs, classes)
    return Case(code, networks, forest.predict_proba, inputs[0], ij.Players.features(16), label=1)


CASES: dict[tuple[str, str], tuple[str, Callable[[], Case]]] = {
    ("Flax NNX", "convolutions, BatchNorm, dropout"): ("flax", _flax),
    ("Equinox", "convolutions, BatchNorm, dropout; (module, state)"): ("equinox", _equinox),
    ("Haiku", "convolutions, BatchNorm, dropout; (transformed, (params, state))"): ("dm-haiku", _haiku),
    ("Keras on JAX", "convolutions, BatchNorm, dropout"): ("keras", _keras),
    ("PyTorch", "convolutions, BatchNorm, dropout; on the host"): ("torch", _torch),
    ("PyTorch", "the same by torchax, in JAX"): ("torchax", _torchax),
    ("ONNX Runtime", "the model of magika, 2,048 bytes, 214 classes; on the host"): ("onnxruntime", _onnx),
    ("scikit-learn", "a forest of 50 trees, 16 columns; on the host"): ("scikit-learn", _sklearn),
}
