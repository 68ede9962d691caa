"""Protocols by which catalogues are published: one small module with one class each."""
