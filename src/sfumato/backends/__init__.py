"""Engines that run models. Each module stands alone; the catalogue resolves them by string."""
