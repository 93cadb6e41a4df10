"""A data set: training and test inputs with their labels, and what is known of them."""

import dataclasses
import math
from typing import Any

import numpy as np

from interjax._core._checks import check_choice
from interjax.datasets._checks import as_array, as_class_numbers, as_inputs, as_names, as_targets
from interjax.games._players import Players

TASKS = ("classification", "regression")
_MOST_CELLS_A_SIDE = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test examples, and what their entries mean.

    Args:
        train_x: inputs, float32 (N, *input_shape).
        train_y: class indices, int32 (N,); in a regression the numbers to predict, float32 (N,).
        test_x: inputs held out, float32 (M, *input_shape).
        test_y: their class indices, or numbers, (M,).
        name: what the data set is called in results.
        class_names: one name for each class; () in a regression.
        feature_names: a name for each entry of an input, or None for images.
        player_labels: int (*input_shape), the player that each entry belongs to: the one-hot entries of one
            column are one player; None where the players are a choice (pixels or cells of an image).
        player_names: a name for each player, or None.
        normalization: (mean, scale) that broadcast against an input, or None: raw = x * scale + mean.
        task: "classification", or "regression", in which labels are numbers to predict.
        label_normalization: (mean, scale) of a regression's labels, two numbers, or None: raw = y * scale + mean.

    Raises:
        ValueError: lengths or shapes that do not fit together, labels that are no class numbers, class names that are
            equal, inputs or numbers to predict that are not finite in float32 or no real numbers.

    Example:
        >>> data = Dataset(np.zeros((4, 2)), [0, 1, 0, 1], np.zeros((2, 2)), [0, 1], "toy", ("no", "yes"))
        >>> data.input_shape, data.n_classes
        ((2,), 2)
    """

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    name: str
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...] | None = None
    player_labels: np.ndarray | None = None
    player_names: tuple[str, ...] | None = None
    normalization: tuple[np.ndarray, np.ndarray] | None = None
    task: str = "classification"
    label_normalization: tuple[float, float] | None = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be a text that is not empty, got {self.name!r}")
        check_choice("task", self.task, TASKS)
        if not self.is_regression:
            object.__setattr__(self, "class_names", as_names(f"{self.name}: class_names", self.class_names, None))
        elif self.class_names != ():
            raise ValueError(f"{self.name}: class_names must be () in a regression, got {self.class_names!r}")
        for split in ("train", "test"):
            x = as_inputs(f"{self.name}: {split} inputs", getattr(self, f"{split}_x"))
            as_labels = as_targets if self.is_regression else as_class_numbers
            y = as_labels(f"{self.name}: {split} labels", getattr(self, f"{split}_y"))
            object.__setattr__(self, f"{split}_x", x)
            object.__setattr__(self, f"{split}_y", y)
            if x.ndim < 2 or y.shape != x.shape[:1] or not x.size:
                raise ValueError(
                    f"{self.name}: expected {split} inputs (N, ...) and labels (N,), got shapes {x.shape} and {y.shape}"
                )
            if not self.is_regression and not 0 <= y.min() <= y.max() < self.n_classes:
                raise ValueError(
                    f"{self.name}: {split}_y, the {split} labels, must be class numbers from 0 to "
                    f"{self.n_classes - 1}, of the {self.n_classes} class_names; got {y.min()}..{y.max()}"
                )
        if self.train_x.shape[1:] != self.test_x.shape[1:]:
            raise ValueError(
                f"{self.name}: test_x must be inputs of the shape of those in train_x, {self.train_x.shape[1:]}; got "
                f"{self.test_x.shape[1:]}"
            )
        self._check_meaning()

    def _check_meaning(self) -> None:
        """Names, players and normalization, each of the length that the inputs ask for."""
        n_entries = math.prod(self.input_shape)
        if self.feature_names is not None:
            names = as_names(f"{self.name}: feature_names", self.feature_names, n_entries, distinct=False)
            object.__setattr__(self, "feature_names", names)
        if self.player_labels is not None:
            labels = as_array(f"{self.name}: player_labels", self.player_labels)
            if labels.shape != self.input_shape or labels.dtype.kind not in "iu":
                raise ValueError(
                    f"{self.name}: player_labels must be an integer for each entry of an input, {self.input_shape}; "
                    f"got {labels.dtype} of shape {labels.shape}"
                )
            try:
                Players.segments(labels)
            except ValueError as error:
                raise ValueError(f"{self.name}: player_labels: {error}") from None
            object.__setattr__(self, "player_labels", labels)
        if self.player_names is not None:
            n_players = n_entries if self.player_labels is None else int(self.player_labels.max()) + 1
            names = as_names(f"{self.name}: player_names", self.player_names, n_players, distinct=False)
            object.__setattr__(self, "player_names", names)
        if self.normalization is not None:
            _check_normalization(self.name, self.normalization, self.input_shape)
        if self.label_normalization is not None:
            if not self.is_regression:
                raise ValueError(f'{self.name}: label_normalization goes with task="regression"; leave it out')
            _check_normalization(self.name, self.label_normalization, (), "label_normalization", "a label")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.train_x.shape[1:]

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 in a regression."""
        return len(self.class_names)

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers to predict."""
        return self.task == "regression"

    @property
    def n_outputs(self) -> int:
        """Number of a network's outputs: one for each class, or the one number that is predicted."""
        return 1 if self.is_regression else self.n_classes

    @property
    def is_image(self) -> bool:
        """Whether an input is an image (height, width, channels), and not a row of a table or a sequence."""
        return self.player_labels is None and len(self.input_shape) == 3

    def players(self, cells: int | tuple[int, ...] | None = None) -> Players:
        """The parts of an input that act together: the columns of a table, or cells of an image.

        Args:
            cells: for images, cells along each leading axis, as `ij.Players.grid` takes them; by default as many equal
                ones as there are along each of the first two axes, up to 16. A table (`player_labels`, or inputs of
                one axis) has none.

        Returns:
            The players, by their names: a column with all its entries, or a cell with all its channels, is one.

        Raises:
            ValueError: cells of a table, or cells that do not fit the image.

        Example:
            >>> x, y = np.zeros((4, 28, 28, 3)), [0, 1, 0, 1]
            >>> data = Dataset(x, y, x, y, "toy", ("no", "yes"))
            >>> data.players().cells, data.players((7, 7)).n
            ((14, 14), 49)
        """
        if self.player_labels is None and len(self.input_shape) > 1:
            return Players.grid(self.input_shape, equal_cells(self.input_shape) if cells is None else cells)
        if cells is not None:
            raise ValueError(
                f"cells cut images; the players of {self.name}, a table, are its columns: leave cells={cells} out"
            )
        if self.player_labels is None:
            names = self.feature_names if self.player_names is None else self.player_names
            return Players.features(*self.input_shape, names=names)
        return Players.segments(self.player_labels, self.player_names)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, {len(self.train_x)} training and {len(self.test_x)} test inputs of shape "
            f"{self.input_shape}, {'numbers to predict' if self.is_regression else f'{self.n_classes} classes'})"
        )


