"""What a network makes of many inputs, in batches."""

from typing import Any

from interjax._engine._rows import Function, Resources, RowProgram, like


def inputs_program(function: Function, params: Any, rows: Any, batch_size: int) -> RowProgram:
    """The program of a function of a network's inputs.

    Args:
        function: (params, None, rows) -> values, equal for equal networks.
        params: the network's parameters.
        rows: pytree of arrays (N, ...) such as the inputs, of which only shapes are used here.
        batch_size: inputs at once.
    """
    return RowProgram(function, params, like(rows), Resources(batch_size), most=batch_size)
