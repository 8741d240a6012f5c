-- Ledger: ARGV: the number of keys, and those. Answers pairs of key and value.
local out = {}
for _ = 1, tonumber(arg()) do
  local key = arg()
  local value = call('HGET', KEYS[12], key)
  if value and (value:byte(1) == 48 or now < tonumber(value:sub(2, 16))) then
    out[#out + 1] = key
    out[#out + 1] = value:byte(1) == 48 and value:sub(2) or value:sub(17)
  end
end
return out
