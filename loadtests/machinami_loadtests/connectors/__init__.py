"""The shelf of the load test's connectors: they are there wherever the load test is installed."""
