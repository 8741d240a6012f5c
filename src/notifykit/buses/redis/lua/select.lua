-- Which messages a filter means. ARGV: its eleven conditions, '' for none, as the client orders them.
local wanted = {}
for i = 1, 9 do wanted[i] = arg() end
local function is(condition, value) return condition == '' or condition == value end

local state_names = {c = 'claimed', d = 'dead'}

-- The message's record, state and header if the filter means it, and whether it is stored at all.
local function meant(id, number)
  local record = call('HGET', M, id)
  if not record then return nil end
  local raw = call('HGET', S, id)
  local t = raw and {unpack_all(raw)} or {'w', 0, 0, 0, tonumber(record:sub(1, 15)), number or 0, '', false}
  if not raw and not number then t[6] = tonumber(call('ZSCORE', N, id)) end
  local head = head_of(record)
  local state = state_names[t[1]] or t[5] <= now and 'ready' or 'scheduled'
  local moment = t[1] == 'd' and t[11] or t[5]
  local matches = is(wanted[1], '+' .. head[1])
    and is(wanted[2], tostring(head[2]))
    and is(wanted[3], '+' .. head[7])
    and is(wanted[4], '+' .. head[8])
    and is(wanted[5], head[6] and '+' .. head[6])
    and is(wanted[6], state)
    and is(wanted[7], t[1] == 'd' and t[9])
    and (wanted[8] == '' or moment >= tonumber(wanted[8]))
    and (wanted[9] == '' or moment < tonumber(wanted[9]))
  if not matches then return nil end
  return record, t, head
end

-- The next messages behind a seq, from what lives (N), is dead (D), or both: pairs of id and seq, and the seq to go on
-- behind, nil at the end. Or the given ids, in the order of seq.
local function scan(which, after, most)
  local found = {}
  if which == 'ids' then
    for _ = 1, most do
      local id = arg()
      local number = call('ZSCORE', N, id) or call('ZSCORE', D, id)
      if number and tonumber(number) > after then found[#found + 1] = {id, tonumber(number)} end
    end
    table.sort(found, function(a, b) return a[2] < b[2] end)
    return found, nil
  end
  for _, index in ipairs(which == 'live' and {N} or which == 'dead' and {D} or {N, D}) do
    local pairs_ = call('ZRANGEBYSCORE', index, format('(%.0f', after), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
    for i = 1, #pairs_, 2 do found[#found + 1] = {pairs_[i], tonumber(pairs_[i + 1])} end
  end
  if which == 'both' then table.sort(found, function(a, b) return a[2] < b[2] end) end
  local more = #found >= most
  for i = #found, most + 1, -1 do found[i] = nil end
  return found, more and found[#found][2] or nil
end
