"""Data sets with their players: digits (in scikit-learn), MNIST, CIFAR-10, Adult, any CSV file, arrays."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.datasets._arrays import from_arrays as from_arrays
    from interjax.datasets._dataset import Dataset as Dataset
    from interjax.datasets._label_noise import with_label_noise as with_label_noise
    from interjax.datasets._loaders import ADULT_COLUMNS as ADULT_COLUMNS
    from interjax.datasets._loaders import PathLike as PathLike
    from interjax.datasets._loaders import adult as adult
    from interjax.datasets._loaders import cifar10 as cifar10
    from interjax.datasets._loaders import csv as csv
    from interjax.datasets._loaders import digits as digits
    from interjax.datasets._loaders import load as load
    from interjax.datasets._loaders import mnist as mnist
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
