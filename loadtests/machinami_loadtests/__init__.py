"""Load: scenarios, the high-rate swarm and the bench."""
