"""interjax: how a neural network's inputs act together, measured at every order."""
