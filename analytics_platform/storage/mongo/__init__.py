"""MongoDB: the operational collections, their migrations, the store that writes them, and the embedded server."""

from analytics_platform.storage.mongo.collections import COLLECTIONS, Collection
from analytics_platform.storage.mongo.embedded import EmbeddedMongo, EmbeddedMongoError, server_program
from analytics_platform.storage.mongo.mongo_errors import MongoStoreError
from analytics_platform.storage.mongo.mongo_llm_store import MongoLlmStore
from analytics_platform.storage.mongo.mongo_store import MongoStore, require_mongo_address

__all__ = [
    "COLLECTIONS",
    "Collection",
    "EmbeddedMongo",
    "EmbeddedMongoError",
    "MongoLlmStore",
    "MongoStore",
    "MongoStoreError",
    "require_mongo_address",
    "server_program",
]
