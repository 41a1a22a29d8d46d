"""Training: one file per model, one loop, data builders, export. Needs ``sfumato[train]``."""
