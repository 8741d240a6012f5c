-- Ledger: ARGV: 1 to take a place, the number of windows; of each the place of its key among KEYS (from 0), limit, period.
-- Answers {1 if taken or there is room, the places left, or when there will be room}.
-- A window's hits are a zset of bus times; its member 'longest' bears the longest period seen, negative.
local take, number = arg() == '1', tonumber(arg())
local places, free_at, hit = 9007199254740991, 0, {}
for _ = 1, number do
  local key, limit, period = KEYS[15 + tonumber(arg())], tonumber(arg()), tonumber(arg())
  local longest = max(period, -tonumber(call('ZSCORE', key, 'longest') or 0))
  local used = call('ZCOUNT', key, format('(%.0f', max(0, now - period)), '+inf')
  places = min(places, max(0, limit - used))
  if used >= limit then
    local oldest = call('ZREVRANGE', key, limit - 1, limit - 1, 'WITHSCORES')
    free_at = max(free_at, tonumber(oldest[2]) + period)
  end
  hit[key] = max(longest, hit[key] or 0)
end
if not take then return {free_at > 0 and 0 or 1, places, free_at} end
if free_at == 0 then
  local n = call('HINCRBY', C, '!hits', 1)
  for key, longest in pairs(hit) do
    call('ZREMRANGEBYSCORE', key, 0, now - longest)
    call('ZADD', key, now, format('%.0f', n), -longest, 'longest')
    if ARGV[1] == '' then call('PEXPIRE', key, longest) end
  end
end
finish()
return {free_at > 0 and 0 or 1, places, free_at}