def check_classified(data: Any) -> None:
    """Raise ValueError for a data set of numbers to predict, where classes are needed."""
    if data.is_regression:
        raise ValueError(f"data must have classes here, and {data.name} is a regression: its labels are numbers")


def equal_cells(shape: tuple[int, ...], most: int = _MOST_CELLS_A_SIDE) -> tuple[int, ...]:
    """The largest numbers of equal cells along each of the first two axes of an input, at most so many."""
    return tuple(max(part for part in range(1, most + 1) if side % part == 0) for side in shape[:2])


def _check_normalization(
    name: str, normalization: Any, shape: tuple[int, ...], argument: str = "normalization", one: str = "an input"
) -> None:
    what = f"{name}: {argument} must be (mean, scale), finite numbers that broadcast against {one} {shape}"
    if not isinstance(normalization, tuple | list) or len(normalization) != 2:
        raise ValueError(f"{what}; got {type(normalization).__name__}")
    mean, scale = (as_inputs(f"{name}: {argument}", part) for part in normalization)
    try:
        fits = np.broadcast_shapes(mean.shape, scale.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{what}; got shapes {mean.shape} and {scale.shape}")
    if not (scale > 0).all():
        raise ValueError(f"{what}, with a positive scale; got a scale of {scale.min()}")
