"""Rows of work sized to memory and spread over devices; folders of runs; several processes."""
