"""`machinami load`: one load test of a running city or of any MQTT broker, and its report."""
