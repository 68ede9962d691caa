"""From the name of a survey to its verified table in the store."""
