"""One file for each dialect or theme; a handler only translates."""
