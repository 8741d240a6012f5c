-- ARGV: the number of settlements, and those (see settle.lua). Answers a letter for each.
local answers = settle_all(tonumber(arg()))
finish()
return answers
