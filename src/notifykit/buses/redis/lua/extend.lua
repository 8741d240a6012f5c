-- ARGV: lease, longest age of a claim, nothing or + and the progress to keep, the number of claims; of each its id, lane and token.
-- Answers a letter for each: D done, L limit, S stale.
local lease, age, mark, number = tonumber(arg()), tonumber(arg()), arg(), tonumber(arg())
local answers = {}
for i = 1, number do
  local id, q, token = arg(), tonumber(arg()), arg()
  local raw = call('HGET', S, id)
  local t = raw and {unpack_all(raw)}
  answers[i] = 'S'
  if t and t[1] == 'c' and t[9] == token then
    local last = t[10] + age
    local ending = max(t[11], min(now + lease, last))
    answers[i] = now + lease > last and 'L' or 'D'
    local moves = ending > t[11]
    if mark ~= '' then t[7] = mark:sub(2) end
    if moves or mark ~= '' then
      t[11] = ending
      call('HSET', S, id, pack(unpack(t, 1, t[13] and 13 or t[12] and 12 or 11)))
    end
    if moves then call('ZADD', lease_key(q), ending, id) end
  end
end
finish()
return table.concat(answers)
