"""What stands between the city and the broker: sensors, firmware, clocks, and what goes wrong with them.

Sensors in `water`, of `crowds` and of `riding` measure the physics, `faults` spoil what they measured,
`groups` writes it as each maker does, and `delivery` holds back what is late.
"""
