"""What is measured about drawings: pure functions of pixels and embeddings, no model inside."""
