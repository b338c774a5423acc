"""Judging the platform: its answers against the simulator's own record.

`platform` asks the NGSI-LD API and nothing else, `sent` reads what the devices put on the wire, `derive`
makes figures of either in the same way, as an app would, and `figures` lays both beside the truth.
"""
