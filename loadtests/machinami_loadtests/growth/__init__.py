"""What ingestion does as history and the number of devices grow."""
