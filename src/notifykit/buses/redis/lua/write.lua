-- What every script that writes needs: counters, and the end.
local tally = {}
local rung = false

local function count(channel, lane, name, by)
  local field = lane .. ':' .. name .. ':' .. channel
  tally[field] = (tally[field] or 0) + (by or 1)
end

local function count_group(group, letter, by)
  local field = 'g' .. letter .. group
  if call('HINCRBY', C, field, by) == 0 then call('HDEL', C, field) end
end

-- ARGV and the counters' fields name lanes by 0 (transactional) and 1 (campaign).
local function finish()
  for field, by in pairs(tally) do
    if call('HINCRBY', C, field, by) == by then call('SADD', T, field:match('^%d:[%w_]+:(.*)$')) end
  end
  call('HSET', C, '!mark', now, '!mono', mono, '!seq', seq, '!claims', claims, '!pause', pause)
  if rung then call('XADD', B, 'MAXLEN', 1, '*', 'r', '') end
end
