-- Moves between waiting, claimed, dead and gone. t is the message's state (see below), q its lane.
-- States: 1 letter, 2 attempts, 3 takeovers, 4 replays, 5 due, 6 seq, 7 progress, 8 whether expires_at no longer counts;
-- then of a waiting one (w): 9 the error of its last attempt, if that failed; of a claim (c): 9 token, 10 claimed_at,
-- 11 lease_until, 12 group, 13 that error; of a dead one (d): 9 reason, 10 error, 11 died_at.
local function load_state(id, record)
  local raw = call('HGET', S, id)
  if raw then return {unpack_all(raw)} end
  return {'w', 0, 0, 0, tonumber(record:sub(1, 15)), tonumber(call('ZSCORE', N, id)), '', false}
end

local function save_waiting(id, t, why)
  if why then
    call('HSET', S, id, pack('w', t[2], t[3], t[4], t[5], t[6], t[7], t[8], why))
  else
    call('HSET', S, id, pack('w', t[2], t[3], t[4], t[5], t[6], t[7], t[8]))
  end
end

local function free_key(key, id)
  local taken = call('HGET', K, key)
  if taken and taken:sub(16) == id then
    call('HDEL', K, key)
    call('ZREM', E, key)
  end
end

-- Let a claimed message wait again: at the tail, or at the place that its due and seq give it.
local function put_back(id, q, t, head, to_tail)
  t[1] = 'w'
  save_waiting(id, t, t[13])
  call('ZREM', lease_key(q), id)
  local place = place_of(t[5], t[6], id)
  if to_tail then
    call('RPUSH', ready_key(q), place)
  else
    call('ZADD', wait_key(q), t[5], place)
  end
  if head[4] and not t[8] then call('ZADD', expiry_key(q), head[4], id) end
  if head[6] then
    call('ZADD', G, 0, group_place(head[6], place))
    count_group(head[6], 'c', -1)
  end
  rung = true
end

-- Take a message out of all that holds what waits or is claimed. A list keeps its place, which no longer means anything: a ghost.
local function leave(id, q, t, head)
  if t[1] == 'c' then
    call('ZREM', lease_key(q), id)
    if head[6] then count_group(head[6], 'c', -1) end
    return
  end
  local place = place_of(t[5], t[6], id)
  if call('ZREM', wait_key(q), place) == 0 then call('HINCRBY', C, '!ghosts:' .. ready_key(q), 1) end
  if head[4] then call('ZREM', expiry_key(q), id) end
  if head[6] then call('ZREM', G, group_place(head[6], place)) end
end

local function bury(id, q, t, head, reason, why)
  leave(id, q, t, head)
  count(head[1], head[2], 'died')
  if head[5] then free_key(head[5], id) end
  if head[6] then count_group(head[6], 'd', 1) end
  call('HSET', S, id, pack('d', t[2], t[3], t[4], t[5], t[6], t[7], t[8], reason, why, now))
  call('ZREM', N, id)
  call('ZADD', D, t[6], id)
end

-- Remove for good a waiting or dead message; its key is freed.
local function remove(id, q, t, head, counter)
  if t[1] ~= 'd' then leave(id, q, t, head) elseif head[6] then count_group(head[6], 'd', -1) end
  if head[6] then count_group(head[6], 'n', -1) end
  if head[5] then free_key(head[5], id) end
  count(head[1], head[2], counter)
  call('HDEL', M, id)
  call('HDEL', S, id)
  call('ZREM', N, id)
  call('ZREM', D, id)
end
