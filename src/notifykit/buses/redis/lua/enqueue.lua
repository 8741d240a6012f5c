-- ARGV: the number of messages; of each its id, lane, due or '', and what the client packed.
-- Answers pairs: the place in the call (from 0) of a duplicate, and the id that it repeats.
local number = tonumber(arg())
local answers = {}
for first = 1, number, 250 do
  local many = min(250, number - first + 1)
  local ids = {}
  for i = 1, many do ids[i] = ARGV[at + 4 * i - 3] end
  local stored = call('HMGET', M, unpack(ids))
  for i = 1, many do
    local id, q, due, blob = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4]
    at = at + 4
    local owner = add(id, q, due, blob, stored[i])
    if owner then
      answers[#answers + 1] = first + i - 2
      answers[#answers + 1] = owner
    end
  end
  flush_added()
end
finish()
return answers
