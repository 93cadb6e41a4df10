"""Pictures of `interjax concepts`: concepts of some inputs, sizes, faithfulness, generalisation, dynamics."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from interjax import concepts, datasets, plots
from interjax.concepts._analysis._inputs import in_turn
from interjax.concepts._analysis._result import ConceptAnalysis
from interjax.concepts._learning._learning import ConceptDynamics
from interjax.concepts._learning._phases import Phases
from interjax.concepts._statistics._sizes import SizeDistribution
from interjax.plots._style import new_figure


def draw(out: Path, found: ConceptAnalysis, data: datasets.Dataset, *, title: str, examples: int) -> list[str]:
    """Draw what was found; return the names of the files."""
    written = []

    def keep(figure: Any, name: str) -> None:
        figure.savefig(out / name, dpi=150)
        written.append(name)

    drawn = _examples(found, examples)
    if len(drawn):
        keep(_draw_examples(found, data, drawn, title), "explanation.png")
    figure = new_figure(7.2, 4.2)
    null, note = _scaled_null(found)
    plots.concept_sizes(figure.subplots(), found.sizes, null=null).set_title(title + note, fontsize="medium")
    keep(figure, "sizes.png")
    figure = new_figure(6.4, 4.2)
    plots.faithfulness(figure.subplots(), found.faithfulness).set_title(
        f"{title}: median, middle half of inputs", fontsize="medium"
    )
    keep(figure, "faithfulness.png")
    if found.generalization is not None:
        figure = new_figure(6.4, 4.2)
        plots.generalization(figure.subplots(), found.generalization).set_title(title, fontsize="medium")
        keep(figure, "generalization.png")
    return written


def _scaled_null(found: ConceptAnalysis) -> tuple[SizeDistribution | None, str]:
    """The distribution of the untrained network at the strength of the trained one, and what a title says of it."""
    if found.null is None or not found.null.strength.sum():
        return None, ""
    factor = float(found.sizes["training"].strength.sum() / found.null.strength.sum())
    scaled = dataclasses.replace(
        found.null, positive=found.null.positive * factor, negative=found.null.negative * factor
    )
    return scaled, f"\nnull: the untrained network, its strength times {factor:.3g}"


def _examples(found: ConceptAnalysis, count: int) -> np.ndarray:
    """Training inputs with salient concepts, classes in turn."""
    has_concepts = np.zeros(len(found.labels), bool)
    has_concepts[found.is_train] = found.n_salient["training"] > 0
    order = in_turn(found.labels, found.is_train)
    return order[has_concepts[order]][:count]


def _draw_examples(found: ConceptAnalysis, data: datasets.Dataset, examples: np.ndarray, title: str) -> Any:
    """The strongest concepts of some inputs, on the image where the players are parts of one, else by name."""
    on_image = _shows_images(found, data)
    columns = int(np.ceil(np.sqrt(len(examples))))
    rows = -(-len(examples) // columns)
    width, height = (5.6, 4.8) if on_image else (6.4, 3.4)
    figure: Any = new_figure(width * columns, height * rows, layout=None if on_image else "constrained")
    for part, example in zip(figure.subfigures(rows, columns, squeeze=False).ravel(), examples, strict=False):
        one, row = found.explanation[example], found.rows[example]
        name = f"{title}, class {data.class_names[found.labels[example]]}, training input {row}"
        if on_image:
            bars = _draw_on_image(part, one, _pixels(data, data.train_x[row]), found)
        else:
            bars = plots.concepts(part.subplots(), one, names=found.player_names, count=10, tau=found.tau)
        bars.set_title(f"{name}\n{bars.get_title(loc='left')}", loc="left", fontsize="small")
    return figure


def _draw_on_image(part: Any, one: Any, image: np.ndarray, found: ConceptAnalysis) -> Any:
    """The image as it is, and its concepts; returns the Axes of the bars."""
    left, right = part.subfigures(1, 2, width_ratios=(1, 4))
    plain = left.add_axes((0.1, 0.7, 0.85, 0.22))
    low, high = image.min(), image.max()
    plain.imshow((image - low) / ((high - low) or 1.0), cmap="gray", interpolation="nearest")
    plain.set_axis_off()
    return plots.concepts_on_image(right, one, image, found.players, tau=found.tau).axes[0]


def _shows_images(found: ConceptAnalysis, data: datasets.Dataset) -> bool:
    shape, labels = data.input_shape, found.players.labels
    if data.player_labels is not None or len(shape) not in (2, 3):
        return False
    return len(shape) == 2 or (shape[2] in (1, 3) and bool(np.all(labels == labels[..., :1])))


def _pixels(data: datasets.Dataset, x: np.ndarray) -> np.ndarray:
    """An image as it was before it was normalised."""
    if data.normalization is None:
        return x
    mean, scale = data.normalization
    return x * scale + mean


def draw_dynamics(
    out: Path, dynamics: ConceptDynamics, phases: Phases | None, names: tuple[str, ...], *, title: str
) -> list[str]:
    """Draw how the concepts were learned; return the names of the files."""
    figure = new_figure(7.2, 4.4)
    plots.concept_dynamics(figure.subplots(), dynamics, phases=phases)
    figure.suptitle(title, fontsize="medium")
    figure.savefig(out / "dynamics.png", dpi=150)
    figure = new_figure(8.4, 4.4)
    paths = concepts.concept_paths(dynamics)
    plots.concept_paths(figure.subplots(), paths, names=names).set_title(title, fontsize="medium")
    figure.savefig(out / "paths.png", dpi=150)
    return ["dynamics.png", "paths.png"]
