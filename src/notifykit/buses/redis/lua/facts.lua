-- The ledger's values: KEYS[12] hash key -> value, KEYS[13] zset of keys in the order of their code points, KEYS[14] zset of
-- ends. A stored value is '0' and itself, or '1', 15 digits of its end, and itself.
local function forget(key)
  call('HDEL', KEYS[12], key)
  call('ZREM', KEYS[13], key)
  call('ZREM', KEYS[14], key)
end

local function forget_two_ended()
  for _, old in ipairs(call('ZRANGEBYSCORE', KEYS[14], '-inf', now, 'LIMIT', 0, 2)) do forget(old) end
end
