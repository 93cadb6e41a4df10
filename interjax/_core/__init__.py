"""What every room stands on: results and files, keys, checks of arguments, 64-bit computation."""
