"""Notifications due leave the outbox: retried with backoff, dead-lettered."""
