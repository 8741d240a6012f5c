"""The bus on Redis or Valkey: several processes and machines, one server, Sentinel or Cluster."""

from notifykit.errors import MissingExtraError

try:
    import redis as _redis  # noqa: F401 - to say plainly what is missing
except ModuleNotFoundError as _error:
    raise MissingExtraError('redis:// needs an optional dependency: pip install "notifykit[redis]"', extra="redis") from _error

from notifykit.buses.redis._audit import audit
from notifykit.buses.redis._bus import RedisBus
from notifykit.buses.redis._ledger import RedisLedger
from notifykit.buses.redis._settings import Durability, RedisSettings
from notifykit.buses.redis._sharded import ShardedRedisBus

__all__ = ["Durability", "RedisBus", "RedisLedger", "RedisSettings", "ShardedRedisBus", "audit"]
