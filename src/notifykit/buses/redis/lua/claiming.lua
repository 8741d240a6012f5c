-- ARGV: most of lane 0, most of lane 1 (-1: not allowed), limit, lease, nonce, campaign_after (0: strictly by lane), the
-- latest that it can be by the client's clock or '', then the number of settlements and those.
-- Answers what claim() does, with the settlements' letters before it.
local lanes = {[0] = tonumber(arg()), [1] = tonumber(arg())}
local limit, lease, nonce, campaign_after, expected = tonumber(arg()), tonumber(arg()), arg(), tonumber(arg()), arg()
local settled = settle_all(tonumber(arg()))
local out = claim(lanes, limit, lease, nonce, campaign_after, expected)
finish()
return {settled, out}
