-- Take over, expire, hand out, for the first channel of ARGV. Answers {now, next_at or '', claims before, dead, and of each
-- claim its place, attempt, progress and record}.

local function take_over(dead)
  if now < pause then return end
  for _, id in ipairs(call('ZRANGEBYSCORE', lease_key(0), '-inf', now, 'LIMIT', 0, 1000)) do
    local record = call('HGET', M, id)
    local t, head = load_state(id, record), head_of(record)
    local lost = t[2] >= head[3] or t[3] >= 20
    count(head[1], head[2], 'taken_over')
    t[3] = t[3] + 1
    if lost then
      bury(id, head[2], t, head, 'crash', 'its lease ran out: the worker died with it or was held up')
      dead[#dead + 1] = id
    else
      put_back(id, head[2], t, head, false)
    end
  end
end

local function expire(dead)
  for _, id in ipairs(call('ZRANGEBYSCORE', expiry_key(0), '-inf', now, 'LIMIT', 0, 1000)) do
    local record = call('HGET', M, id)
    local head = head_of(record)
    bury(id, head[2], load_state(id, record), head, 'expired', 'it was not sent before its expires_at')
    dead[#dead + 1] = id
  end
end

-- Until when each lane is held, 0 if it is not.
local function holds()
  local until_ = {[0] = 0, [1] = 0}
  local raw = call('HGET', H, names[1])
  if raw then
    for _, hold in ipairs(cmsgpack.unpack(raw)) do
      for lane = 0, 1 do
        if hold[1] == lane or hold[1] == 2 then until_[lane] = max(until_[lane], hold[3]) end
      end
    end
  end
  return until_
end

-- Whether a place of a list still is where its message waits.
local function is_real(place)
  local id = place:sub(32)
  return tonumber(call('ZSCORE', N, id) or -1) == seq_of(place)
end

-- Pop up to want places of a lane's list, leaving the ghosts out; at most 1,000 ghosts a call.
local function pop_ready(q, want)
  local list = ready_key(q)
  local field = '!ghosts:' .. list
  local ghosts = tonumber(call('HGET', C, field) or 0)
  if ghosts == 0 then return call('LPOP', list, want) or {} end
  local found, met = {}, 0
  while #found < want and met < 1000 do
    local some = call('LPOP', list, min(want, 256))
    if not some then break end
    for i, place in ipairs(some) do
      if #found < want and is_real(place) then
        found[#found + 1] = place
      elseif #found < want then
        met = met + 1
      else
        local rest = {}
        for j = #some, i, -1 do rest[#rest + 1] = some[j] end
        call('LPUSH', list, unpack(rest))
        break
      end
    end
  end
  if met > 0 and call('HINCRBY', C, field, -met) <= 0 then call('HDEL', C, field) end
  return found
end

-- Up to want ready places of a lane in order. What lies in the list is popped; the rest says itself where it lies.
local function candidates(q, want)
  local late = call('ZRANGEBYSCORE', wait_key(q), '-inf', now, 'LIMIT', 0, want)
  local listed = pop_ready(q, want)
  if #late == 0 then return listed, {} end
  local found, from = {}, {}
  local i, j = 1, 1
  while #found < want and (late[i] or listed[j]) do
    local n = #found + 1
    if late[i] and (not listed[j] or late[i] < listed[j]) then
      found[n], from[n], i = late[i], true, i + 1
    else
      found[n], from[n], j = listed[j], false, j + 1
    end
  end
  local rest = {}
  for k = #listed, j, -1 do rest[#rest + 1] = listed[k] end
  if #rest > 0 then call('LPUSH', ready_key(q), unpack(rest)) end
  return found, from
end

-- Remove the first taken of found from where they lie, and put the rest back.
local function keep(q, found, from, taken)
  local late, rest = {}, {}
  if next(from) == nil and taken == #found then return end
  for i = 1, taken do
    if from[i] then late[#late + 1] = found[i] end
  end
  for i = #found, taken + 1, -1 do
    if not from[i] then rest[#rest + 1] = found[i] end
  end
  if #late > 0 then call('ZREM', wait_key(q), unpack(late)) end
  if #rest > 0 then call('LPUSH', ready_key(q), unpack(rest)) end
end

-- Places in the order they are to be sent, and how many of each lane: strictly by lane, but for one campaign message after
-- so many transactional ones in a row.
local function choose(room, limit, campaign_after)
  local chosen, taken = {}, {[0] = 0, [1] = 0}
  if campaign_after == 0 then
    for lane = 0, 1 do
      local want = min(room[lane], limit - #chosen)
      if want > 0 then
        local found, from = candidates(lane, want)
        taken[lane] = #found
        keep(lane, found, from, #found)
        if lane == 0 then
          chosen = found
        else
          for _, place in ipairs(found) do chosen[#chosen + 1] = place end
        end
      end
    end
    return chosen, taken
  end
  local field = '!run:' .. names[1]
  local run = tonumber(call('HGET', C, field) or 0)
  local found, from = {[0] = {}, [1] = {}}, {[0] = {}, [1] = {}}
  for lane = 0, 1 do
    local want = min(room[lane], limit)
    if want > 0 then found[lane], from[lane] = candidates(lane, want) end
  end
  while #chosen < limit do
    local lane = run >= campaign_after and 1 or 0
    if not found[lane][taken[lane] + 1] then lane = 1 - lane end
    local place = found[lane][taken[lane] + 1]
    if not place then break end
    taken[lane] = taken[lane] + 1
    chosen[#chosen + 1] = place
    run = lane == 0 and run + 1 or 0
  end
  for lane = 0, 1 do keep(lane, found[lane], from[lane], taken[lane]) end
  call('HSET', C, field, run)
  return chosen, taken
end

-- The first waiting place of a lane; ghosts before it are dropped. Some place, maybe a ghost, after 1,000 ghosts.
local function first_place(q)
  local list = ready_key(q)
  local listed = pop_ready(q, 1)[1]
  if listed then call('LPUSH', list, listed) else listed = call('LINDEX', list, 0) end
  local late = call('ZRANGE', wait_key(q), 0, 0)[1]
  if listed and late then return listed < late and listed or late end
  return listed or late
end

local function hand_out(out, chosen, nonce, lease)
  local number = #chosen
  if number == 0 then return end
  local ids = {}
  for i = 1, number do ids[i] = chosen[i]:sub(32) end
  local records = call('HMGET', M, unpack(ids))
  local states = call('HMGET', S, unpack(ids))
  local saved, leases, dues = {}, {}, {}
  local ending = now + lease
  for i = 1, number do
    local id, record, raw, place = ids[i], records[i], states[i], chosen[i]
    local digits, own = place:sub(1, 15), tonumber(place:sub(16, 31))
    local due = dues[digits]
    if not due then
      due = tonumber(digits)
      dues[digits] = due
    end
    local attempts, takeovers, replays, progress, void, why = 0, 0, 0, '', false, nil
    if raw then
      local t = {unpack_all(raw)}
      attempts, takeovers, replays, progress, void, why = t[2], t[3], t[4], t[7], t[8], t[9]
    end
    attempts = attempts + 1
    local token = format('%d', claims + i) .. '-' .. nonce
    local group
    if record:byte(16) ~= 48 then
      local head = head_of(record)
      if head[4] and not void then call('ZREM', expiry_key(0), id) end
      group = head[6]
      if group then
        call('ZREM', G, group_place(group, place))
        count_group(group, 'c', 1)
      end
    end
    saved[2 * i - 1] = id
    if why then
      saved[2 * i] = pack('c', attempts, takeovers, replays, due, own, progress, void, token, now, ending, group, why)
    elseif group then
      saved[2 * i] = pack('c', attempts, takeovers, replays, due, own, progress, void, token, now, ending, group)
    else
      saved[2 * i] = pack('c', attempts, takeovers, replays, due, own, progress, void, token, now, ending)
    end
    leases[2 * i - 1], leases[2 * i] = ending, id
    local n = 4 * i
    out[n + 1], out[n + 2], out[n + 3], out[n + 4] = place, void and -attempts or attempts, progress, record
  end
  call('HSET', S, unpack(saved))
  call('ZADD', lease_key(0), unpack(leases))
  claims = claims + number
end

local function claim(lanes, limit, lease, nonce, campaign_after, expected)
  if jumped or (expected ~= '' and now > tonumber(expected) + 1000) then pause = now + lease end
  local dead = {}
  take_over(dead)
  expire(dead)
  local held, room = holds(), {}
  for lane = 0, 1 do room[lane] = held[lane] > now and 0 or max(0, lanes[lane]) end
  local chosen, taken = choose(room, limit, campaign_after)
  local out = {now, '', claims, dead}
  hand_out(out, chosen, nonce, lease)
  for lane = 0, 1 do
    if taken[lane] > 0 then count(names[1], lane, 'claimed', taken[lane]) end
  end
  local next_at
  local first = call('ZRANGE', lease_key(0), 0, 0, 'WITHSCORES')[2]
  if first then next_at = max(tonumber(first), pause) end
  for lane = 0, 1 do
    if lanes[lane] >= 0 and held[lane] < 253402214400000 then
      local place = first_place(lane)
      if place then
        local moment = max(tonumber(place:sub(1, 15)), held[lane])
        next_at = next_at and min(next_at, moment) or moment
      end
    end
  end
  if next_at then out[2] = max(now, next_at) end
  return out
end
