-- Ledger: ARGV: prefix, after, limit. Answers {key to go on behind or '', live keys}, having looked at 1,000 at most.
local prefix, after, limit = arg(), arg(), tonumber(arg())
local from = after >= prefix and '(' .. after or '[' .. prefix
local out, resume, looked = {}, '', call('ZRANGEBYLEX', KEYS[13], from, '+', 'LIMIT', 0, 1000)
for _, key in ipairs(looked) do
  if #out == limit or key:sub(1, #prefix) ~= prefix then return {'', out} end
  local value = call('HGET', KEYS[12], key)
  if value and (value:byte(1) == 48 or now < tonumber(value:sub(2, 16))) then out[#out + 1] = key end
end
if #looked == 1000 then resume = looked[1000] end
return {resume, out}
