"""Picture files: writers, the recipe inside them, atomic saving, and reading recipes back."""

from sfumato.files.recipe import Recipe, read_recipe
from sfumato.files.save import encode_image, save_image
from sfumato.files.writers import WriteOptions

__all__ = ["Recipe", "WriteOptions", "encode_image", "read_recipe", "save_image"]
