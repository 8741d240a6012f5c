-- ARGV behind the filter: the action; 1 for a dry run; which to look at ('live', 'dead' or 'ids'); after; how many to look at;
-- how many to change; then the ids. Answers {seq to go on behind or '', ids changed, ids refused}, or the name of a channel
-- that is not among ARGV's, before anything was changed.
local action, dry, which, after = arg(), arg() == '1', arg(), tonumber(arg())
local most, limit = tonumber(arg()), tonumber(arg())
local found, resume = scan(which, after, most)

local numbers = {}
for i, name in ipairs(names) do numbers[name] = 2 * (i - 1) end

-- Every message that is to be changed, with all that is needed for it.
local chosen, last = {}, nil
for _, each in ipairs(found) do
  if #chosen >= limit then
    resume = last
    break
  end
  last = each[2]
  local record, t, head = meant(each[1], each[2])
  local waits = action == 'cancel' or action == 'advance' and (not record or t[5] > now)
  if record and t[1] == (waits and 'w' or action ~= 'advance' and 'd') then
    if not numbers[head[1]] then return head[1] end
    chosen[#chosen + 1] = {each[1], numbers[head[1]] + head[2], t, head}
  end
end

local function revive(id, q, t, head)
  count(head[1], head[2], 'replayed')
  seq = seq + 1
  t[2], t[3], t[4], t[5], t[6] = 0, 0, t[4] + 1, now, seq
  if head[4] and head[4] <= now then t[8] = true end
  save_waiting(id, t)
  call('ZREM', D, id)
  call('ZADD', N, seq, id)
  local place = place_of(now, seq, id)
  call('RPUSH', ready_key(q), place)
  if head[4] and not t[8] then call('ZADD', expiry_key(q), head[4], id) end
  if head[5] then take_key(head[5], id) end
  if head[6] then
    call('ZADD', G, 0, group_place(head[6], place))
    count_group(head[6], 'd', -1)
  end
  rung = true
end

local function advance(id, q, t, head)
  leave(id, q, t, head)
  seq = seq + 1
  t[5], t[6] = now, seq
  save_waiting(id, t, t[9])
  call('ZADD', N, seq, id)
  local place = place_of(now, seq, id)
  call('RPUSH', ready_key(q), place)
  if head[4] and not t[8] then call('ZADD', expiry_key(q), head[4], id) end
  if head[6] then call('ZADD', G, 0, group_place(head[6], place)) end
  rung = true
end

local changed, refused, taken = {}, {}, {}
for _, each in ipairs(chosen) do
  local id, q, t, head = unpack(each)
  local key = head[5]
  local owner = key and action == 'replay' and call('HGET', K, key)
  if owner and (taken[key] or lives(owner:sub(16), key)) or key and taken[key] then
    refused[#refused + 1] = id
  else
    changed[#changed + 1] = id
    if key and action == 'replay' then taken[key] = true end
    if not dry then
      if action == 'replay' then
        revive(id, q, t, head)
      elseif action == 'advance' then
        advance(id, q, t, head)
      else
        remove(id, q, t, head, action == 'cancel' and 'cancelled' or 'purged')
      end
    end
  end
end
if not dry then finish() end
return {resume or '', changed, refused}
