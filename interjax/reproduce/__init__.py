"""Experiments of the papers, repeated: trained, measured and compared with what the papers report."""

from interjax.reproduce import bottleneck as bottleneck
from interjax.reproduce import complexity as complexity
from interjax.reproduce import generalization as generalization
