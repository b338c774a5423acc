"""The only room that speaks SQL: tables, queries, migrations, TimescaleDB detection."""
