-- Keys, arguments and bus time. Every script begins with this piece.
--
-- KEYS 1-11 are the bus's, then six for each channel named in ARGV:
--   M  hash   id -> 15 digits of due, then what the client packed: flags, length, header, body
--   S  hash   id -> state of what is not fresh: cmsgpack of the values that save() writes
--   N  zset   seq -> id of what waits or is claimed        D  zset   seq -> id of what is dead
--   K  hash   idempotency key -> 15 digits of its end, then the id that has it
--   E  zset   end -> idempotency key, to forget it          G  zset   what waits in a group, by name
--   C  hash   counters, and the bus's own numbers           H  hash   channel -> holds
--   B  stream doorbell, of one entry                        T  set    channels
--   R  list   places of what was ready when it came, by lane: always in the order of (due, seq)
--   W  zset   due -> places of everything else that waits, by lane
--   L  zset   lease end -> id, by channel                   X  zset   expires_at -> id of what waits, by channel
-- A place is 15 digits of due, 16 of seq, and the id: places sort as (due, seq).
local M, S, N, D, K, E, G, C, H, B, T = unpack(KEYS, 1, 11)
local call, floor, max, min, format = redis.call, math.floor, math.max, math.min, string.format
local pack, unpack_all, unpack_one = cmsgpack.pack, cmsgpack.unpack, cmsgpack.unpack_one

local ttl = tonumber(ARGV[3])
local names, channels, at = {}, tonumber(ARGV[4]), 4
for i = 1, channels do names[i] = ARGV[4 + i] end
at = at + channels

local function arg()
  at = at + 1
  return ARGV[at]
end

-- A lane of a channel is known by one number, twice the channel's place in ARGV (from 0) plus the lane's.
local function ready_key(q) return KEYS[12 + 6 * floor(q / 2) + 2 * (q % 2)] end
local function wait_key(q) return KEYS[13 + 6 * floor(q / 2) + 2 * (q % 2)] end
local function lease_key(q) return KEYS[16 + 6 * floor(q / 2)] end
local function expiry_key(q) return KEYS[17 + 6 * floor(q / 2)] end

-- Time: the server's, or the clock that was given with its monotonic reading. Below the stored mark it is the mark plus
-- progress, so that a clock that ran ahead and was corrected freezes nothing.
local meta = call('HMGET', C, '!mark', '!mono', '!seq', '!claims', '!pause')
local mark, mono_then = tonumber(meta[1] or 0), tonumber(meta[2] or 0)
local seq, claims, pause = tonumber(meta[3] or 0), tonumber(meta[4] or 0), tonumber(meta[5] or 0)
local wall, mono
if ARGV[1] == '' then
  local t = call('TIME')
  wall = t[1] * 1000 + floor(t[2] / 1000)
  mono = wall
else
  wall, mono = tonumber(ARGV[1]), tonumber(ARGV[2])
end
local now, jumped = wall, mark > 0 and wall - mark > mono - mono_then + 1000
if wall < mark then now = mark + max(0, mono - mono_then) end

local function place_of(due, number, id) return format('%015d%016d', due, number) .. id end
local function seq_of(place) return tonumber(place:sub(16, 31)) end

-- The header of a record: channel, lane, max_attempts, expires, key, group, recipient, template.
local function head_of(record)
  local _, head = unpack_one(record, 18)
  return head
end
