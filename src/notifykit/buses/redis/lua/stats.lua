-- Answers {now, counters as HGETALL, holds as pairs of channel and packed list, of each channel and lane its numbers of
-- ready, scheduled and the first due or '', of each group likewise, channels}.
local lanes, groups, holds = {}, {}, {}

-- The due of the first message that really is in a list: ghosts before it are left where they are.
local function first_listed(list)
  for start = 0, 100000, 250 do
    local some = call('LRANGE', list, start, start + 249)
    for _, place in ipairs(some) do
      if tonumber(call('ZSCORE', N, place:sub(32)) or -1) == seq_of(place) then return tonumber(place:sub(1, 15)) end
    end
    if #some < 250 then return nil end
  end
  return nil
end

for i = 0, channels - 1 do
  for lane = 0, 1 do
    local q = 2 * i + lane
    local list, late = ready_key(q), wait_key(q)
    local ghosts = tonumber(call('HGET', C, '!ghosts:' .. list) or 0)
    local ready = call('LLEN', list) - ghosts
    local first = ready > 0 and first_listed(list) or nil
    ready = ready + call('ZCOUNT', late, '-inf', now)
    local waiting = call('ZRANGEBYSCORE', late, '-inf', now, 'LIMIT', 0, 1)[1]
    if waiting then
      local due = tonumber(waiting:sub(1, 15))
      first = first and min(first, due) or due
    end
    for _, value in ipairs({ready, call('ZCOUNT', late, format('(%.0f', now), '+inf'), first or ''}) do lanes[#lanes + 1] = value end
  end
end
local counters = call('HGETALL', C)
for i = 1, #counters, 2 do
  local group = counters[i]:match('^gn(.*)$')
  if group then
    local before = format('%03d', #group) .. group
    local middle = '(' .. before .. format('%015.0f', now) .. ':'
    local ready = call('ZLEXCOUNT', G, '[' .. before .. '0', middle)
    local first = ready > 0 and call('ZRANGEBYLEX', G, '[' .. before .. '0', middle, 'LIMIT', 0, 1)[1]
    local due = first and tonumber(first:sub(#before + 1, #before + 15)) or ''
    for _, value in ipairs({group, ready, call('ZLEXCOUNT', G, middle, '(' .. before .. ':'), due}) do groups[#groups + 1] = value end
  end
end
local held = call('HGETALL', H)
for i = 1, #held, 2 do
  for _, hold in ipairs(cmsgpack.unpack(held[i + 1])) do
    if hold[3] > now then
      for _, value in ipairs({held[i], hold[1], hold[2], hold[3]}) do holds[#holds + 1] = value end
    end
  end
end
return {now, counters, holds, lanes, groups, call('SMEMBERS', T)}
