"""A shop with FastAPI and SQLAlchemy's asyncio."""
