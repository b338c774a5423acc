"""JSON-LD, contexts, query language, geometry: the words of ETSI GS CIM 009 as code; no I/O."""
