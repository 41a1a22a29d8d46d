"""Builders of training data: picture packs in, captioned square pictures out."""
