"""What options let one choose, and the defaults that their help names.

Those of the library that take seconds to import are written out here; a test compares them.
"""

NETWORKS = (
    *("mlp", "tabular_mlp", "residual_mlp", "lenet", "alexnet", "resnet20", "resnet18", "vit"),
    *("quantised_mlp", "quantised_lenet"),
)
OUTPUTS = ("log-odds", "log-prob", "logit", "prob")
PRESETS = ("normal", "low-order", "mid-order", "high-order")
MODES = ("encourage", "penalize")
AVERAGES = ("losses", "logits")
ALIGNMENTS = ("sizes", "fractions")
PRECISIONS = ("float32", "bfloat16")
PLAYER_RULES = ("contrast", "centre", "all")
EXPLANATIONS = ("and", "and-or")

COMPLEXITY_CHECKPOINTS = 12
CONCEPT_CHECKPOINTS = 10
FEW_PLAYERS = 8
