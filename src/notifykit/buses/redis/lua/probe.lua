-- What this user may not run: KEYS are the bus's own numbers (a hash) and its doorbell. Answers the names of commands. Nothing is
-- changed: what is not for a hash fails by its type, but only behind the look at the rights.
local C, B = KEYS[1], KEYS[2]
local missing = {}

local function try(name, ...)
  local answer = redis.pcall(name, ...)
  local why = type(answer) == 'table' and answer.err
  if not why then return answer end
  if why:find('permissions to run', 1, true) or why:find("can't run", 1, true) then missing[#missing + 1] = name:lower() end
end

local schema = try('HGET', C, '!schema')
try('TIME')
for _, name in ipairs({'HLEN', 'HGETALL', 'LLEN', 'SMEMBERS', 'ZCARD'}) do try(name, B) end
try('HEXISTS', C, '')
try('HMGET', C, '')
try('LINDEX', B, 0)
try('LRANGE', B, 0, 0)
try('ZSCORE', B, '')
for _, name in ipairs({'ZCOUNT', 'ZRANGE', 'ZREVRANGE', 'ZRANGEBYSCORE'}) do try(name, B, 0, 0) end
for _, name in ipairs({'ZLEXCOUNT', 'ZRANGEBYLEX'}) do try(name, B, '-', '-') end
try('XREAD', 'COUNT', 1, 'STREAMS', B, 0)
try('XREVRANGE', B, '+', '-', 'COUNT', 1)
if not schema then return missing end
try('HSET', C, '!schema', schema)
try('HSETNX', C, '!schema', schema)
try('HDEL', C, '')
try('HINCRBY', C, '!seq', 0)
try('PEXPIRE', C, 1, 'XX')
for _, name in ipairs({'LPUSH', 'RPUSH', 'SADD', 'ZREM'}) do try(name, C, '') end
try('LPOP', C, 1)
try('ZADD', C, 0, '')
try('ZREMRANGEBYSCORE', C, 0, 0)
try('XADD', C, 'MAXLEN', 1, '*', '', '')
return missing
