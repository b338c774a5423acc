"""The doors over HTTP: NGSI-LD, one file per resource of the standard, each endpoint naming its clause."""
