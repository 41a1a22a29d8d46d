"""Public checkpoints through torch and transformers: opened offline, from safetensors only."""
