"""The concepts of a network on data: inputs are chosen, explained and measured in one call."""
