"""What Alembic runs first: it migrates over the connection that ``upgrade`` hands it."""

from alembic import context

# the queue's tables live in the same database: their room imports ours, so Alembic, which compares
# both with the migrations in a test, is told there, and only the history itself is needed here
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
