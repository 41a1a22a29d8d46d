"""What goes over the wire, dialect by dialect. Pydantic lives here and nowhere else."""
