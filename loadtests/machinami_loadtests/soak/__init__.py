"""`machinami bench soak`: a city under load and under faults, and every acknowledged message looked for."""
