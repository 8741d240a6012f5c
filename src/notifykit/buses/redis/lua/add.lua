-- Adding messages, with their idempotency keys.
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
