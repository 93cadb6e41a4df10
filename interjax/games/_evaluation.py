"""How networks name their switch between training and evaluation."""

from collections.abc import Iterable

# Its value for evaluation: as an argument of the call, and as an attribute of a module that is a bool.
EVALUATION = {"train": False, "training": False, "is_training": False, "is_train": False, "enable_dropout": False}
EVALUATION |= {"deterministic": True, "use_running_average": True, "inference": True, "eval_mode": True}


def evaluation_switches(names: Iterable[str]) -> dict[str, bool]:
    """Those of these arguments of a call that are switches, each with its value for evaluation."""
    given = set(names)
    return {name: value for name, value in EVALUATION.items() if name in given}
