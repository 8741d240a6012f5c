-- Settle: for each of a number of settlements an answer of one letter: D done, X dead, G gone, S stale.
-- Acks are gathered, and written before anything that could look at their messages.
local acked, acked_of = {}, {}

local function flush_acked()
  if #acked == 0 then return end
  call('HDEL', M, unpack(acked))
  call('HDEL', S, unpack(acked))
  call('ZREM', N, unpack(acked))
  for q, ids in pairs(acked_of) do
    call('ZREM', lease_key(q), unpack(ids))
    count(names[floor(q / 2) + 1], q % 2, 'acked', #ids)
  end
  acked, acked_of = {}, {}
end

local function ack(id, q, group)
  acked[#acked + 1] = id
  local ids = acked_of[q]
  if ids then ids[#ids + 1] = id else acked_of[q] = {id} end
  if group then
    count_group(group, 'c', -1)
    count_group(group, 'n', -1)
  end
end

-- End a claim otherwise than by an ack; return whether the message is dead now.
local function end_claim(kind, id, q, t, head, due, text, progress)
  if kind == 't' then
    t[7], t[13] = progress, text
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

-- Enqueue what came with a settlement.
local function add_then(number, changed)
  flush_acked()
  for _ = 1, number do
    local id, q, due, blob = arg(), tonumber(arg()), arg(), arg()
    add(id, q, due, blob, call('HEXISTS', M, id) == 1)
    changed[id] = true
  end
  flush_added()
end

-- Each settlement: kind and lane, id, token; and unless it is a plain ack (a): due or reason, text, progress, the number of
-- messages to add, and those.
local function settle_all(number)
  if number == 0 then return '' end
  local answers, kinds, ids, tokens, more = {}, {}, {}, {}, {}
  for i = 1, number do
    kinds[i], ids[i], tokens[i] = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    at = at + 3
    if kinds[i]:byte(1) ~= 97 then
      more[i] = at
      at = at + 4 + 4 * tonumber(ARGV[at + 4])
    end
  end
  local resume, states, changed = at, call('HMGET', S, unpack(ids)), {}
  for i = 1, number do
    local id, raw = ids[i], states[i]
    if changed[id] then
      flush_acked()
      raw = call('HGET', S, id)
    end
    local token, letter, group, found, _ = tokens[i], nil, nil, nil, nil
    -- A claim's state without a group or an error ends with its token, whose length stands before it, and two times of nine bytes: most
    -- need not be unpacked.
    if raw and raw:byte(2) == 99 and raw:byte(-19 - #token) == 160 + #token and raw:sub(-18 - #token, -19) == token then
      letter, found = 'c', token
    elseif raw then
      letter, _, _, _, _, _, _, _, found, _, _, group = unpack_all(raw)
    end
    if letter == 'c' and found == token then
      changed[id] = true
      local kind, q = kinds[i]:sub(1, 1), tonumber(kinds[i]:sub(2))
      if kind == 'a' or kind == 'A' then
        ack(id, q, group)
        answers[i] = 'D'
      else
        at = more[i]
        local head = head_of(call('HGET', M, id))
        answers[i] = end_claim(kind, id, q, {unpack_all(raw)}, head, arg(), arg(), arg()) and 'X' or 'D'
      end
      if more[i] and (kind == 'A' or answers[i] == 'X') then
        at = more[i] + 3
        add_then(tonumber(arg()), changed)
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
  at = resume
  flush_acked()
  return table.concat(answers)
end
