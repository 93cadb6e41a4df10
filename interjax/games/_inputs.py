"""What a network makes of many inputs, in batches."""

from typing import Any

from interjax._engine._rows import Function, Resources, RowProgram, like
from interjax.games._apply import Apply
from interjax.games._models import holds_arrays


def inputs_program(apply: Apply, function: Function, params: Any, rows: Any, batch_size: int) -> RowProgram:
    """The program of a function of a network's inputs.

    Args:
        apply: the network that the function is made of.
        function: (params, None, rows) -> values, equal for equal networks.
        params: the network's parameters.
        rows: pytree of arrays (N, ...) such as the inputs, of which only shapes are used here.
        batch_size: inputs at once.
    """
    resources = Resources(batch_size)
    return RowProgram(function, params, like(rows), resources, most=batch_size, is_shared=not holds_arrays(apply))
