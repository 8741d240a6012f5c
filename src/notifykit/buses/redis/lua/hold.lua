-- ARGV: channel, lane (2: all), until in ms or '' to lift it, reason.
local channel, lane, until_, reason = arg(), tonumber(arg()), arg(), arg()
local raw, kept = call('HGET', H, channel), {}
for _, hold in ipairs(raw and cmsgpack.unpack(raw) or {}) do
  if not (hold[1] == lane and hold[2] == reason) and hold[3] > now then kept[#kept + 1] = hold end
end
if until_ ~= '' then kept[#kept + 1] = {lane, reason, tonumber(until_)} end
if #kept > 0 then call('HSET', H, channel, pack(kept)) else call('HDEL', H, channel) end
rung = true
finish()
return 1
