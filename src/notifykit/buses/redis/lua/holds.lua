-- Answers the holds that are not over: of each its channel, lane, reason and end.
local holds, held = {}, call('HGETALL', H)
for i = 1, #held, 2 do
  for _, hold in ipairs(cmsgpack.unpack(held[i + 1])) do
    if hold[3] > now then
      for _, value in ipairs({held[i], hold[1], hold[2], hold[3]}) do holds[#holds + 1] = value end
    end
  end
end
return holds
