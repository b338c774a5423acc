"""The only room that speaks NATS: MQTT messages are kept on disk, read in order, published."""
