"""The folder of one command: its exact settings, numbers as JSON and npz, and what an earlier start left there."""

import hashlib
import json
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

import interjax as ij
from interjax._core._files import held, read_json, replaced, write_json
from interjax._engine._folders import check_same_run
from interjax.cli._lazy_group import IF_REFUSED

_NOT_IN_SETTINGS = ("out", "quiet", "distributed", "coordinator", "processes", "process_id")
_CHANGES_NO_RESULT = ("batch_size", "memory")  # beyond rounding: a resumed run may choose another


def open_folder(command: str, settings: dict[str, Any]) -> Path:
    """The folder of a run, which no other may write to until the command ends.

    Its default name follows from the settings, so that other settings never collide.

    Raises:
        ValueError: if it holds a run with other settings, or another run is at work in it.
    """
    click.get_current_context().meta.pop(IF_REFUSED, None)  # of a folder that this command has finished
    chosen = _compared(_as_json(settings))
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:8]
    out = settings["out"] or Path("interjax-results") / f"{command}-{settings['data'].split(':')[0]}-{digest}"
    path = out / "settings.json"
    if path.exists():
        check_same_run(out, _compared(_settings_of(path, command)), chosen, elsewhere="another --out")
    if jax.process_index() == 0:  # the processes of one run share it
        click.get_current_context().with_resource(held(out))
    return out


def _settings_of(path: Path, command: str) -> dict[str, Any]:
    """What an earlier start of the command wrote there."""
    try:
        found = read_json(path)
    except ValueError as error:
        raise ValueError(f"{error}: choose another --out, or delete this folder to start anew") from error
    if not isinstance(found, dict) or "settings" not in found:
        raise ValueError(f"{path} is of no command: expected a folder that a command wrote; choose another --out")
    if found.get("command", command).split()[-1] != command.split()[-1]:  # reproduce bottleneck: bottleneck
        raise ValueError(
            f"{path.parent} holds a run of `interjax {found['command']}`, this is `interjax {command}`: choose another "
            "--out"
        )
    return found["settings"]


def write_settings(out: Path, command: str, settings: dict[str, Any]) -> None:
    """Keep the exact settings, and the versions and device that they ran on; taken back if the command is refused."""
    versions = {"interjax": ij.__version__, "jax": jax.__version__, "device": jax.devices()[0].device_kind}
    path = out / "settings.json"
    earlier = path.read_bytes() if path.exists() else None

    def take_back() -> None:
        if earlier is None:
            path.unlink(missing_ok=True)
        else:
            with replaced(path) as partial:
                partial.write_bytes(earlier)

    write_json(path, {"command": command, "settings": _as_json(settings), "versions": versions})
    click.get_current_context().meta[IF_REFUSED] = take_back


def write_profile(out: Path, found: ij.OrderProfile, **about: Any) -> None:
    """A profile as npz and as JSON, where numbers that are not finite are null."""
    found.save(out / "profile.npz")
    names = ["orders", "magnitude", "magnitude_stderr", "bracket", "strength", "stderr", "stderr_within", "freedom"]
    names += [
        "bias",
        "uncorrected",
        "noise",
        "contexts_drawn",
        "exact",
        "effective_pairs",
        "skewness",
        "pairs_by_input",
    ]
    names += ["n_forwards", "n_nonfinite", "n_players", "contexts", "method", "correction", "kind"]
    numbers = {name: np.asarray(getattr(found, name)).tolist() for name in names}
    write_json(out / "profile.json", numbers | {"inputs": len(found.by_input)} | about)


def _as_json(settings: dict[str, Any]) -> dict[str, Any]:
    chosen = {name: value for name, value in settings.items() if name not in _NOT_IN_SETTINGS}
    return json.loads(json.dumps(chosen, default=str))


def _compared(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that choose the results, without options given by repeating them that were not given.

    Nor one that older versions did not have, where it is not given.
    """
    chosen = {name: value for name, value in settings.items() if name not in _CHANGES_NO_RESULT and value != []}
    return {name: value for name, value in chosen.items() if name != "exact" or value is not None}
