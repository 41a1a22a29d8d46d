"""Group commit: threads that write at the same moment share one trip to the disk.

A commit waits for the disk, and the disk takes as long for one row as for a hundred. So the first
thread that comes does its work and, in the same transaction, that of everyone who queued up
meanwhile, each behind a savepoint of its own: who fails is undone alone.

Source: DeWitt et al. 1984, "Implementation techniques for main memory database systems", on
group commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

MAX_GROUP = 256  # writes in one transaction: the first of them should not wait long


class _Write(Generic[T]):
    """One thread's work and what came of it."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class GroupCommit:
    """Runs writes of many threads in few transactions."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        """``transaction`` begins one that is durable when its block ends."""
        self._transaction = transaction
        self._changed = threading.Condition()
        self._leading = False  # whether a thread writes for all right now
        self._waiting: list[_Write[Any]] = []

    def run(self, work: Callable[[Connection], T]) -> T:
        """The result of ``work(connection)`` once it is durable; its error, and nothing written.

        Raises: whatever ``work`` raises, or what beginning or ending the transaction raises.
        """
        mine = _Write(work)
        with self._changed:
            self._waiting.append(mine)
        while (group := self._group_to_lead(mine)) is not None:
            try:
                self._write(group)
            finally:
                with self._changed:
                    self._leading = False
                    for write in group:
                        write.done = True
                    self._changed.notify_all()
        if mine.error is not None:
            raise mine.error
        return cast(T, mine.result)  # ``work`` returned it, so it is a T even where that is None

    def _group_to_lead(self, mine: _Write[Any]) -> list[_Write[Any]] | None:
        """Wait for whoever leads; None when that has done ``mine`` too."""
        with self._changed:
            while self._leading and not mine.done:
                self._changed.wait()
            if mine.done:
                return None
            self._leading = True
            group = self._waiting[:MAX_GROUP]
            del self._waiting[:MAX_GROUP]
            return group

    def _write(self, group: list[_Write[Any]]) -> None:
        try:
            with self._transaction() as connection:
                for write in group:
                    self._try(connection, write)
        except BaseException as error:
            for write in group:
                write.error = error  # nothing was committed, whatever each of them came to

    @staticmethod
    def _try(connection: Connection, write: _Write[Any]) -> None:
        savepoint = connection.begin_nested()
        try:
            write.result = write.work(connection)
        except DBAPIError:
            raise  # the database itself is in trouble: a full disk, a lost server
        except Exception as error:
            savepoint.rollback()
            write.error = error
        else:
            savepoint.commit()
