"""Faces of rooms whose names are imported when they are first used, so that a room costs what is used of it."""

import ast
import importlib
import sys
from collections.abc import Callable
from typing import Any


def lazy_face(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose `if TYPE_CHECKING:` block imports its public names.

    Type checkers and editors read that block; this reads it too, so that each name is written once.
    """
    module = sys.modules[package]
    homes = _imports_for_checkers(module)

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = importlib.import_module(homes[name])
        whole = homes[name] == f"{package}.{name}"
        value = home if whole else getattr(home, name)
        setattr(module, name, value)
        return value

    return __getattr__, lambda: sorted({*vars(module), *homes}), sorted(homes)


def _imports_for_checkers(module: Any) -> dict[str, str]:
    """The module that each name in the `if TYPE_CHECKING:` block comes from; a submodule comes from itself."""
    source = module.__spec__.loader.get_source(module.__name__)
    if source is None:
        raise ImportError(f"{module.__name__} needs its source file: its public names are read from it")
    homes = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for each in statement.body:
                if isinstance(each, ast.ImportFrom):
                    for alias in each.names:
                        inside = each.module == module.__name__
                        homes[alias.name] = f"{each.module}.{alias.name}" if inside else str(each.module)
    return homes
