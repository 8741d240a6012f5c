-- ARGV: 'live', 'dead' or 'sizes'; after; how many to look at. Looks whether each message is exactly where its state says.
-- Answers {seq to go on behind or '', complaints, and numbers: rows, states, grouped, then of each channel: listed and other
-- waiting ones by lane, claimed, awaiting expiry} as seen in the messages, or with 'sizes' as the keys themselves say.
local which, after, most = arg(), tonumber(arg()), tonumber(arg())
local complaints, numbers = {}, {0, 0, 0}
for i = 1, 6 * channels do numbers[3 + i] = 0 end
local function complain(id, what) complaints[#complaints + 1] = id .. ': ' .. what end

if which == 'sizes' then
  numbers = {call('HLEN', M), call('HLEN', S), call('ZCARD', G)}
  for i = 0, channels - 1 do
    for q = 2 * i, 2 * i + 1 do
      numbers[#numbers + 1] = call('LLEN', ready_key(q)) - tonumber(call('HGET', C, '!ghosts:' .. ready_key(q)) or 0)
      numbers[#numbers + 1] = call('ZCARD', wait_key(q))
    end
    numbers[#numbers + 1] = call('ZCARD', lease_key(2 * i))
    numbers[#numbers + 1] = call('ZCARD', expiry_key(2 * i))
  end
  return {'', complaints, numbers}
end

local known = {}
for i, name in ipairs(names) do known[name] = 2 * (i - 1) end

local function seen(place) numbers[place] = numbers[place] + 1 end

local function look(id, number)
  local record, raw = call('HGET', M, id), call('HGET', S, id)
  if not record then return complain(id, 'it has no record') end
  seen(1)
  if raw then seen(2) end
  local t = raw and {unpack_all(raw)} or {'w', 0, 0, 0, tonumber(record:sub(1, 15)), number, '', false}
  local head = head_of(record)
  if not known[head[1]] then return complain(id, 'its channel is not among the known ones') end
  local q = known[head[1]] + head[2]
  local base = 4 + 3 * q - 3 * (q % 2)
  if t[6] ~= number then complain(id, 'its seq is another') end
  if t[2] < 0 or t[2] > head[3] then complain(id, 'its attempts are out of bounds') end
  if (t[1] == 'd') ~= (which == 'dead') then complain(id, 'its state and its index do not agree') end
  local leased, expires = call('ZSCORE', lease_key(q), id), call('ZSCORE', expiry_key(q), id)
  if (t[1] == 'c') ~= (leased and true or false) then complain(id, 'its state and the leases do not agree') end
  if leased and tonumber(leased) ~= t[11] then complain(id, 'its lease end is another') end
  if (t[1] == 'w' and head[4] and not t[8] or false) ~= (expires and true or false) then complain(id, 'its expiry is not noted as it should') end
  local place = place_of(t[5], t[6], id)
  local grouped = head[6] and call('ZSCORE', G, format('%03d', #head[6]) .. head[6] .. place)
  if (t[1] == 'w' and head[6] and true or false) ~= (grouped and true or false) then complain(id, 'its group does not agree') end
  local taken = head[5] and call('HGET', K, head[5])
  if head[5] and t[1] ~= 'd' and not (taken and taken:sub(16) == id) then complain(id, 'it lives without its idempotency key') end
  if grouped then seen(3) end
  if leased then seen(base + 4) end
  if expires then seen(base + 5) end
  local waits = call('ZSCORE', wait_key(q), place)
  if waits and t[1] ~= 'w' then complain(id, 'it waits and does not') end
  if t[1] == 'w' then seen(base + 2 * (q % 2) + (waits and 1 or 0)) end
end

local index = which == 'live' and N or D
local found = call('ZRANGEBYSCORE', index, format('(%.0f', after), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
for i = 1, #found, 2 do look(found[i], tonumber(found[i + 1])) end
return {#found == 2 * most and tonumber(found[#found]) or '', complaints, numbers}
