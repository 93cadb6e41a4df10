"""The sparsest AND-OR explanation of a game, and what its effects are."""
