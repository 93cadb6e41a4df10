"""An analysis as a short text."""

from typing import Any

import numpy as np

from interjax.concepts._analysis._numbers import SHARE, agreement, mean_and_error, quartiles
from interjax.concepts._explanations._effects import AndOr
from interjax.concepts._input_rows import FEWEST

_PRINTED_COUNTS = ("1", "2", "5")


def text_of(found: Any) -> str:
    """The main numbers of a `ConceptAnalysis` as a short table."""
    names, n_train = found.player_names, int(found.is_train.sum())
    lines = [
        f"{len(names)} players: {', '.join(names)}",
        f"{n_train} training and {len(found.labels) - n_train} test inputs",
    ]
    if found.n_left_out:
        total = len(found.labels) + found.n_left_out
        lines.append(f"left out: {found.n_left_out} of {total} inputs, whose games hold NaN or infinite values")
    if isinstance(found.explanation, AndOr):
        share = np.max(found.explanation.gap / np.maximum(found.explanation.loss, np.finfo(float).tiny))
        lines.append(f"sum of |effects| within a share of {share:.0e} of the least possible")
    if found.stability is not None:
        one = agreement(found.stability)["jaccard"]
        lines.append(f"salient sets of equally sparse explanations agree to {one['mean']:.2f} ± {one['stderr']:.2f}")
    for name, counts in found.n_salient.items():
        one = mean_and_error(counts)
        lines.append(f"salient concepts of a {name} input: {one['mean']:.1f} ± {one['stderr']:.1f}")
    needed = found.coverage.needed(SHARE)
    if needed is not None:
        whose = "test" if found.coverage.out_of_sample else "training"
        lines.append(f"{needed} of {len(found.coverage.counts)} concepts hold {SHARE:.0%} of those of a {whose} input")
    return "\n".join([*lines, "", *_faithfulness_lines(found), "", *_size_lines(found)])


def _faithfulness_lines(found: Any) -> list[str]:
    shown = {name: quartiles(one) for name, one in found.faithfulness.items()}
    lines = [f"{'strongest concepts':>18}" + "".join(f"  {f'R² {name}':>11}" for name in shown)]
    counts = next(iter(shown.values()))["counts"]
    for column, count in enumerate(counts):
        if str(count)[0] in _PRINTED_COUNTS:
            lines.append(f"{count:>18}" + "".join(f"  {one['median'][column]:11.3f}" for one in shown.values()))
    return lines


def _size_lines(found: Any) -> list[str]:
    compared, sizes = found.generalization, found.sizes["training"]
    head = f"{'size':>4}  {'concepts':>8}  {'strength':>8}"
    if compared is None:
        head += "   (too few inputs of each class to compare training and test)"
    else:
        head += f"  {'similarity':>10}  {'null':>6}  {'null - similarity':>17}, {compared.level:.0%} interval"
    lines = ["salient concepts of a training input, their similarity to those of test inputs, and its null", head]
    for row, size in enumerate(sizes.sizes):
        line = f"{size:>4}  {sizes.count[row]:8.2f}  {sizes.strength[row]:8.3f}"
        if compared is not None and np.isfinite(compared.excess[row]):
            line += f"  {compared.similarity[row]:10.3f}  {compared.null[row]:6.3f}  {compared.excess[row]:17.3f}"
            line += f"  {compared.excess_lower[row]:.3f} to {compared.excess_upper[row]:.3f}"
        lines.append(line)
    if compared is not None and len(compared.classes) < len(found.discrimination):
        train, test = FEWEST.values()
        lines.append(f"similarities leave out classes of fewer than {train} training or {test} test inputs")
    return lines
