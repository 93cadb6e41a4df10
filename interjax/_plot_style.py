"""What the plots share: colours, markers and dashes that tell up to six things apart, in grey too."""

# Okabe and Ito's colours, ordered so that neighbours differ in lightness; markers and dashes repeat the distinction.
COLOURS = ("#0072B2", "#E69F00", "#000000", "#CC79A7", "#009E73", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), "-")
