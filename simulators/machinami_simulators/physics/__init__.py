"""How the city behaves: weather, rivers, underpasses, paddies, people, shelters, bikes; with their truth.

Models move on in steps of their own (a minute for water and people, ten seconds for bikes, ten minutes for
paddies), so that what they do never depends on how fast the simulation is played.
"""
