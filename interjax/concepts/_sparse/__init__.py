"""Concepts of more players than a table can hold."""
