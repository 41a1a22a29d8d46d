"""The web page: static files that need no build step and nothing from the network.

``static/index.html`` is the page; ``static/js`` are its modules, ``static/css`` its looks,
``static/vendor`` the libraries of others with their licences. The server serves the folder at
``/studio`` and the page at ``/``.
"""

from pathlib import Path

STATIC = Path(__file__).resolve().parent / "static"
