"""Other brokers: registrations of context sources, and operations distributed over them (clause 4.3.6)."""
