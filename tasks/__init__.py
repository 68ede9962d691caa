"""Stages as tasks: each resolves its inputs in the store, calls the library, publishes."""
