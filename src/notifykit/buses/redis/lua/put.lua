-- ARGV: key, end or '', value. Two values whose time is over are forgotten with each.
local key, ending, value = arg(), arg(), arg()
call('HSET', KEYS[12], key, ending == '' and '0' .. value or '1' .. format('%015.0f', tonumber(ending)) .. value)
call('ZADD', KEYS[13], 0, key)
if ending == '' then call('ZREM', KEYS[14], key) else call('ZADD', KEYS[14], ending, key) end
forget_two_ended()
finish()
return 1
