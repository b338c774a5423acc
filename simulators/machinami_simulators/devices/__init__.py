"""What stands between the city and the broker: sensors, firmware, clocks, and what goes wrong with them.

`sensors` measure the physics, `faults` spoil what they measured, `groups` writes it as each maker does, and
`delivery` holds back what is late.
"""
