"""A city on one machine: embedded broker and database, and the supervisor behind `machinami up`."""
