"""The science: pure functions, Arrow tables in and out."""
