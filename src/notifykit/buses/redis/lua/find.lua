-- ARGV behind the filter: 'live', 'dead', 'both' or 'ids'; after; how many to look at; how many to answer; 1 for bodies;
-- then the ids. Answers {now, seq to go on behind or '', and of each message its id, record, and the values of its state}.
local which, after, most, limit, bodies = arg(), tonumber(arg()), tonumber(arg()), tonumber(arg()), arg() == '1'
local found, resume = scan(which, after, most)
local out, bytes, many, last = {now, ''}, 0, 0, after
for _, each in ipairs(found) do
  if many >= limit or bytes > 4194304 then
    resume = last
    break
  end
  local record, t = meant(each[1], each[2])
  if record then
    if not bodies then record = record:sub(1, 18 + record:byte(17) * 256 + record:byte(18)) end
    many, bytes = many + 1, bytes + #record
    local n = #out
    out[n + 1], out[n + 2], out[n + 3] = each[1], record, t[1]
    for i = 2, 7 do out[n + 2 + i] = t[i] end
    out[n + 10] = t[8] and 1 or 0
    out[n + 11] = t[9] or ''
    out[n + 12] = t[t[1] == 'w' and 9 or t[1] == 'c' and 13 or 10] or ''
    out[n + 13] = t[11] or ''
  end
  last = each[2]
end
if resume then out[2] = resume end
return out
