"""ETSI's own NGSI-LD test suite against our broker, or anybody's: run, judged and written down."""
