-- What every script that writes needs: counters, states, idempotency keys, adding.
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

-- States: 1 letter, 2 attempts, 3 takeovers, 4 replays, 5 due, 6 seq, 7 progress, 8 whether expires_at no longer counts;
-- then of a claim (c): 9 token, 10 claimed_at, 11 lease_until, 12 group; of a dead one (d): 9 reason, 10 error, 11 died_at.
local function load_state(id, record)
  local raw = call('HGET', S, id)
  if raw then return {unpack_all(raw)} end
  return {'w', 0, 0, 0, tonumber(record:sub(1, 15)), tonumber(call('ZSCORE', N, id)), '', false}
end

local function save_waiting(id, t)
  call('HSET', S, id, pack('w', t[2], t[3], t[4], t[5], t[6], t[7], t[8]))
end

-- Idempotency keys
local added = {}

local function lives(id, key)
  if added[id] then return added[id] == key end
  local record = call('HGET', M, id)
  return record and head_of(record)[5] == key and not call('ZSCORE', D, id)
end

local function key_owner(key)
  local taken = call('HGET', K, key)
  if not taken then return nil end
  local owner = taken:sub(16)
  if now < tonumber(taken:sub(1, 15)) or lives(owner, key) then return owner end
  return nil
end

local function free_key(key, id)
  local taken = call('HGET', K, key)
  if taken and taken:sub(16) == id then
    call('HDEL', K, key)
    call('ZREM', E, key)
  end
end

-- Take a key, and forget two whose time is over; a living message's is looked at again later.
local function take_key(key, id)
  call('HSET', K, key, format('%015.0f', now + ttl) .. id)
  call('ZADD', E, now + ttl, key)
  for _, old in ipairs(call('ZRANGEBYSCORE', E, '-inf', now, 'LIMIT', 0, 2)) do
    if old ~= key then
      if key_owner(old) then
        call('ZADD', E, now + max(ttl, 60000), old)
      else
        call('HDEL', K, old)
        call('ZREM', E, old)
      end
    end
  end
end

local function group_place(group, place) return format('%03d', #group) .. group .. place end

-- Adding: what goes to the large keys is gathered and written by flush_added().
local rows, scores, tails = {}, {}, {}

local function flush_added()
  if #rows == 0 then return end
  call('HSET', M, unpack(rows))
  call('ZADD', N, unpack(scores))
  for list, places in pairs(tails) do call('RPUSH', list, unpack(places)) end
  rows, scores, tails = {}, {}, {}
end

-- Add one message unless it is a duplicate, of the id that is returned. A due of '' is now.
local function add(id, q, due, blob, stored)
  local channel, lane, head = names[floor(q / 2) + 1], q % 2, nil
  if blob:byte(1) ~= 48 then head = select(2, unpack_one(blob, 3)) end
  local key = head and head[5]
  local owner = (stored or added[id]) and id or key and key_owner(key)
  if owner then
    count(channel, lane, 'duplicates')
    return owner
  end
  count(channel, lane, 'enqueued')
  rung = true
  due = due == '' and now or max(now, tonumber(due))
  seq = seq + 1
  added[id] = key or true
  local place = place_of(due, seq, id)
  local n = #rows
  rows[n + 1], rows[n + 2] = id, place:sub(1, 15) .. blob
  scores[n + 1], scores[n + 2] = seq, id
  if due <= now then
    local list = ready_key(q)
    local places = tails[list]
    if not places then
      places = {}
      tails[list] = places
    end
    places[#places + 1] = place
  else
    call('ZADD', wait_key(q), due, place)
  end
  if head then
    if key then take_key(key, id) end
    if head[4] then call('ZADD', expiry_key(q), head[4], id) end
    if head[6] then
      call('ZADD', G, 0, group_place(head[6], place))
      count_group(head[6], 'n', 1)
    end
  end
  if n >= 800 then flush_added() end
  return nil
end
