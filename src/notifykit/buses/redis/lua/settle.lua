-- Settle: for each of a number of settlements an answer of one letter: D done, X dead, G gone, S stale.
-- Acks are gathered, and written before anything that could look at their messages.
local acked = {}
local acked_by_channel = {}

local function flush_acked()
  if #acked == 0 then return end
  call('HDEL', M, unpack(acked))
  call('HDEL', S, unpack(acked))
  call('ZREM', N, unpack(acked))
  for q, ids in pairs(acked_by_channel) do call('ZREM', lease_key(q), unpack(ids)) end
  acked, acked_by_channel = {}, {}
end

local function ack(id, q, group)
  acked[#acked + 1] = id
  local channel = q - q % 2
  local ids = acked_by_channel[channel]
  if not ids then
    ids = {}
    acked_by_channel[channel] = ids
  end
  ids[#ids + 1] = id
  if group then
    count_group(group, 'c', -1)
    count_group(group, 'n', -1)
  end
  count(names[floor(q / 2) + 1], q % 2, 'acked')
end

-- End a claim otherwise than by an ack; return whether the message is dead now.
local function end_claim(kind, id, q, t, head, due, text, progress)
  if kind == 't' then
    t[7] = progress
    if t[2] >= head[3] then
      bury(id, q, t, head, 'failed', text)
      return true
    end
    count(head[1], head[2], 'retried')
    seq = seq + 1
    t[5], t[6] = max(now, tonumber(due)), seq
    call('ZADD', N, seq, id)
    put_back(id, q, t, head, t[5] <= now)
  elseif kind == 'r' then
    t[2] = t[2] - 1
    if progress:sub(1, 1) == '+' then t[7] = progress:sub(2) end
    if due ~= '' then t[5] = tonumber(due) end
    count(head[1], head[2], 'released')
    put_back(id, q, t, head, false)
  else
    bury(id, q, t, head, due, text)
    return true
  end
  return false
end

local function settle_all(number)
  local answers = {}
  if number == 0 then return '' end
  -- Each settlement: kind and lane, id, token, due or reason, text, progress, number of messages to add, and those.
  -- An ack is short: its kind, id and token.
  local settlements, ids = {}, {}
  for i = 1, number do
    local kind = arg()
    local letter = kind:sub(1, 1)
    local s = {letter, tonumber(kind:sub(2)), arg(), arg()}
    if letter ~= 'a' then
      s[5], s[6], s[7] = arg(), arg(), arg()
      s[8] = tonumber(arg())
      s[9] = at
      at = at + 4 * s[8]
    end
    settlements[i], ids[i] = s, s[3]
  end
  local states, changed = call('HMGET', S, unpack(ids)), {}
  for i = 1, number do
    local letter, q, id, token = unpack(settlements[i], 1, 4)
    local raw = states[i]
    if changed[id] then
      flush_acked()
      raw = call('HGET', S, id)
    end
    local t = raw and {unpack_all(raw)}
    if t and t[1] == 'c' and t[9] == token then
      changed[id] = true
      if letter == 'a' or letter == 'A' then
        ack(id, q, t[12])
        answers[i] = 'D'
      else
        local head = head_of(call('HGET', M, id))
        local s = settlements[i]
        answers[i] = end_claim(letter, id, q, t, head, s[5], s[6], s[7]) and 'X' or 'D'
      end
      local s = settlements[i]
      if s[8] and s[8] > 0 and (letter == 'A' or answers[i] == 'X') then
        flush_acked()
        local resume = at
        at = s[9]
        for _ = 1, s[8] do
          local new, lane, due, blob = arg(), tonumber(arg()), arg(), arg()
          add(new, lane, due, blob, call('HEXISTS', M, new) == 1)
          changed[new] = true
        end
        at = resume
        flush_added()
      end
    else
      local record = call('HGET', M, id)
      if record then
        local head = head_of(record)
        count(head[1], head[2], 'stale')
        answers[i] = 'S'
      else
        answers[i] = 'G'
      end
    end
  end
  flush_acked()
  return table.concat(answers)
end
