-- Moves dead letters back to the work stream, with a fresh attempt budget.
--
-- KEYS dlq stream delayed events prefix calls
-- ARGV 1 events_cap
--      then, per job: dead letter id, job id, name, the msgpack Job with its attempt counter at 0, ms for which the id
--      stays taken ('' where it was not the caller's); then call (see answer.lua)
-- Reply { per job: 1 moved, 0 gone already, 2 left there because another live job bears its id }
--
-- Races: two replays of one letter meet in XDEL: whoever deletes it adds it. Sent twice, the second
-- time says what the first said.

-- @include lib/live
-- @include lib/answer
-- @include lib/events
-- @include lib/open

local dlq, stream, delayed, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local cap, call = tonumber(ARGV[1]), ARGV[#ARGV]
local said = answered(calls, call)
if said then
  return said
end
-- Before the letter is gone.
local full = sealed(stream)
if full then
  return full
end
local ts = decimal(now_ms())
local reply = {}
local remains = {}
for i = 2, #ARGV - 1, 5 do
  local letter, id, name, d, keep = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local state = 0
  if #redis.call('XRANGE', dlq, letter, letter) > 0 then
    state = 1
    if keep ~= '' and life_of(stream, delayed, prefix, id) == 'live' then
      state = 2
    end
  end
  if state == 1 then
    redis.call('XDEL', dlq, letter)
    add_remains(remains, prefix, id)
    local fields = { 'd', d }
    if name ~= '' then
      fields[#fields + 1] = 'n'
      fields[#fields + 1] = name
    end
    if keep ~= '' then
      fields[#fields + 1] = 'u'
      fields[#fields + 1] = keep
    end
    local added = redis.call('XADD', stream, '*', unpack(fields))
    if keep ~= '' then
      redis.call('SET', prefix .. 'dlid:' .. id, keep .. ':' .. added)
      remains[#remains + 1] = prefix .. 'didx:' .. id
    end
    if cap > 0 then
      local tag = name == '' and {} or { 'n', name }
      redis.pcall('XADD', events, '*', 'e', 'waiting', 'id', id, 'ts', ts, unpack(tag))
    end
  end
  reply[#reply + 1] = state
end
forget(remains)
if cap > 0 then
  trim_events(events, cap)
end
return answer(calls, call, reply)
