"""The library of pictures: files in a folder, a database that finds them, and search.

    library = Library.open()                    the person's own; made when it is not there
    picture = library.add(image)                durable when this returns
    page    = library.query(Query(text="fox"))  newest first, cursor for the next page
    library.mark(picture.id, favourite=True)    rating, tags, collections alike
    library.trash([picture.id])                 restore() brings back, purge() is final

A picture's file carries its recipe, so the database can be rebuilt from the files alone
(``heal``). Pictures are acknowledged only after file and database are on disk.
"""

from sfumato.gallery.database import Database
from sfumato.gallery.library import Library
from sfumato.gallery.picture import Page, Picture, Query

__all__ = ["Database", "Library", "Page", "Picture", "Query"]
