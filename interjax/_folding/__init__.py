"""A network split behind its first linear map, whose part is computed once for each player."""
