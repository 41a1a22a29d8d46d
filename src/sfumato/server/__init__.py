"""The web side: APIs over the queue and the library, and the studio page.

Handlers translate: schema to request, job to schema, and nothing else. Drawing happens in worker
processes, so every route keeps answering while a picture is drawn.
"""
