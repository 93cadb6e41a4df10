"""What `interjax concepts --dynamics` writes and says of how concepts were learned."""

from pathlib import Path
from typing import Any

import interjax as ij
from interjax._core._files import write_json
from interjax.concepts._analysis._numbers import lists_of
from interjax.concepts._learning._learning import ConceptDynamics
from interjax.concepts._learning._phases import Phases


def write_dynamics(out: Path, dynamics: ConceptDynamics) -> tuple[str, Phases | None]:
    """Write how the concepts were learned; return a short text and the phases, None if they cannot be located."""
    dynamics.save(out / "dynamics.npz")
    numbers: dict[str, Any] = {"steps": dynamics.steps.tolist(), "strength": dynamics.strength.tolist()}
    numbers["n_nonfinite"] = dynamics.n_nonfinite.tolist()
    try:
        phases, detour = ij.concepts.phases(dynamics), ij.concepts.detour(dynamics)
        numbers |= {"phases": lists_of(phases), "detour": lists_of(detour)}
        lines = [*_phase_lines(phases), f"way of the shares of sizes: {detour.ratio:.2f} times the straight one"]
    except ValueError as error:  # checkpoints whose strengths are not known
        phases, lines = None, [f"phases are not located: {error}"]
        numbers["not_located"] = str(error)
    write_json(out / "dynamics.json", numbers)
    return "\n".join([*lines, ""]), phases


def _phase_lines(phases: Phases) -> list[str]:
    lines = []
    for row, (name, reason) in enumerate(zip(phases.names, phases.reasons, strict=True)):
        where = f"steps {phases.begins[row]:.0f} to {phases.ends[row]:.0f}" if phases.is_found[row] else "not found"
        lines.append(f"phase {row + 1}, {name}: {where}; {reason}")
    return lines
